"""Builds the claims of papers from the cells of a table.

The pairs of a claim follow from the cells that a study measures, so a claim also covers the rows
and columns that a user adds by settings.
"""

import itertools
from collections.abc import Collection, Iterable, Mapping, Sequence
from types import MappingProxyType

from tuning.cells import Cell
from tuning.claims import Claim, Pair, Place
from tuning.stages import OUTPUTS

Worse = Mapping[str, Iterable[str]]
"""Labels that a claim calls worse, by the label that it calls better."""


def place(cell: Cell, quantity: str) -> Place:
    """Returns the place of a number of a cell."""
    return Place(cell.row, cell.column, quantity)


def denoising(cells: Iterable[Cell], text: str, source: str, *, lower: bool | None = None) -> Claim:
    """Returns the claim that denoised images are better than raw images, in every cell with both.

    Args:
        cells: cells of the table.
        text: the claim as a sentence without a full stop.
        source: place of the claim in the paper.
        lower: whether the lower number is called better; None for the direction of the measure.
    """
    raw, denoised = OUTPUTS
    both = [c for c in cells if c.is_measured and {raw, denoised} <= {*c.quantities}]
    pairs = tuple(Pair(place(c, denoised), place(c, raw)) for c in both)
    return Claim(text, source, pairs, lower)


def between(
    cells: Iterable[Cell],
    text: str,
    source: str,
    *,
    rows: Worse = MappingProxyType({}),
    columns: Worse = MappingProxyType({}),
    quantities: Collection[str] | None = None,
    lower: bool | None = None,
    or_equal: bool = False,
    is_exact: bool = False,
) -> Claim:
    """Returns the claim that cells are better than others, by the same quantity.

    Args:
        cells: cells that the claim is about; labels of other cells are ignored.
        text: the claim as a sentence without a full stop.
        source: place of the claim in the paper.
        rows: rows that the claim calls worse, by the row that it calls better, column by column.
        columns: columns that the claim calls worse, by the column that it calls better, row by row.
        quantities: quantities that are compared; None for the last quantity of each cell, which is
            "denoised" where cells have raw and denoised images.
        lower: whether the lower number is better; None for the direction of the cells' measure.
        or_equal: whether the claim also holds for equal numbers.
        is_exact: whether the numbers are computed without random draws.
    """
    measured = {(c.row, c.column): c for c in cells if c.is_measured}
    pairs = []
    for (row, column), better in measured.items():
        others = [(other, column) for other in rows.get(row, ())]
        others += [(row, other) for other in columns.get(column, ())]
        for worse in (measured[at] for at in others if at in measured):
            names = better.quantities[-1:] if quantities is None else quantities
            shared = (n for n in names if n in better.quantities and n in worse.quantities)
            pairs += [Pair(place(better, name), place(worse, name)) for name in shared]
    return Claim(text, source, tuple(pairs), lower, or_equal, is_exact)


def falling(labels: Sequence[str]) -> Worse:
    """Returns that each label is better than the next, for `between`."""
    return {better: (worse,) for better, worse in itertools.pairwise(labels)}
