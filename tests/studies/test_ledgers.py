"""Tests that stores of version 0.1 keep their proposals, and that searches still propose the same.

Searches of a step size are the exception: from the second trial on they propose other values than
version 0.1, so their ledgers count as they are.
"""

import shutil

import pytest

from studies.opening.open_study import last_run_studies
from tests.studies.stores_of_0_1 import NAMES, unpack
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.spaces import StepSizeSpace
from tuning.store.store import Store


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Returns the folder of all stores."""
    return unpack(tmp_path_factory.mktemp("stores"))


def ledger(store):
    return {
        str(path.relative_to(store.folder)): path.read_bytes()
        for path in store.folder.glob("ledger/*/*.json")
    }


def opened(stores, name, tmp_path):
    """Returns a copy of a store, its study, and the ledger that version 0.1 wrote."""
    store = Store(str(shutil.copytree(stores / name, tmp_path / name)))
    (study,) = last_run_studies(store).studies
    return store, study, ledger(store)


def written_anew(store, study):
    """Returns the scheduler of a study after its store has lost the ledger."""
    shutil.rmtree(store.folder / "ledger", ignore_errors=True)
    scheduler = Scheduler(study, store)
    assert scheduler.is_complete() == (not study.searches) and ledger(store) == {}
    return scheduler


def searches_a_step_size(study):
    return any(isinstance(search.space, StepSizeSpace) for search in study.searches)


@pytest.mark.parametrize("name", NAMES)
def test_the_ledger_of_version_0_1_counts_and_stays_as_it_is(stores, name, tmp_path):
    store, study, expected = opened(stores, name, tmp_path)
    scheduler = Scheduler(study, store)
    assert scheduler.next_job() is Wait.FINISHED and scheduler.is_complete()
    assert ledger(store) == expected


@pytest.mark.parametrize("name", NAMES)
def test_the_ledger_written_anew_is_that_of_version_0_1(stores, name, tmp_path):
    store, study, expected = opened(stores, name, tmp_path)
    scheduler = written_anew(store, study)
    if searches_a_step_size(study):
        scheduler.next_job()
        firsts = {path: r for path, r in ledger(store).items() if path.endswith("round-0000.json")}
        assert firsts and firsts.items() <= expected.items()
    else:
        assert scheduler.next_job() is Wait.FINISHED and scheduler.is_complete()
        assert ledger(store) == expected
