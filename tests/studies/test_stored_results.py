"""Tests that stores of version 0.1 open, are complete, and give the same tables."""

import pytest

from dashboards.results.cells import read_study
from dashboards.text.table import render
from studies.opening.open_study import last_run_studies
from tests.studies.stores_of_0_1 import NAMES, unpack
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

RENAMED = ("dlsm,Table 2,demo,CAS,", "dlsm,Table 2,demo,classification accuracy score,")
"""The one row label that version 0.1 printed differently, as the start of lines of a CSV file."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """Returns the folder of all stores."""
    return unpack(tmp_path_factory.mktemp("stores"))


@pytest.mark.parametrize("name", NAMES)
def test_a_store_of_version_0_1_is_complete_and_prints_the_same_table(stores, name):
    store = Store(str(stores / name))
    (study,) = last_run_studies(store).studies
    scheduler = Scheduler(study, store)
    assert study.name == name and scheduler.is_complete() and scheduler.wanted() == []
    printed = (stores / name / "table.csv").read_text().replace(*RENAMED)
    assert render(read_study(scheduler, store), "csv") == printed
