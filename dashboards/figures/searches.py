"""Figures of searches: history, results by parameter and by pairs, and parameter importances."""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from optuna.distributions import BaseDistribution, CategoricalDistribution

from dashboards.drawing.description import (
    BLUE,
    BROWN,
    GREY,
    Axis,
    Bars,
    Contours,
    Figure,
    Line,
    Panel,
)  # fmt: skip
from dashboards.figures.training_curves import curve_panel
from dashboards.results.optuna_analyses import importances
from dashboards.results.searches import alike_runs, joint_runs, shown_value
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.store.documents import as_name
from tuning.store.store import Store

Array = NDArray[np.float64]

_MOST_PAIRED = 4
_N_TICKS = 25  # numbers along each side of a surface
_MOST_LINEAR = 10  # ratio of the largest to the smallest number on a linear scale
_SMOOTHING = 0.01  # of a linear radial function on the unit square


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields the figures of all searches.

    Searches over the iteration alone share one figure. Each other search has its history and, if it
    is not over the step size, figures of its parameters.
    """
    alike, joint = alike_runs(scheduler.searches), joint_runs(scheduler.searches)
    choices = choices_of(alike)
    for name, lines in choices.items():
        yield Figure(
            f"Over the iteration: {name}", [curve_panel(name, lines)],
            file="search_iteration.png", about="Searches",
        )  # fmt: skip
    for run in scheduler.searches.values():
        if run.best_so_far and not (choices and run in alike):
            yield _history(run)
            if run in joint:
                yield from _parameters(run)


def _history(run: SearchRun) -> Figure:
    """Describes the result of each trial and the best so far, for the search's first number."""
    trials = sorted(run.ranked(run.trials), key=lambda trial: trial.number)
    x, y = [trial.number for trial in trials], [trial.numbers[0] for trial in trials]
    best = list(accumulate(y, min if run.search.space.lower_is_better[0] else max))
    name = run.search.space.number_names[0]
    marks = [Line(x, y, BLUE, name, dash=""), Line(x, best, BROWN, "best so far", marker="")]
    panel = Panel(marks, Axis("trial", format=""), Axis(name))
    return Figure(f"{run.search.name}: history", [panel], about="Searches")


def _parameters(run: SearchRun) -> Iterator[Figure]:
    """Yields a joint search's figures: results by parameter, importances, pairs of parameters."""
    shares = importances(run)
    yield slices(run, shares)
    yield from _importances(run, shares)


def slices(run: SearchRun, shares: Mapping[str, float]) -> Figure:
    """Describes a joint search's results against each parameter; later trials are darker.

    Args:
        run: search with at least one finished trial.
        shares: share of the variance by parameter, in [0, 1]; empty while unknown.
    """
    space, trials = run.search.space, run.ranked(run.trials)
    values = [trial.numbers[0] for trial in trials]
    y = Axis(space.measure, is_log=min(values) > 0)
    order, panels = [trial.number for trial in trials], []
    for name, distribution in run.distributions.items():
        points = Line(
            _tried(run, name), values, GREY, dash="", values=order,
            texts=[f"trial {n}" for n in order],
        )  # fmt: skip
        share = f" ({shares[name]:.0%} of the variance)" if name in shares else ""
        panels.append(Panel([points], _axis_of("", distribution), y, name + share))
    name = run.search.name
    return Figure(
        f"{name}: each parameter", panels, file=f"search_{as_name(name)}.png",
        heading=f"{name}: {len(trials)} trials", panel_size=(4.0, 3.1), about="Searches",
        scale=Axis("trial", limits=(0, max(1, *order)), format=""),
    )  # fmt: skip


def _axis_of(label: str, distribution: BaseDistribution) -> Axis:
    if isinstance(distribution, CategoricalDistribution):
        return Axis(label, names=tuple(map(shown_value, distribution.choices)), format="")
    return Axis(label, is_log=bool(getattr(distribution, "log", False)))


def _tried(run: SearchRun, name: str) -> list[Any]:
    """Returns the values of a parameter as its axis shows them, best trial first."""
    is_named = isinstance(run.distributions[name], CategoricalDistribution)
    values: list[Any] = [trial.values[name] for trial in run.ranked(run.trials)]
    return [shown_value(value) for value in values] if is_named else values


def _importances(run: SearchRun, shares: Mapping[str, float]) -> Iterator[Figure]:
    """Yields the importances, and contours over pairs of the most important parameters."""
    name = run.search.name
    if shares:
        names = tuple(shares)
        bars = Bars(names, list(shares.values()), [BLUE] * len(names))
        y = Axis("share of the variance", limits=(0, 1), format=".0%")
        panel = Panel([bars], Axis(names=names, format=""), y)
        yield Figure(f"{name}: parameter importance (fANOVA)", [panel], about="Searches")
    varied = [n for n in shares if len(set(_tried(run, n))) > 1][:_MOST_PAIRED]
    if len(varied) > 1:
        yield contours(run, varied)


def contours(run: SearchRun, names: Sequence[str]) -> Figure:
    """Describes a joint search's results over each pair of parameters, interpolated between trials.

    Args:
        run: search with finished trials of different results.
        names: parameters, each with at least two values that were tried.
    """
    values = np.array([trial.numbers[0] for trial in run.ranked(run.trials)])
    name, label = run.search.name, run.search.space.measure
    if values.min() > 0 and values.max() > _MOST_LINEAR * values.min():
        values, label = np.log10(values), f"log10 of {label}"
    panels = []
    for x, y in combinations([_Side.of(run, name) for name in names], 2):
        surface = Contours(x.ticks, y.ticks, _interpolated(x, y, values))
        points = Line(x.tried, y.tried, GREY, dash="", values=list(map(float, values)))
        panels.append(Panel([surface, points], x.axis, y.axis))
    return Figure(
        f"{name}: pairs of parameters", panels, file=f"pairs_{as_name(name)}.png",
        heading=f"{name}: pairs of parameters", panel_size=(4.0, 3.1), about="Searches",
        scale=Axis(label, limits=(float(values.min()), float(values.max()))),
    )  # fmt: skip


@dataclass(frozen=True)
class _Side:
    """A parameter as a side of a surface.

    Attributes:
        axis: axis of the parameter.
        tried: values that were tried, best trial first, (n,).
        ticks: values at which the surface is computed, (m,).
    """

    axis: Axis
    tried: Sequence[Any]
    ticks: Sequence[Any]

    @classmethod
    def of(cls, run: SearchRun, name: str) -> "_Side":
        distribution = run.distributions[name]
        axis, tried = _axis_of(name, distribution), _tried(run, name)
        if axis.names:
            return cls(axis, tried, axis.names)
        low, high = (float(getattr(distribution, end)) for end in ("low", "high"))
        spaced = np.geomspace if axis.is_log else np.linspace
        return cls(axis, tried, [float(x) for x in spaced(low, high, _N_TICKS)])

    def places(self, values: Sequence[Any]) -> Array:
        """Returns values as places along the scale, from 0 at the first tick to 1 at the last."""
        names, is_log = self.axis.names, self.axis.is_log
        ends = self.ticks[0], self.ticks[-1]
        at, low, high = (
            np.array([names.index(v) if names else math.log(v) if is_log else v for v in of], float)
            for of in (values, ends[:1], ends[1:])
        )
        found: Array = (at - low) / (high - low)
        return found


def _interpolated(x: _Side, y: _Side, values: Array) -> list[list[float]]:
    """Returns a surface through the values of the trials, by linear radial functions.

    Trials that share x and y but differ in other parameters are averaged.

    Returns:
        The heights at the ticks: a row for each tick of y.
    """
    from scipy.interpolate import RBFInterpolator  # local: takes 0.2 seconds

    at = np.stack([x.places(x.tried), y.places(y.tried)], -1)
    surface = RBFInterpolator(at, values, kernel="linear", degree=0, smoothing=_SMOOTHING)
    grid = np.stack(np.meshgrid(x.places(x.ticks), y.places(y.ticks)), -1)
    heights = surface(grid.reshape(-1, 2)).clip(values.min(), values.max())
    found: list[list[float]] = heights.reshape(grid.shape[:2]).tolist()
    return found


def choices_of(alike: Sequence[SearchRun]) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Returns results of searches over the iteration alone, by panel, search and iteration."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for run in alike:
        space = run.search.space
        panel = f"{space.protocol.name}, {space.output}, {space.protocol.n_images:,} images"
        for trial in run.ranked(run.trials):
            value = trial.result.of(space.output) if trial.result else None
            if value is not None and set(trial.values) == {"iteration"}:
                curve = panels.setdefault(panel, {}).setdefault(run.search.name, {})
                curve[int(trial.values["iteration"])] = [value]
    return panels
