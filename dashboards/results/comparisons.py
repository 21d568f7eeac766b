"""Which cells of a study can be set against each other, and which of them is best.

Cells are only where they measure the same: by equal protocols or, where there are none, by the same
kind of job in the same row; and only where it is known which direction is better. Real data is no
competitor.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dashboards.results.cells import CellView, Measured
from tuning.stages import ClassificationAccuracy, RealScore, ScoreErrors

_KINDS = ("raw", "denoised")


@dataclass(frozen=True)
class Comparison:
    """Cells that measure the same, by different ways.

    Attributes:
        measure: what they measure.
        ranked: what tells each way from the others and its cell, the best first.
        quantity: by which of the cells' quantities.
    """

    measure: str
    ranked: tuple[tuple[str, CellView], ...]
    quantity: str

    def value(self, place: int) -> Measured:
        """The number of a place, from 0."""
        return self.ranked[place][1].measured[self.quantity]

    @property
    def is_level(self) -> bool:
        """Whether the first two are shown as the same number."""
        return f"{self.value(0).mean:.4g}" == f"{self.value(1).mean:.4g}"


def comparisons(done: Sequence[CellView]) -> list[Comparison]:
    """The cells that can be set against each other, by what they measure.

    If most share one measure, that one alone: what a table is about.
    """
    groups = _groups(done)
    largest = max(groups, key=len, default=[])
    if 2 * len(largest) > sum(map(len, groups)):
        return _settled([largest])
    return every_comparison(done)


def every_comparison(done: Sequence[CellView]) -> list[Comparison]:
    """The same of every measure, row by row where the cells of a row share one."""
    split: list[list[CellView]] = []
    for group in _groups(done):
        rows = dict.fromkeys(cell.cell.row for cell in group)
        by_row = [[cell for cell in group if cell.cell.row == row] for row in rows]
        split += by_row if any(len(of) > 1 for of in by_row) else [group]
    return _settled(split)


def _groups(done: Sequence[CellView]) -> list[list[CellView]]:
    groups: dict[Hashable, list[CellView]] = {}
    for cell in done:
        if lower_is_better(cell) is not None and not isinstance(cell.cell.job, RealScore):
            own = cell.cell
            same: Hashable = own.protocol or (type(own.job), own.row)
            groups.setdefault(same, []).append(cell)
    return list(groups.values())


def _settled(groups: Sequence[Sequence[CellView]]) -> list[Comparison]:
    """The groups in which at least two cells have a number in common."""
    return [found for group in groups if len((found := _comparison(group)).ranked) > 1]


def _comparison(group: Sequence[CellView]) -> Comparison:
    first = group[0].cell
    rows, columns = ({getattr(c.cell, of) for c in group} for of in ("row", "column"))
    names = [c.cell.row if len(columns) == 1 else c.cell.column for c in group]
    if len(rows) > 1 and len(columns) > 1:
        names = [c.cell.name for c in group]
    protocol = first.protocol
    measure = first.row if len(rows) == 1 else protocol.name if protocol else first.column
    common = set.intersection(*(set(c.measured) for c in group))
    quantity = "denoised" if "denoised" in common else first.quantities[0]
    measure += f" ({quantity})" if quantity not in _KINDS else ""
    known = [(n, c) for n, c in zip(names, group, strict=True) if quantity in c.measured]
    sign = 1 if lower_is_better(group[0]) else -1
    ranked = sorted(known, key=lambda item: sign * item[1].measured[quantity].mean)
    return Comparison(measure, tuple(ranked), quantity)


def lower_is_better(cell: CellView) -> bool | None:
    """Which direction is better; None where neither is."""
    own = cell.cell
    if own.protocol is not None:
        return own.protocol.lower_is_better
    kinds = {ScoreErrors: True, ClassificationAccuracy: False}
    return next((lower for kind, lower in kinds.items() if isinstance(own.job, kind)), None)
