"""Quantities against the training iteration: means over training seeds with confidence bands."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from dashboards.drawing.description import Axis, Figure, Line, Panel, colours
from dashboards.results.verdicts import half_interval
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

Points = Mapping[int, Sequence[float]]
"""Value for each training seed, by iteration."""


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each quantity."""
    for name, lines in panels_of(scheduler).items():
        yield Figure(f"{name}, by iteration", [curve_panel(name, lines)], file="curves.png")


def curve_panel(name: str, lines: Mapping[str, Points]) -> Panel:
    """Describes a panel with one line for each training method.

    Bands are 95 % confidence intervals of the mean over seeds (Student's t); with a single seed
    there is no band.

    Args:
        name: name of the quantity.
        lines: values of each seed, by label and iteration.
    """
    own, marks = colours(lines), []
    for label, points in lines.items():
        of_steps = [points[step] for step in sorted(points)]
        means = [statistics.fmean(values) for values in of_steps]
        halves = [half_interval(values) for values in of_steps]
        band = halves if any(halves) else ()
        marks.append(Line(sorted(points), means, own[label], label, marker="filled", halves=band))
    return Panel(
        marks, Axis("iteration", limits=(0, None), format=","), Axis(name, limits=(0, None))
    )


def panels_of(scheduler: Scheduler) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Returns the values of all seeds by panel, curve and iteration, where all are finished."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for curve in scheduler.study.curves:
        for iteration, jobs in curve.points.items():
            results = [scheduler.lookup(job) for job in jobs]
            values = [v for r in results if r and (v := r.of(curve.quantity)) is not None]
            if len(values) == len(jobs):
                lines = panels.setdefault(curve.panel, {}).setdefault(curve.label, {})
                lines[iteration] = values
    return panels
