"""Figures of a study, drawn from its store: what is drawn follows from what the study holds."""

from dashboards.figures.class_gains_figure import class_gains_figure
from dashboards.figures.curve_figure import curve_figure
from dashboards.figures.data import (
    choices_of,
    class_gains_of,
    noise_levels_of,
    panels_of,
    renormalised_of,
    schedules_of,
    score_fields_of,
    shares_of,
)
from dashboards.figures.front_figure import front_figure
from dashboards.figures.noise_figure import noise_figure
from dashboards.figures.renormalisation_figure import renormalisation_figure
from dashboards.figures.schedule_figure import schedule_figure
from dashboards.figures.score_field_figure import score_field_figure
from dashboards.figures.search_figures import epsilon_curves, slices
from dashboards.figures.shares_figure import shares_figure
from dashboards.results.pareto_fronts import multi_objective_runs
from dashboards.results.searches import alike_runs, joint_runs
from scorelib.metrics.score_error import moons_grid
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import as_name
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """All figures that the results so far make, as PNG files by name."""
    curves = epsilon_curves(scheduler)
    drawn = {"epsilon_curve.png": curves} if curves else {}
    noise = noise_levels_of(scheduler)
    if noise:
        drawn["noise_levels.png"] = noise_figure(*noise)
    panels = panels_of(scheduler)
    if panels:
        drawn["curves.png"] = curve_figure(panels)
    gains = class_gains_of(scheduler, store)
    if gains:
        drawn["class_gains.png"] = class_gains_figure(gains, "ours minus base, by class")
    for section, fields in score_fields_of(scheduler, store).items():
        name = f"score_fields_{as_name(section)}.png" if section else "score_fields.png"
        drawn[name] = score_field_figure(moons_grid(), fields, section)
    shares = shares_of(scheduler)
    if shares:
        drawn["class_shares.png"] = shares_figure(shares, scheduler.study.title)
    schedules = schedules_of(scheduler.study)
    if len({type(schedule) for schedule, _ in schedules}) > 1:
        drawn["schedules.png"] = schedule_figure(schedules)
    alike = alike_runs(scheduler.searches)
    choices = choices_of(alike)
    if choices:
        drawn["search_iteration.png"] = curve_figure(choices)
    cases = renormalised_of(scheduler)
    if cases:
        drawn["renormalisation.png"] = renormalisation_figure(cases)
    for run in multi_objective_runs(list(scheduler.searches.values())):
        drawn[f"front_{as_name(run.search.name)}.png"] = front_figure(run)
    for run in joint_runs(scheduler.searches):
        if run.best_so_far and not (choices and run in alike):
            drawn[f"search_{as_name(run.search.name)}.png"] = slices(run)
    return drawn
