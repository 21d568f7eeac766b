"""The figure of class-wise gains, like Figure 4 of "Denoising likelihood score matching" (DLSM).

A class-wise number is a metric, such as precision, that is measured on the images of each class
alone. The gain of a class is the number of the paper's method ("ours") minus that of the baseline
("base").
"""

from collections.abc import Iterator, Mapping

from dashboards.drawing.description import GREEN, RED, Axis, Bars, Figure, Panel
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Score
from tuning.store.store import Store

OURS, BASE = "ours", "base"
"""Labels of the columns of the paper's method and of the baseline it is compared with."""

_FEW = 20
"""Largest number of classes in a narrow panel; with more classes the panel is wide."""


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each class-wise number for which both methods are measured."""
    for name, gains in class_gains_of(scheduler, store).items():
        yield gains_figure(name, gains)


def gains_figure(name: str, gains: Mapping[int, float]) -> Figure:
    """Describes a figure with one bar for each class, the largest gain first.

    Args:
        name: name of the class-wise number.
        gains: gain of each class, by label.
    """
    ranked = sorted(gains.items(), key=lambda item: -item[1])
    labels, values = tuple(str(label) for label, _ in ranked), [value for _, value in ranked]
    bars = Bars(labels, values, [GREEN if value >= 0 else RED for value in values])
    x, y = Axis("class", names=labels, format=""), Axis(name, format="+.3f")
    return Figure(
        f"Ours minus base, by class: {name}", [Panel([bars], x, y)], file="class_gains.png",
        heading="ours minus base, by class", panel_size=(3.3 if len(ranked) <= _FEW else 6.0, 3.2),
    )  # fmt: skip


def class_gains_of(scheduler: Scheduler, store: Store) -> dict[str, dict[int, float]]:
    """Returns the gains by class-wise number and class, measured on images of the first seed."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for cell in scheduler.study.cells:
        scores = [job for job in scheduler.cell_jobs(cell) if isinstance(job, Score)]
        if cell.column in (BASE, OURS) and scores and scheduler.is_done(scores[0]):
            by_class = scores[0].by_class(ExecutionContext(store=store), "denoised")
            if by_class:
                found.setdefault(cell.row, {})[cell.column] = by_class
    return {
        row: {label: of[OURS][label] - value for label, value in of[BASE].items()}
        for row, of in found.items()
        if of.keys() == {BASE, OURS}
    }
