"""Estimated and exact posterior scores as arrows in the plane: Figure 1 of the DLSM paper."""

from collections.abc import Iterator, Mapping

from torch import Tensor

from dashboards.drawing.description import Arrows, Axis, Figure, Panel
from scorelib.metrics.score_error import moons_grid
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import ScoreErrors
from tuning.store.documents import as_name
from tuning.store.store import Store

_EVERY = 2
"""Step between the grid points with an arrow, in either direction."""


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each section of the table."""
    jobs: dict[str, dict[str, ScoreErrors]] = {}
    for cell in scheduler.study.cells:
        if isinstance(cell.job, ScoreErrors) and scheduler.is_done(cell.job):
            jobs.setdefault(cell.section, {}).setdefault(cell.column, cell.job)
    for section, of_methods in jobs.items():
        yield field_figure(moons_grid(), _fields(of_methods, store), section)


def _fields(jobs: Mapping[str, ScoreErrors], store: Store) -> dict[str, list[Tensor]]:
    """Returns the posterior scores of each class, by method; the exact scores come last."""
    fields: dict[str, list[Tensor]] = {}
    exact: list[Tensor] = []
    for method, job in jobs.items():
        scores = job.scores(ExecutionContext(store=store))
        labels = range(len(scores) // 2)
        fields[method] = [scores[f"estimated.{c}"] for c in labels]
        exact = [scores[f"exact.{c}"] for c in labels]
    return fields | {"exact": exact}


def field_figure(points: Tensor, fields: Mapping[str, list[Tensor]], section: str = "") -> Figure:
    """Describes a figure with a row per class and a column per method.

    All arrows have the same length; their colour is the length of the score.

    Args:
        points: square grid of n x n points, (n^2, 2); the first coordinate varies slower.
        fields: scores of each class at the points, (n^2, 2) each, by method.
        section: section of the table; "" if there is only one.
    """
    n_classes = len(next(iter(fields.values())))
    return Figure(
        f"posterior scores, {section}" if section else "posterior scores",
        [
            Panel([arrows(points, scores[label])], Axis(), Axis(f"class {label + 1}"), method)
            for label in range(n_classes)
            for method, scores in fields.items()
        ],
        file=f"score_fields_{as_name(section)}.png" if section else "score_fields.png",
        heading=(f"{section}: " if section else "") + "directions of the posterior scores",
        columns=len(fields), panel_size=(2.7, 2.2),
        scale=Axis("length, .8 and above", limits=(0, 0.8)),
    )  # fmt: skip


def arrows(points: Tensor, scores: Tensor) -> Arrows:
    """Returns arrows of equal length, coloured by the lengths of the scores.

    Arrows of their true lengths would overlap.

    Args:
        points: grid of points, see `field_figure`.
        scores: scores of one class at the points, (n^2, 2).
    """
    n = round(len(points) ** 0.5)
    kept = [t.reshape(n, n, 2)[::_EVERY, ::_EVERY].flatten(0, 1) for t in (points, scores)]
    (x, y), lengths = kept[0].T, kept[1].norm(dim=1)
    u, v = kept[1].T / lengths
    return Arrows(*(numbers.tolist() for numbers in (x, y, u, v, lengths)))
