"""Figures of a study, drawn from its store: what is drawn follows from what the study holds."""

import math
from collections.abc import Sequence

from torch import Tensor

from dashboards.class_gains_figure import class_gains_figure
from dashboards.curve_figure import curve_figure
from dashboards.fronts import front_figure, front_runs
from dashboards.noise_figure import noise_figure
from dashboards.renormalisation_figure import renormalisation_figure
from dashboards.schedule_figure import schedule_figure
from dashboards.score_field_figure import score_field_figure
from dashboards.search_figures import epsilon_curves, slices
from dashboards.searches import alike_runs, joint_runs
from dashboards.shares_figure import Bars, shares_figure
from scorelib.metrics.score_error import moons_grid
from scorelib.noise_level import noise_by_level
from scorelib.schedules import Schedule
from tuning.documents import as_name
from tuning.jobs import Workplace
from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.stages import (
    DataShares,
    GeneratedShares,
    NoiseLevel,
    Renormalisation,
    Score,
    ScoreErrors,
    TrainSpec,
)
from tuning.stages.shares import ends_of, share_of
from tuning.store import Store
from tuning.study import Study


def figures(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """All figures that the results so far make, as PNG files by name."""
    curves = epsilon_curves(scheduler)
    drawn = {"epsilon_curve.png": curves} if curves else {}
    noise = [cell.job for cell in scheduler.study.cells if isinstance(cell.job, NoiseLevel)]
    if noise and all(map(scheduler.is_done, noise)):
        drawn["noise_levels.png"] = noise_figure(
            {
                _noise_label(job): noise_by_level(job.sampler, job.schedule).tolist()
                for job in noise
            },
            noise[0].schedule.sigmas,
        )
    panels = _panels(scheduler)
    if panels:
        drawn["curves.png"] = curve_figure(panels)
    gains = _class_gains(scheduler, store)
    if gains:
        drawn["class_gains.png"] = class_gains_figure(gains, "ours minus base, by class")
    fields = _score_fields(scheduler, store)
    if fields:
        drawn["score_fields.png"] = score_field_figure(moons_grid(), fields)
    shares = _shares(scheduler)
    if shares:
        drawn["class_shares.png"] = shares_figure(shares, scheduler.study.title)
    schedules = _schedules(scheduler.study)
    if len({type(schedule) for schedule, _ in schedules}) > 1:
        drawn["schedules.png"] = schedule_figure(schedules)
    alike = alike_runs(scheduler.searches)
    choices = _choices(alike)
    if choices:
        drawn["search_iteration.png"] = curve_figure(choices)
    powers = {c.job.key: c.job for c in scheduler.study.cells if isinstance(c.job, Renormalisation)}
    if powers and all(map(scheduler.is_done, powers.values())):
        cases = [job.case for job in powers.values()]
        drawn["renormalisation.png"] = renormalisation_figure(cases)
    for run in front_runs(list(scheduler.searches.values())):
        drawn[f"front_{as_name(run.search.name)}.png"] = front_figure(run)
    for run in joint_runs(scheduler.searches):
        if run.best_so_far and not (choices and run in alike):
            drawn[f"search_{as_name(run.search.name)}.png"] = slices(run)
    return drawn


def _schedules(study: Study) -> list[tuple[Schedule, int]]:
    """The noise schedules that networks are trained on, each once, and the data's dimensions."""
    roots = [search.space.template for search in study.searches]
    specs = [part for root in (*roots, *study.fixed_jobs) for part in root.parts()]
    trainings = [spec for spec in specs if isinstance(spec, TrainSpec)]
    return list(dict.fromkeys((t.schedule, math.prod(t.data.shape)) for t in trainings))


def _choices(alike: Sequence[SearchRun]) -> dict[str, dict[str, dict[int, list[float]]]]:
    """By panel and search, what searches over the iteration of a snapshot have found of each."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for run in alike:
        space = run.search.space
        panel = f"{space.protocol.name}, {space.objective}, {space.protocol.n_images:,} images"
        for trial in run.ranked(run.trials):
            value = trial.result.of(space.objective) if trial.result else None
            if value is not None and set(trial.values) == {"iteration"}:
                curve = panels.setdefault(panel, {}).setdefault(run.search.name, {})
                curve[int(trial.values["iteration"])] = [value]
    return panels


def _shares(scheduler: Scheduler) -> dict[str, Bars]:
    """The shares of classes found so far, by column."""
    found = {}
    for column, job in {c.column: c.job for c in scheduler.study.cells}.items():
        if isinstance(job, GeneratedShares | DataShares):
            data = job.data if isinstance(job, DataShares) else job.sample.model.train.data
            result = scheduler.lookup(job)
            if result and not result.failed:
                labels = range(data.n_classes)
                names = [(share_of(k), *ends_of(k)) for k in labels]
                columns = zip(*([result.numbers[n] for n in of] for of in names), strict=True)
                found[column] = Bars(*columns)
    return found


def _panels(scheduler: Scheduler) -> dict[str, dict[str, dict[int, list[float]]]]:
    """By panel and curve, the iterations at which the results of all training seeds are in."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for curve in scheduler.study.curves:
        for iteration, jobs in curve.points.items():
            results = [scheduler.lookup(job) for job in jobs]
            values = [v for r in results if r and (v := r.of(curve.quantity)) is not None]
            if len(values) == len(jobs):
                lines = panels.setdefault(curve.panel, {}).setdefault(curve.label, {})
                lines[iteration] = values
    return panels


def _class_gains(scheduler: Scheduler, store: Store) -> dict[str, dict[int, float]]:
    """By class-wise number, what the column "ours" gains on the column "base", on one seed."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for cell in scheduler.study.cells:
        scores = [job for job in scheduler.cell_jobs(cell) if isinstance(job, Score)]
        if cell.column in ("base", "ours") and scores and scheduler.is_done(scores[0]):
            by_class = scores[0].by_class(Workplace(store=store), "denoised")
            if by_class:
                found.setdefault(cell.row, {})[cell.column] = by_class
    return {
        row: {label: of["ours"][label] - value for label, value in of["base"].items()}
        for row, of in found.items()
        if of.keys() == {"base", "ours"}
    }


def _score_fields(scheduler: Scheduler, store: Store) -> dict[str, list[Tensor]]:
    """By method, the posterior scores of each class, the exact ones last."""
    fields: dict[str, list[Tensor]] = {}
    exact: list[Tensor] = []
    for cell in scheduler.study.cells:
        job = cell.job
        if isinstance(job, ScoreErrors) and cell.column not in fields and scheduler.is_done(job):
            scores = job.scores(Workplace(store=store))
            labels = range(len(scores) // 2)
            fields[cell.column] = [scores[f"estimated.{c}"] for c in labels]
            exact = [scores[f"exact.{c}"] for c in labels]
    return fields | ({"exact": exact} if exact else {})


def _noise_label(job: NoiseLevel) -> str:
    sampler = job.sampler
    name, steps = type(sampler).__name__.upper(), f"n_sigma = {sampler.n_sigma}"
    return f"{name}, {steps}, {job.schedule.n_levels:,} levels"
