"""The description of a paper's claim: which numbers of a table are better than which others."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

from scorelib.errors import InputError, require_input
from scorelib.unicode_forms import letters


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
        or_equal: whether the claim also holds if the numbers of a pair are equal.
        is_exact: whether the numbers are computed without random draws, so that one value of each
            decides.
    """

    text: str
    source: str
    pairs: tuple[Pair, ...]
    lower: bool | None = None
    or_equal: bool = False
    is_exact: bool = False

    def require_known(self, directions: Mapping[Place, bool | None]) -> None:
        """Checks the pairs against the numbers of a study.

        Args:
            directions: for each number of the study, whether lower is better; None for neither.

        Raises:
            InputError: the claim has no pair, a place names no measured number, or neither the
                claim nor the cell says which direction is better.
        """
        has_pairs = len(self.pairs) > 0
        require_input(has_pairs, f"the claim {self.text!r} must have a pair, but has none")
        for place in (place for pair in self.pairs for place in pair):
            if place not in directions:
                raise InputError(
                    f"the claim {self.text!r} must name numbers that the study measures, but names "
                    f"{', '.join(place)}{_same_letters(place, directions)}"
                )
            if self.lower is None and directions[place] is None:
                raise InputError(
                    f"the claim {self.text!r} must say whether lower is better, because the "
                    f"measure of {', '.join(place)} does not, but lower is None"
                )


def _same_letters(place: Place, known: Iterable[Place]) -> str:
    """Returns a hint at a number whose names have the same letters; "" if there is none."""
    for other in known:
        if [*map(letters, other)] == [*map(letters, place)]:
            return f": {other!a} has the same letters in another Unicode form than {place!a}"
    return ""
