"""Shares of the classes as bars with confidence intervals, compared with the equal share."""

from collections.abc import Iterator, Sequence

from dashboards.drawing.description import BLUE, BROWN, GREY, Axis, Bars, Figure, Line, Panel
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import DataShares, GeneratedShares
from tuning.stages.shares import ends_of, share_of
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each set of images: a column of the table, with its first seed."""
    cells = scheduler.study.cells
    jobs = {
        f"{c.column}, first seed" if c.repeats else c.column: c.job
        for c in cells
        if isinstance(c.job, GeneratedShares | DataShares)
    }
    for column, job in jobs.items():
        result = scheduler.lookup(job)
        if result and not result.failed:
            data = job.data if isinstance(job, DataShares) else job.sample.model.target
            of_classes = [
                tuple(result.numbers[name] for name in (share_of(label), *ends_of(label)))
                for label in range(data.n_classes)
            ]
            yield Figure(
                f"Shares of the classes: {column}", [shares_panel(column, of_classes)],
                file="class_shares.png", heading=scheduler.study.title, panel_size=(4.4, 3.8),
            )  # fmt: skip


def shares_panel(name: str, of_classes: Sequence[tuple[float, ...]]) -> Panel:
    """Describes a panel with one bar per class; blue bars have the equal share in their interval.

    Args:
        name: name of the set of images.
        of_classes: share of each class and lower and upper end of its interval, in [0, 1].
    """
    equal, names = 1 / len(of_classes), tuple(map(str, range(len(of_classes))))
    reaches = [low <= equal <= high for _, low, high in of_classes]
    bars = Bars(
        names, [share for share, *_ in of_classes], [BLUE if yes else BROWN for yes in reaches],
        errors=([s - low for s, low, _ in of_classes], [high - s for s, _, high in of_classes]),
    )  # fmt: skip
    level = Line(names, [equal] * len(names), GREY, "equal shares", dash="dash", marker="")
    x, y = Axis("class", names=names, format=""), Axis("share of the images", format=".2%")
    title = f"{name}: {sum(reaches)} of {len(of_classes)} reach {equal:.0%}"
    return Panel([bars, level], x, y, title)
