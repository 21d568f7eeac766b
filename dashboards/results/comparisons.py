"""Which cells of a study can be set against each other, and which of them is best.

Cells are comparable that measure the same: by equal protocols or, where there are none, by the same
kind of job in the same row; and only where it is known which direction is better. Real data is no
competitor.
"""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass

from dashboards.results.cells import CellView, Measured
from tuning.stages import OUTPUTS, RealScore
from tuning.study import Cell


@dataclass(frozen=True)
class Comparison:
    """Cells that measure the same, by different ways.

    Attributes:
        measure: what they measure.
        quantity: by which of the cells' quantities.
        ranked: what tells each way from the others and its cell, the best first.
    """

    measure: str
    quantity: str
    ranked: tuple[tuple[str, CellView], ...]

    def value(self, place: int) -> Measured:
        """The number of a place, from 0."""
        return self.ranked[place][1].measured[self.quantity]

    @property
    def is_level(self) -> bool:
        """Whether the first two are shown as the same number."""
        return self.value(0).is_level(self.value(1))


def comparisons(done: Iterable[CellView], *, main_only: bool = False) -> list[Comparison]:
    """What can be compared, row by row where the cells of a row share a measure.

    Args:
        done: the cells that are in.
        main_only: if most of them share one measure, only that, all rows together.
    """
    competing = [
        cell
        for cell in done
        if cell.cell.lower_is_better is not None and not isinstance(cell.cell.job, RealScore)
    ]
    groups = _grouped(competing, lambda own: own.protocol or (type(own.job), own.row))
    largest = max(groups, key=len, default=[])
    if main_only and 2 * len(largest) > len(competing):
        found = [_comparison(largest)]
    else:
        found = [_comparison(part) for group in groups for part in _by_row(group)]
    return [comparison for comparison in found if len(comparison.ranked) > 1]


def _by_row(group: list[CellView]) -> list[list[CellView]]:
    rows = _grouped(group, lambda own: own.row)
    return rows if len(rows) < len(group) else [group]


def _grouped(cells: Iterable[CellView], key: Callable[[Cell], Hashable]) -> list[list[CellView]]:
    groups: dict[Hashable, list[CellView]] = {}
    for cell in cells:
        groups.setdefault(key(cell.cell), []).append(cell)
    return list(groups.values())


def _comparison(group: Sequence[CellView]) -> Comparison:
    first = group[0].cell
    one_row, one_column = (
        len({getattr(cell.cell, of) for cell in group}) == 1 for of in ("row", "column")
    )
    way = "row" if one_column else "column" if one_row else "name"
    measure = first.protocol.name if first.protocol and not one_row else first.row
    is_denoised = all("denoised" in cell.measured for cell in group)
    quantity = "denoised" if is_denoised else first.quantities[0]
    measure += f" ({quantity})" if quantity not in OUTPUTS else ""
    known = [(getattr(c.cell, way), c) for c in group if quantity in c.measured]
    known.sort(key=lambda item: item[1].cost(quantity))
    return Comparison(measure, quantity, tuple(known))
