"""Tests that every search proposes from stored results what version 0.1 proposed."""

import shutil

import pytest

from studies.opening.open_study import last_run_studies
from tests.studies.stores_of_0_1 import NAMES, unpack
from tuning.scheduling.scheduler import Scheduler, Wait
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


@pytest.mark.parametrize("name", NAMES)
def test_the_ledger_written_anew_is_that_of_version_0_1(stores, name, tmp_path):
    store = Store(str(shutil.copytree(stores / name, tmp_path / name)))
    expected = ledger(store)
    shutil.rmtree(store.folder / "ledger", ignore_errors=True)
    (study,) = last_run_studies(store).studies
    scheduler = Scheduler(study, store)
    assert scheduler.is_complete() == (not study.searches) and ledger(store) == {}
    assert scheduler.next_job() is Wait.FINISHED and scheduler.is_complete()
    assert ledger(store) == expected
