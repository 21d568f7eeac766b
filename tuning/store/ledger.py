"""The ledger: a record of every proposal of every search, written before the proposal runs.

The ledger keeps one document per round, written as a whole. After a crash, a round is either in the
ledger, and its proposals run unchanged, or missing, and is proposed again from the same results. So
no proposal is lost, duplicated or changed. The ledger holds no results: the result of a proposal is
in the store, under the content key of the score that the proposal requires.
"""

from collections.abc import Callable, Mapping, Sequence

from tuning.store.store import Store

Value = bool | int | float | str
Values = Mapping[str, Value]
"""A proposal: values by parameter name. A value is a number or the name of a choice."""


class Ledger:
    """The proposals of searches, by round.

    Args:
        store: store that keeps the proposals.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def rounds(self, search_key: str, fits: Callable[[Values], bool]) -> list[list[Values]]:
        """Returns the proposals of all rounds so far, in order.

        A round with a proposal that does not fit is damaged and set aside; it is proposed again.

        Args:
            search_key: content key under which the proposals of the search are kept.
            fits: whether a proposal has the parameters of the search, each with a possible value.

        Returns:
            For each round the list of its proposals.
        """
        folder = _folder(search_key)
        rounds: list[list[Values]] = []
        while (found := self._store.document(folder, _name(len(rounds)))) is not None:
            if not all(map(fits, found["proposals"])):
                why = "its proposals are not those of the search"
                self._store.set_document_aside(folder, _name(len(rounds)), why)
                break
            rounds.append(found["proposals"])
        return rounds

    def write(self, search_key: str, number: int, proposals: Sequence[Values]) -> None:
        """Writes the proposals of one round.

        Args:
            search_key: content key under which the proposals of the search are kept.
            number: number of the round, counted from 0; all earlier rounds must be written.
            proposals: proposals of the round, each a mapping of values by parameter name.
        """
        body = {"proposals": [dict(values) for values in proposals]}
        self._store.put_document(_folder(search_key), _name(number), body)


def _folder(search_key: str) -> str:
    return f"ledger/{search_key}"


def _name(number: int) -> str:
    return f"round-{number:04d}"
