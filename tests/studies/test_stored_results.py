"""Tests that stores of version 0.1 open, are complete, and give the same tables."""

import csv

import pytest

from dashboards.results.cells import read_study
from dashboards.text.certainty import certainty_notes
from dashboards.text.table import render
from studies.opening.open_study import last_run_studies
from tests.studies.stores_of_0_1 import NAMES, unpack
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

RENAMED = ("dlsm,Table 2,demo,CAS,", "dlsm,Table 2,demo,classification accuracy score,")
"""The one row label that version 0.1 printed differently, as the start of lines of a CSV file."""

SAMPLES = {
    "stacked_mnist_modes": "26,000 samples", "cifar10_dlsm": "50,000 samples",
    "cifar100_dlsm": "50,000 samples", "dlsm_front": "50,000 samples",
}  # fmt: skip
"""Numbers of samples of papers' numbers without a protocol, where the papers state them."""


NEW = ("within_noise_from", "within_noise_to")
"""Columns that version 0.1 did not print."""


def rows_of(table, samples):
    """Returns the rows of a table in CSV, without the number of samples of papers' numbers.

    Version 0.1 did not print this number.
    """
    rows = list(csv.DictReader(table.splitlines()))
    return [
        {name: value for name, value in row.items() if name not in NEW}
        | {"reported_protocol": row["reported_protocol"].replace(samples, "")}
        for row in rows
    ]


REST_ON_A_CLASSIFIER = (
    "stacked_mnist_modes", "inception_score", "mnist_initial_noise", "cifar10_dlsm",
    "cifar100_dlsm", "dlsm_lambda", "dlsm_scaling", "dlsm_front",
)  # fmt: skip


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
    view = read_study(scheduler, store)
    table = render(view, "csv")
    samples = SAMPLES.get(name, "unstated number of samples")
    assert rows_of(table, samples) == rows_of(printed, samples)
    header = [name for name in table.partition("\n")[0].split(",") if name not in NEW]
    assert header == printed.partition("\n")[0].split(",")
    assert all(line.endswith("class: not measured") for line in certainty_notes(view))
    assert bool(certainty_notes(view)) == (name in REST_ON_A_CLASSIFIER)
