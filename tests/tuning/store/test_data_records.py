"""Tests of a store's records of data sets: compared at launches and in workers."""

import dataclasses

import pytest

from scorelib.data import Digits
from scorelib.data.facts import facts_of
from scorelib.errors import InputError
from tuning.jobs import ExecutionContext
from tuning.store.data_records import record_data, recorded_data, require_same_data

DATA = Digits()


@pytest.fixture(scope="module")
def facts():
    return facts_of(DATA)


def test_a_record_is_kept_as_it_was(store, facts):
    assert recorded_data(store, DATA) is None
    assert record_data(store, {DATA: facts}) == {"digits": facts.digests["train"]}
    assert recorded_data(store, DATA) == facts
    record_data(store, {DATA: facts})


def test_other_content_is_refused_with_both_digests(store, facts):
    record_data(store, {DATA: facts})
    other = dataclasses.replace(facts, digests=facts.digests | {"test": "f" * 64})
    with pytest.raises(InputError) as refusal:
        record_data(store, {DATA: other})
    assert facts.digests["test"][:12] in str(refusal.value) and "f" * 12 in str(refusal.value)
    assert recorded_data(store, DATA) == facts


@pytest.mark.parametrize("body", [[], 3, {"digests": {}}, {"unknown": 1}])
def test_a_damaged_record_is_refused_and_no_other_content_takes_its_place(store, facts, body):
    store.put_document("data", DATA.key, body)
    for use in (
        lambda: recorded_data(store, DATA),
        lambda: require_same_data(store, DATA, {"train": "a"}),
        lambda: record_data(store, {DATA: facts}),
    ):
        with pytest.raises(InputError, match=f"data/{DATA.key}.json .* damaged .* remove the file"):
            use()


def test_a_worker_refuses_examples_that_differ_from_the_record(store, facts):
    at = ExecutionContext(store)
    images, labels = at.images(DATA, "test")  # no record yet
    assert images.shape == (599, 1, 8, 8) and len(labels) == 599
    record_data(store, {DATA: facts})
    at.examples(DATA, "train")
    digests = {"train": "0" * 64, "test": facts.digests["test"]}
    store.put_document(
        "data", DATA.key, {"name": "digits", **dataclasses.asdict(facts), "digests": digests}
    )
    at.examples(DATA, "test")
    with pytest.raises(InputError, match="train images of digits must be those"):
        at.examples(DATA, "train")
