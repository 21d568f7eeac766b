"""Figures of searches: distance against step size, and every parameter against the number.

The epsilon curve has the layout of the paper's Figure 3: distance against step size for both
samplers, raw and denoised, on a logarithmic axis, with every measured point. Step sizes of the two
samplers belong to one axis here, without the paper's hand-fitted second one.
"""

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

from dashboards.figures.png import as_png
from dashboards.results.optuna_analyses import importances
from dashboards.results.searches import shown_value
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces import EPSILON, StepSizeSpace
from tuning.stages import OUTPUTS

_COLOURS = {"als": "#c0392b", "cas": "#1f5fa8"}
_OTHER_COLOUR = "#3b7d4f"
_MARKS = {"raw": ("--", "o", "none"), "denoised": ("-", "o", "full")}
_SHOWN_TIMES_BEST = 6.0
_MOST_LEVEL_LABELS = 4
_TITLE_CHARACTERS = 70


def epsilon_curves(scheduler: Scheduler) -> bytes | None:
    """The number searched by against epsilon, panels as in `epsilon_panels`.

    Args:
        scheduler: the study's scheduler.

    Returns:
        A PNG file, or None while no trial is finished.
    """
    panels = epsilon_panels(scheduler.searches.values())
    if not panels:
        return None
    across = min(2, len(panels))
    down = -(-len(panels) // across)
    has_one_scale = len({panel.label for panel in panels}) == 1
    figure, axes = plt.subplots(
        down, across, figsize=(6.2 * across, 4.4 * down), squeeze=False, sharey=has_one_scale,
        dpi=120,
    )  # fmt: skip
    for axis in axes.flat[len(panels) :]:
        axis.set_visible(False)
    for place, (axis, panel) in enumerate(zip(axes.flat, panels, strict=False)):
        for run in panel.runs:
            _draw(axis, run)
        alike = [run for other in panels if other.label == panel.label for run in other.runs]
        best = min(v for run in alike for which in OUTPUTS for _, v in points_of(run, which))
        axis.set(xscale="log", yscale="log", xlabel="epsilon")
        axis.set_title(textwrap.fill(panel.title, _TITLE_CHARACTERS), fontsize=10)
        axis.set_ylim(0.85 * best, _SHOWN_TIMES_BEST * best)
        if not has_one_scale or place % across == 0:
            axis.set_ylabel(panel.label)
        axis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
        axis.grid(alpha=0.25)
        axis.legend(fontsize=8)
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
    values = [t.result.of(space.output) for t in trials if t.result]
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
        row[0].set_ylabel(f"{space.protocol.name}, {space.output}", fontsize=9)
    figure.suptitle(f"{run.search.name}: {len(trials)} trials, the later the darker", fontsize=11)
    return as_png(figure)


def _sampler(run: SearchRun) -> Any:
    return run.search.space.sample.sampler


@dataclass(frozen=True)
class Panel:
    """Searches drawn together: their points may be compared.

    Attributes:
        title: what they share, and other panels do not.
        label: what is measured.
        runs: the searches.
    """

    title: str
    label: str
    runs: tuple[SearchRun, ...]


def epsilon_panels(runs: Iterable[SearchRun]) -> list[Panel]:
    """A panel per way of training, n_sigma (the fewest steps first) and whatever else differs.

    That is the data, the network, the schedule and what is measured.

    Args:
        runs: any searches; those of a step size that have a finished trial are drawn.
    """
    told = {
        run: _told(run)
        for run in runs
        if run.best_so_far and isinstance(run.search.space, StepSizeSpace)
    }
    differ = [len(set(texts)) > 1 for texts in zip(*told.values(), strict=True)]
    shared: dict[tuple[str, int, tuple[str, ...], str], list[SearchRun]] = {}
    for run, texts in told.items():
        way = type(run.search.space.sample.model.train.objective).__name__.lower()
        more = tuple(text for text, is_told in zip(texts, differ, strict=True) if is_told)
        by = (way, -_sampler(run).n_sigma, more, texts[-1])
        shared.setdefault(by, []).append(run)
    return [
        Panel(", ".join((f"n_sigma = {-steps}", f"trained by {way}", *more)), label, tuple(alike))
        for (way, steps, more, label), alike in sorted(
            shared.items(), key=lambda item: item[0][:2], reverse=True
        )
    ]


def _told(run: SearchRun) -> tuple[str, str, str, str]:
    """What a search's panel is told by if it is not the same for all."""
    train, protocol = run.search.space.sample.model.train, run.search.space.protocol
    levels = train.schedule
    return (
        train.data.name,
        type(train.network).__name__,
        f"{levels.title} from {levels.sigma_1:g} to {levels.sigma_L:g} in {levels.n_levels} levels",
        f"{protocol.name}, {protocol.n_images:,} {protocol.unit}",
    )


def points_of(run: SearchRun, which: Any) -> list[tuple[float, float]]:
    """The step sizes tried and what they gave, in order of the step size."""
    pairs = [(float(t.values[EPSILON]), t.result.of(which)) for t in run.trials if t.result]
    return sorted((e, v) for e, v in pairs if v is not None)


def _draw(axis: Any, run: SearchRun) -> None:
    name = type(_sampler(run)).__name__.lower()
    for which in OUTPUTS:
        line, mark, fill = _MARKS[which]
        points = points_of(run, which)
        if points:
            axis.plot(
                *zip(*points, strict=True), line, marker=mark, fillstyle=fill, markersize=4,
                color=_COLOURS.get(name, _OTHER_COLOUR), label=f"{name.upper()}, {which}",
                linewidth=1.3,
            )  # fmt: skip
