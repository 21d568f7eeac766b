"""Records of the data sets with which the results of a store were computed.

A data set is identified by its content. The first launch that reads a data set records the digests
of its examples under the key of its spec. Every later launch and every worker compares its digests
with the record. So results of one key never come from two contents, even if files are replaced.
"""

from collections.abc import Mapping
from dataclasses import asdict

from scorelib.data import DataSpec
from scorelib.data.facts import DataFacts
from scorelib.errors import InputError
from tuning.store.documents import Documents

_FOLDER = "data"


def record_data(store: Documents, facts: Mapping[DataSpec, DataFacts]) -> dict[str, str]:
    """Records facts of data sets of which the store has no record.

    Args:
        store: the store.
        facts: what a launch found, by data set.

    Returns:
        Digests of the training sets, by name of the data set.

    Raises:
        InputError: the store has a record with other digests.
    """
    for data, found in facts.items():
        if not store.create_document(_FOLDER, data.key, {"name": data.name, **asdict(found)}):
            require_same_data(store, data, found.digests)
    return {data.name: found.digests["train"] for data, found in facts.items()}


def recorded_data(store: Documents, data: DataSpec) -> DataFacts | None:
    """Returns the recorded facts of a data set, or None if there is no record.

    Raises:
        DamagedDocumentError: the record is damaged.
    """
    body = store.document(_FOLDER, data.key)
    if body is None:
        return None
    facts = {key: value for key, value in body.items() if key != "name"}
    return DataFacts(**facts | {"remarks": tuple(facts["remarks"])})


def require_same_data(store: Documents, data: DataSpec, digests: Mapping[str, str]) -> None:
    """Raises InputError if examples are not those that the store's results were made with.

    Args:
        store: the store.
        data: the data set.
        digests: digests of the examples read now, by split.
    """
    record = recorded_data(store, data)
    for split, digest in digests.items():
        known = record.digests[split] if record else digest
        if known != digest:
            raise InputError(
                f"the {split} images of {data.name} must be those that the store's results were "
                f"made with (digest {known[:12]}...), but have the digest {digest[:12]}...: "
                f"put the former files back, or use another store",
                "data.root",
            )
