"""Ranks a study's cells by each number by which they can be compared.

Cells can be compared if they share a protocol or, without protocols, a kind of job and a row, and
if lower or higher numbers are better. Scores of real data are left out.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from dashboards.results.cells import CellView, Measured
from tuning.cells import Cell
from tuning.stages import RealScore


@dataclass(frozen=True)
class Comparison:
    """Numbers of at least two cells that can be compared.

    Attributes:
        measure: name of the measure.
        quantity: name of the cells' quantity that the numbers are.
        best: cell with the best number.
        numbers: numbers by row label, column label or cell name, best first.
    """

    measure: str
    quantity: str
    best: CellView
    numbers: Mapping[str, Measured]


def comparisons(done: Iterable[CellView], *, main_only: bool = False) -> list[Comparison]:
    """Returns the comparisons by each number, split by row if rows have several such cells.

    Args:
        done: measured cells.
        main_only: whether only the measure shared by more than half of the cells counts, if any.
    """
    competing = [c for c in done if c.cell.lower_is_better is not None]
    competing = [c for c in competing if not isinstance(c.cell.job, RealScore)]
    groups = _grouped(competing, lambda own: own.protocol or (type(own.job), own.row))
    largest = max(groups, key=len, default=[])
    if main_only and 2 * len(largest) > len(competing):
        return _ranked(largest)
    by_row = [(group, _grouped(group, lambda own: own.row)) for group in groups]
    groups = [g for group, rows in by_row for g in (rows if len(rows) < len(group) else [group])]
    return [comparison for group in groups for comparison in _ranked(group)]


def _grouped(cells: Iterable[CellView], key: Callable[[Cell], Hashable]) -> list[list[CellView]]:
    groups: dict[Hashable, list[CellView]] = {}
    for cell in cells:
        groups.setdefault(key(cell.cell), []).append(cell)
    return [*groups.values()]


def _ranked(group: Sequence[CellView]) -> list[Comparison]:
    """Ranks the cells by each number that at least two of them have."""
    own, rows, columns = group[0].cell, {c.cell.row for c in group}, {c.cell.column for c in group}
    label = "row" if len(columns) == 1 else "column" if len(rows) == 1 else "name"
    measure = own.protocol.name if own.protocol and len(rows) > 1 else own.row
    # Images are ranked once: denoised, or raw if some are not measured after denoising.
    left_out = "raw" if all("denoised" in c.measured for c in group) else "denoised"
    quantities = dict.fromkeys(q for c in group for q in c.measured if q != left_out)
    found = []
    for quantity in quantities:
        known = [c for c in group if quantity in c.measured]
        ranked = sorted(known, key=lambda c: c.cost(quantity))
        about = measure if len(quantities) == 1 else f"{measure}, {quantity}"
        numbers = {getattr(c.cell, label): c.measured[quantity] for c in ranked}
        if len(known) > 1:
            found.append(Comparison(about, quantity, ranked[0], numbers))
    return found
