"""Shares of the classes as bars with confidence intervals, beside the equal share."""

from collections.abc import Iterator, Sequence

from dashboards.figures.drawing.description import BLUE, ORANGE, Axis, Bars, Figure, Level, Panel
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import DataShares, GeneratedShares
from tuning.stages.shares import ends_of, share_of
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """A figure for each set of images, a column of the table."""
    for column, job in {c.column: c.job for c in scheduler.study.cells}.items():
        result = scheduler.lookup(job) if isinstance(job, GeneratedShares | DataShares) else None
        if isinstance(job, GeneratedShares | DataShares) and result and not result.failed:
            data = job.data if isinstance(job, DataShares) else job.sample.model.train.data
            of_classes = [
                tuple(result.numbers[name] for name in (share_of(label), *ends_of(label)))
                for label in range(data.n_classes)
            ]
            yield Figure(
                title=f"Shares of the classes: {column}",
                panels=(shares_panel(column, of_classes),),
                file="class_shares.png",
                heading=scheduler.study.title,
                panel_size=(4.4, 3.8),
            )


def shares_panel(name: str, of_classes: Sequence[tuple[float, ...]]) -> Panel:
    """A bar for each class; blue are the classes that reach the equal share.

    Args:
        name: of the set of images.
        of_classes: the share of each class and the lower and upper end of its interval, in [0, 1].
    """
    equal, names = 1 / len(of_classes), tuple(map(str, range(len(of_classes))))
    reaches = [low <= equal <= high for _, low, high in of_classes]
    bars = Bars(
        x=names,
        y=[share for share, *_ in of_classes],
        colours=[BLUE if reached else ORANGE for reached in reaches],
        errors=([s - low for s, low, _ in of_classes], [high - s for s, _, high in of_classes]),
    )
    return Panel(
        title=f"{name}: {sum(reaches)} of {len(of_classes)} reach {equal:.0%}",
        x=Axis(label="class", names=names, format=""),
        y=Axis(label="share of the images", ticks=".0%", format=".2%"),
        marks=(bars, Level(y=equal, text="equal shares")),
    )
