"""The description of a paper's claim: which numbers of a table are better than which others."""

from dataclasses import dataclass
from typing import NamedTuple


class Place(NamedTuple):
    """The place of a number in a table.

    Attributes:
        row: label of the row.
        column: label of the column.
        quantity: name of the quantity, such as "denoised".
    """

    row: str
    column: str
    quantity: str


class Pair(NamedTuple):
    """Two numbers of one table; the claim says that the first is better.

    Attributes:
        better: place of the number that the claim calls better.
        worse: place of the other number.
    """

    better: Place
    worse: Place


@dataclass(frozen=True)
class Claim:
    """A claim of a paper about the numbers of a table.

    Attributes:
        text: the claim as a sentence without a full stop, such as "denoising lowers the FID".
        source: place of the claim in the paper, such as "Table 1".
        pairs: pairs of numbers that the claim is about; at least one.
        lower: whether the claim calls the lower number of a pair better; None for the direction of
            the cells' own measure.
        is_exact: whether the numbers are computed without random draws, so that one value of each
            decides.
    """

    text: str
    source: str
    pairs: tuple[Pair, ...]
    lower: bool | None = None
    is_exact: bool = False
