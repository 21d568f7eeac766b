"""Tests of the real driver on real Ray, killed at several points: the table does not change."""

import contextlib
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from studies.opening.open_study import record_last_run
from tests.launches import (
    NAME,
    csv,
    kill_driver,
    launch,
    left_of,
    manifests,
    mlflow_runs,
    wait_for,
    workers_of,
)
from tests.miniature import OPTIONS, miniature_study
from tests.tuning.draining import drain
from tuning.store.store import Store

SETTINGS = [*OPTIONS, "--set", "n_sigma=[1]"]
"""Settings of half of the miniature's searches; `make chaos` kills the whole miniature."""


@dataclass(frozen=True)
class Disturbed:
    """A study that was stopped, killed and then finished; what the two ends printed."""

    store: Path
    stopped: str
    finished: str


@pytest.fixture(scope="module")
def disturbed(tmp_path_factory):
    """Stops all processes, kills the next driver, then the workers of a third, which finishes.

    `make chaos` stops at four moments, and kills twenty times, also during the training.
    """
    folder = tmp_path_factory.mktemp("disturbed")
    store, temporary = folder / "store", Path(tempfile.mkdtemp(prefix="t-"))
    process = launch(store, folder, settings=SETTINGS, environment={"TMPDIR": str(temporary)})
    wait_for(store, "objects/sample/*/manifest.json", 1, process)
    for pid, _ in left_of(process):  # as Slurm and systemd stop a run
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
    stopped, _ = process.communicate(timeout=180)
    assert process.returncode == 130, stopped
    while left_of(process) or [*temporary.glob("ray-*"), *temporary.glob("tune-*")]:
        time.sleep(0.1)  # the guard is at work; what stays for good is found by the time-out
    shutil.rmtree(temporary)

    process = launch(store, folder, settings=SETTINGS)
    wait_for(store, "objects/score/*/manifest.json", 4, process)
    kill_driver(process)

    process = launch(store, folder, settings=SETTINGS)
    wait_for(store, "objects/score/*/manifest.json", 7, process)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    finished, _ = process.communicate(timeout=240)
    assert process.returncode == 0, finished
    assert not left_of(process), "something was left running"
    return Disturbed(store, stopped, finished)


def test_a_stop_of_all_processes_is_one_line(disturbed):
    assert disturbed.stopped.count("Stopped (") == 1
    assert "Traceback" not in disturbed.stopped and "rpc_client" not in disturbed.stopped


def test_the_table_is_that_of_a_run_without_faults(disturbed, tmp_path):
    reference = Store(str(tmp_path / "reference"), create=True)
    study = miniature_study(n_sigma="[1]")
    drain(study, reference)
    record_last_run(reference, study)
    assert manifests(disturbed.store) == manifests(tmp_path / "reference")
    assert csv(disturbed.store) == csv(tmp_path / "reference")


def test_the_last_run_prints_its_table_and_what_to_do_next(disturbed):
    output = disturbed.finished
    assert "fd[digits-cnn]" in output and "consistent (n_sigma = 1)" in output
    assert "fd(train, held-out)" in output and "dashboards.serve" in output
    assert "\x1b" not in output, "escape codes where the output is not a terminal"
    assert "Traceback" not in output and "warning" not in output


def test_a_further_run_does_nothing_and_starts_no_ray(disturbed):
    store = disturbed.store
    before, runs, table = manifests(store), mlflow_runs(store), csv(store)
    code = (
        "import sys; from studies.run import main; code = main(sys.argv[1:]); "
        "assert 'ray' not in sys.modules, 'Ray was imported'; sys.exit(code)"
    )
    arguments = [NAME, *SETTINGS, "--store", str(store)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
    assert manifests(store) == before and mlflow_runs(store) == runs
    assert csv(store) == table


def test_every_mlflow_run_is_finished_and_single(disturbed):
    runs = mlflow_runs(disturbed.store)
    keys = [key for key, _ in runs]
    assert len(set(keys)) == len(keys)
    assert {status for _, status in runs} == {"FINISHED"}
    # 2 snapshots, a search of 2 trials and 2 of 3, 2 cells, 1 table.
    assert len(keys) == 2 + 3 + 2 + 6 + 2 + 1


def test_an_interrupt_while_ray_starts_is_clean_and_says_how_to_continue(tmp_path):
    store = tmp_path / "store"
    process = launch(store, tmp_path, settings=SETTINGS)
    wait_for(store, "locks/*", 1, process)
    os.kill(process.pid, signal.SIGINT)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 130 and "Stopped (by SIGINT)" in output, output
    assert "Finished jobs are kept; to continue: python" in output
    command = re.search(r"to continue: (.*)", output).group(1)
    assert f"--store {store}" in command and "--set iterations=60" in command
    assert "Traceback" not in output
    assert not left_of(process), "something was left running"
    assert not (store / "locks" / f"{NAME}-demo.json").exists()
