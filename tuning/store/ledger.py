"""The ledger: every proposal of every search, written before it runs.

One document per round, written whole: after a crash a round is either there, and its proposals are
run as they stand, or not there, and is proposed anew from the same results. So no proposal is lost,
doubled or changed. What came of a proposal is not written here: its result is in the store, under
the content key of the score it asks for.
"""

from collections.abc import Mapping, Sequence

from tuning.store.store import Store

Value = bool | int | float | str
Values = Mapping[str, Value]
"""A proposal: by name of a parameter, a number or a word that names a choice."""


class Ledger:
    """Proposals of searches, by round.

    Args:
        store: where they are kept.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def rounds(self, search_key: str) -> list[list[Values]]:
        """The proposals of all rounds so far, in order.

        Args:
            search_key: key of the proposals.
        """
        folder = _folder(search_key)
        rounds: list[list[Values]] = []
        while (found := self._store.document(folder, _name(len(rounds)))) is not None:
            rounds.append(found["proposals"])
        return rounds

    def write(self, search_key: str, number: int, proposals: Sequence[Values]) -> None:
        """Writes the proposals of one round.

        Args:
            search_key: key of the proposals.
            number: the round's number, from 0; all before it are written.
            proposals: values by parameter.
        """
        body = {"proposals": [dict(values) for values in proposals]}
        self._store.put_document(_folder(search_key), _name(number), body)


def _folder(search_key: str) -> str:
    return f"ledger/{search_key}"


def _name(number: int) -> str:
    return f"round-{number:04d}"
