"""Groups a study's cells that can be compared, and ranks them.

Cells can be compared if they share a protocol or, without protocols, a kind of job and a row, and
if lower or higher numbers are better. Scores of real data are left out.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass

from dashboards.results.cells import CellView, Measured
from tuning.stages import OUTPUTS, RealScore
from tuning.study import Cell


@dataclass(frozen=True)
class Comparison:
    """Cells that can be compared.

    Attributes:
        measure: name of the measure.
        quantity: name of the cells' quantity that ranks them.
        ranked: cells by row label, column label or cell name, best first.
    """

    measure: str
    quantity: str
    ranked: Mapping[str, CellView]

    @property
    def best_two(self) -> list[tuple[str, Measured]]:
        """Labels and numbers of the best two cells."""
        return [(name, c.measured[self.quantity]) for name, c in [*self.ranked.items()][:2]]

    @property
    def is_level(self) -> bool:
        """Whether the numbers of the best two cells are equal to four digits."""
        (_, best), (_, second) = self.best_two
        return best.is_level(second)


def comparisons(done: Iterable[CellView], *, main_only: bool = False) -> list[Comparison]:
    """Returns the comparisons of at least two cells, split by row if rows have several cells.

    Args:
        done: measured cells.
        main_only: whether only the measure shared by more than half of the cells counts, if any.
    """
    competing = [c for c in done if c.cell.lower_is_better is not None]
    competing = [c for c in competing if not isinstance(c.cell.job, RealScore)]
    groups = _grouped(competing, lambda own: own.protocol or (type(own.job), own.row))
    largest = max(groups, key=len, default=[])
    if main_only and 2 * len(largest) > len(competing):
        groups = [largest]
    else:
        by_row = ((group, _grouped(group, lambda own: own.row)) for group in groups)
        groups = [
            g for group, rows in by_row for g in (rows if len(rows) < len(group) else [group])
        ]
    return [found for group in groups if len((found := _comparison(group)).ranked) > 1]


def _grouped(cells: Iterable[CellView], key: Callable[[Cell], Hashable]) -> list[list[CellView]]:
    groups: dict[Hashable, list[CellView]] = {}
    for cell in cells:
        groups.setdefault(key(cell.cell), []).append(cell)
    return [*groups.values()]


def _comparison(group: list[CellView]) -> Comparison:
    first = group[0].cell
    rows, columns = {c.cell.row for c in group}, {c.cell.column for c in group}
    way = "row" if len(columns) == 1 else "column" if len(rows) == 1 else "name"
    measure = first.protocol.name if first.protocol and len(rows) > 1 else first.row
    is_denoised = all("denoised" in cell.measured for cell in group)
    quantity = "denoised" if is_denoised else first.quantities[0]
    measure += f" ({quantity})" if quantity not in OUTPUTS else ""
    known = sorted((c for c in group if quantity in c.measured), key=lambda c: c.cost(quantity))
    return Comparison(measure, quantity, {getattr(c.cell, way): c for c in known})
