"""Quantities against the iterations of training: a mean over training seeds, and how sure it is."""

import statistics
from collections.abc import Iterator, Mapping, Sequence

from dashboards.drawing.description import Axis, Figure, Line, Panel, colours
from dashboards.results.verdicts import half_interval
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

Points = Mapping[int, Sequence[float]]
"""By iteration, a value for each training seed."""


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """A figure for each quantity."""
    for name, lines in panels_of(scheduler).items():
        yield Figure(f"{name}, by iteration", [curve_panel(name, lines)], file="curves.png")


def curve_panel(name: str, lines: Mapping[str, Points]) -> Panel:
    """A line for each way of training.

    Bands are 95 % confidence intervals of the mean over seeds (Student's t); of one seed there is
    none.

    Args:
        name: what is measured.
        lines: by label, the values.
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
