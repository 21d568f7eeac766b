"""Figures of a study, drawn from its store.

What is drawn follows from what the study holds: a curve for searches of step sizes, a slice for
every parameter of a joint search. The epsilon curve has the layout of the paper's Figure 3:
distance against step size for both samplers, raw and denoised, on a logarithmic axis, with every
measured point. Step sizes of the two samplers belong to one axis here, without the paper's
hand-fitted second one.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter
from torch import Tensor

from dashboards.class_gains_figure import class_gains_figure
from dashboards.curve_figure import curve_figure
from dashboards.noise_figure import noise_figure
from dashboards.renormalisation_figure import renormalisation_figure
from dashboards.schedule_figure import schedule_figure
from dashboards.score_field_figure import score_field_figure
from dashboards.searches import alike_runs, importances, joint_runs, shown_value
from dashboards.shares_figure import Bars, shares_figure
from scorelib.metrics.score_error import moons_grid
from scorelib.noise_level import noise_by_level
from scorelib.schedules import Schedule
from tuning.jobs import Workplace
from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.space import EPSILON, StepSizeSpace
from tuning.stages import (
    OBJECTIVES,
    DataShares,
    GeneratedShares,
    NoiseLevel,
    Renormalisation,
    Score,
    ScoreErrors,
    TrainSpec,
)
from tuning.stages.shares import ends_of, share_of
from tuning.store import Store, as_name
from tuning.study import Study

_COLOURS = {"als": "#c0392b", "cas": "#1f5fa8"}
_MARKS = {"raw": ("--", "o", "none"), "denoised": ("-", "o", "full")}
_SHOWN_TIMES_BEST = 6.0
_MOST_LEVEL_LABELS = 4


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


def epsilon_curves(scheduler: Scheduler) -> bytes | None:
    """Distance against epsilon, a panel per n_sigma and way of training.

    Args:
        scheduler: the study's scheduler.

    Returns:
        A PNG file, or None while no trial is finished.
    """
    runs = [
        run
        for run in scheduler.searches.values()
        if run.best_so_far and isinstance(run.search.space, StepSizeSpace)
    ]
    if not runs:
        return None
    panels = sorted({_panel(run) for run in runs}, reverse=True)
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(6.2 * across, 4.4 * down), squeeze=False, sharey=True, dpi=120
    )
    best = min(v for run in runs for which in OBJECTIVES for _, v in _points(run, which))
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        for run in runs:
            if _panel(run) == panel:
                _draw(axis, run)
        axis.set(xscale="log", yscale="log", xlabel="epsilon", title=_panel_title(panel))
        axis.set_ylim(0.85 * best, _SHOWN_TIMES_BEST * best)
        axis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
        axis.grid(alpha=0.25)
        axis.legend(fontsize=8)
    protocol = runs[0].search.space.protocol
    for row in axes:
        row[0].set_ylabel(f"{protocol.name}, {protocol.n_images:,} images")
    study = scheduler.study
    figure.suptitle(f"{study.name} ({study.scale}): distance against step size", fontsize=11)
    return _as_png(figure)


def slices(run: SearchRun) -> bytes:
    """Every parameter of a joint search against the number searched by, the later trials darker.

    Args:
        run: a search with a finished trial.
    """
    space, trials = run.search.space, run.ranked(run.trials)
    names, shares = list(run.distributions), importances(run)
    across = min(3, len(names))
    down = -(-len(names) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(4.0 * across, 3.1 * down), squeeze=False, sharey=True, dpi=120
    )
    values = [t.result.of(space.objective) for t in trials if t.result]
    for axis in axes.flat[len(names) :]:
        axis.set_visible(False)
    for axis, name in zip(axes.flat, names, strict=False):
        tried = [t.values[name] for t in trials]
        if getattr(run.distributions[name], "log", False):
            axis.set_xscale("log")
        else:
            order = [shown_value(v) for v in getattr(run.distributions[name], "choices", ())]
            tried = [order.index(shown_value(v)) for v in tried]
            axis.set_xticks(range(len(order)), order)
            if len(order) > _MOST_LEVEL_LABELS:
                axis.tick_params(axis="x", rotation=50)
            axis.set_xlim(-0.5, len(order) - 0.5)
        numbers = [t.number for t in trials]
        axis.scatter(tried, values, c=numbers, cmap="viridis_r", s=22, edgecolors="k", lw=0.3)
        share = f" ({shares[name]:.0%} of the variance)" if name in shares else ""
        axis.set_title(f"{name}{share}", fontsize=9)
        axis.set_yscale("log")
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.yaxis.set_minor_formatter(NullFormatter())
        axis.tick_params(labelsize=8)
        axis.grid(alpha=0.25)
    for row in axes:
        row[0].set_ylabel(f"{space.protocol.name}, {space.objective}", fontsize=9)
    figure.suptitle(f"{run.search.name}: {len(trials)} trials, the later the darker", fontsize=11)
    return _as_png(figure)


def _as_png(figure: Any) -> bytes:
    figure.tight_layout()
    file = io.BytesIO()
    # No version and date in the file: equal results are equal files.
    figure.savefig(file, format="png", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()


def _sampler(run: SearchRun) -> Any:
    return run.search.space.sample.sampler


def _panel(run: SearchRun) -> tuple[str, int]:
    """What a panel shares: the way of training, and n_sigma (the fewest steps first)."""
    return type(run.search.space.sample.model.train.objective).__name__, -_sampler(run).n_sigma


def _panel_title(panel: tuple[str, int]) -> str:
    return f"n_sigma = {-panel[1]}, trained by {panel[0].lower()}"


def _points(run: SearchRun, which: Any) -> list[tuple[float, float]]:
    pairs = [(float(t.values[EPSILON]), t.result.of(which)) for t in run.trials if t.result]
    return sorted((e, v) for e, v in pairs if v is not None)


def _draw(axis: Any, run: SearchRun) -> None:
    name = type(_sampler(run)).__name__.lower()
    for which in OBJECTIVES:
        line, mark, fill = _MARKS[which]
        points = _points(run, which)
        if points:
            axis.plot(
                *zip(*points, strict=True), line, marker=mark, fillstyle=fill, markersize=4,
                color=_COLOURS[name], label=f"{name.upper()}, {which}", linewidth=1.3,
            )  # fmt: skip
