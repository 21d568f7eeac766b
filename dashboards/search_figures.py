"""Figures of searches: distance against step size, and every parameter against the number.

The epsilon curve has the layout of the paper's Figure 3: distance against step size for both
samplers, raw and denoised, on a logarithmic axis, with every measured point. Step sizes of the two
samplers belong to one axis here, without the paper's hand-fitted second one.
"""

from typing import Any

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dashboards.png import as_png
from dashboards.searches import importances, shown_value
from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.spaces import EPSILON, StepSizeSpace
from tuning.stages import OBJECTIVES

_COLOURS = {"als": "#c0392b", "cas": "#1f5fa8"}
_OTHER_COLOUR = "#3b7d4f"
_MARKS = {"raw": ("--", "o", "none"), "denoised": ("-", "o", "full")}
_SHOWN_TIMES_BEST = 6.0
_MOST_LEVEL_LABELS = 4


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
    panels = sorted({panel_of(run) for run in runs}, reverse=True)
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    figure, axes = plt.subplots(
        down, across, figsize=(6.2 * across, 4.4 * down), squeeze=False, sharey=True, dpi=120
    )
    best = min(v for run in runs for which in OBJECTIVES for _, v in points_of(run, which))
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for axis, panel in zip(axes.flat, panels, strict=False):
        for run in runs:
            if panel_of(run) == panel:
                _draw(axis, run)
        axis.set(xscale="log", yscale="log", xlabel="epsilon", title=panel_title(panel))
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
    return as_png(figure)


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
    return as_png(figure)


def _sampler(run: SearchRun) -> Any:
    return run.search.space.sample.sampler


def panel_of(run: SearchRun) -> tuple[str, int]:
    """What a panel shares: the way of training, and n_sigma (the fewest steps first)."""
    return type(run.search.space.sample.model.train.objective).__name__, -_sampler(run).n_sigma


def panel_title(panel: tuple[str, int]) -> str:
    """What is said above it."""
    return f"n_sigma = {-panel[1]}, trained by {panel[0].lower()}"


def points_of(run: SearchRun, which: Any) -> list[tuple[float, float]]:
    """The step sizes tried and what they gave, in order of the step size."""
    pairs = [(float(t.values[EPSILON]), t.result.of(which)) for t in run.trials if t.result]
    return sorted((e, v) for e, v in pairs if v is not None)


def _draw(axis: Any, run: SearchRun) -> None:
    name = type(_sampler(run)).__name__.lower()
    for which in OBJECTIVES:
        line, mark, fill = _MARKS[which]
        points = points_of(run, which)
        if points:
            axis.plot(
                *zip(*points, strict=True), line, marker=mark, fillstyle=fill, markersize=4,
                color=_COLOURS.get(name, _OTHER_COLOUR), label=f"{name.upper()}, {which}",
                linewidth=1.3,
            )  # fmt: skip
