"""Tests of the real driver on real Ray, killed with its workers: the table does not change."""

import contextlib
import io
import os
import signal
import sys

import pytest

from studies.opening.open_study import record_last_run
from studies.run import main
from tests.displays import empty_database
from tests.launches import (
    NAME,
    csv,
    kill_driver,
    launch,
    manifests,
    mlflow_runs,
    wait_for,
    workers_of,
)
from tests.miniature import OPTIONS, miniature_study
from tests.tuning.draining import drain
from tuning import execution
from tuning.store.store import Store

SETTINGS = [*OPTIONS, "--set", "n_sigma=[1]"]
"""Settings of half of the miniature's searches; `make chaos` kills the whole miniature."""


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """Returns the store and the last output of a study whose workers and driver were killed.

    What was lost is made again in this process. `make chaos` kills twenty times, also during the
    training, stops a study in other ways, and each time starts the command again.
    """
    folder = tmp_path_factory.mktemp("disturbed")
    store = folder / "store"
    empty_database(Store(str(store), create=True).folder / "mlflow.db")
    process = launch(store, folder, "--cpus", "1", settings=SETTINGS)
    wait_for(store, "objects/sample/*/manifest.json", 1, process)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    wait_for(store, "objects/score/*/manifest.json", 4, process)
    kill_driver(process)
    drain(miniature_study(n_sigma="[1]"), Store(str(store)))
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        assert main([NAME, *SETTINGS, "--store", str(store)]) == 0
    return store, printed.getvalue()


def test_the_table_is_that_of_a_run_without_faults(disturbed, tmp_path):
    reference = Store(str(tmp_path / "reference"), create=True)
    study = miniature_study(n_sigma="[1]")
    drain(study, reference)
    record_last_run(reference, study)
    store, _ = disturbed
    assert manifests(store) == manifests(tmp_path / "reference")
    assert csv(store) == csv(tmp_path / "reference")


def test_the_last_run_prints_its_table_and_what_to_do_next(disturbed):
    _, output = disturbed
    assert "fd[digits-cnn]" in output and "consistent (n_sigma = 1)" in output
    assert "fd(train, held-out)" in output and "dashboards.serve" in output
    assert "\x1b" not in output, "escape codes where the output is not a terminal"
    assert "Traceback" not in output and "warning" not in output


def test_a_further_run_does_nothing_and_starts_no_ray(disturbed, monkeypatch, capsys):
    store, _ = disturbed
    before, runs, table = manifests(store), mlflow_runs(store), csv(store)
    # An import of this module, the only one that starts Ray, would now fail.
    monkeypatch.setitem(sys.modules, "tuning.execution.session", None)
    monkeypatch.delattr(execution, "session", raising=False)
    assert main([NAME, *SETTINGS, "--store", str(store)]) == 0
    assert capsys.readouterr().err == ""
    assert manifests(store) == before and mlflow_runs(store) == runs
    assert csv(store) == table


def test_every_mlflow_run_is_finished_and_single(disturbed):
    store, _ = disturbed
    runs = mlflow_runs(store)
    keys = [key for key, _ in runs]
    assert len(set(keys)) == len(keys)
    assert {status for _, status in runs} == {"FINISHED"}
    # 2 snapshots, a search of 2 trials and 2 of 3, 2 cells, 1 table.
    assert len(keys) == 2 + 3 + 2 + 6 + 2 + 1
