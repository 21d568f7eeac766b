"""Builds the claims of papers from the cells of a table.

The pairs of a claim follow from the cells that a study measures, so a claim also covers the rows
and columns that a user adds by settings.
"""

from collections.abc import Callable, Iterable

from tuning.claims import Claim, Pair, Place
from tuning.stages import OUTPUTS
from tuning.study import Cell


def place(cell: Cell, quantity: str) -> Place:
    """Returns the place of a number of a cell."""
    return Place(cell.row, cell.column, quantity)


def denoising(cells: Iterable[Cell], text: str, source: str) -> Claim:
    """Returns the claim that denoised images are better than raw images, in every cell with both.

    Args:
        cells: cells of the table.
        text: the claim as a sentence without a full stop.
        source: place of the claim in the paper.
    """
    raw, denoised = OUTPUTS
    both = [c for c in cells if c.is_measured and {raw, denoised} <= {*c.quantities}]
    return Claim(text, source, tuple(Pair(place(c, denoised), place(c, raw)) for c in both))


def between(
    cells: Iterable[Cell],
    rival: Callable[[str, str], tuple[str, str] | None],
    text: str,
    source: str,
    *,
    quantities: tuple[str, ...] | None = None,
    lower: bool | None = None,
    is_exact: bool = False,
) -> Claim:
    """Returns the claim that cells are better than their rivals, by the same quantity.

    Args:
        cells: cells of the table.
        rival: function from the row and column of a cell to those of the cell that the claim calls
            worse; None for no such cell. A rival that the table does not measure counts as none.
        text: the claim as a sentence without a full stop.
        source: place of the claim in the paper.
        quantities: quantities that are compared; None for the last quantity of each cell, which is
            "denoised" where cells have raw and denoised images.
        lower: whether the lower number is better; None for the direction of the cells' measure.
        is_exact: whether the numbers are computed without random draws.
    """
    measured = {(c.row, c.column): c for c in cells if c.is_measured}
    pairs = []
    for (row, column), cell in measured.items():
        at = rival(row, column)
        if at is not None and (other := measured.get(at)):
            names = cell.quantities[-1:] if quantities is None else quantities
            shared = [
                name for name in names if name in cell.quantities and name in other.quantities
            ]
            pairs += [Pair(place(cell, name), place(other, name)) for name in shared]
    return Claim(text, source, tuple(pairs), lower, is_exact)
