"""Tests of sweeps on real Ray: killed and continued, and on workers that an autoscaler starts."""

import os
import signal

import pytest

from studies.opening.open_study import configured, record_last_run
from studies.registry import find_study
from tests.clusters import autoscaling_head
from tests.launches import csv, kill_driver, launch, manifests, wait_for, workers_of
from tests.studies.miniatures import MINIATURES
from tests.tuning.draining import drain
from tuning.store.store import Store

NAME = "sweep"
CHANGES = [f"{path}={value}" for path, value in MINIATURES[NAME].items()]
SETTINGS = [word for change in CHANGES for word in ("--set", change)]


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """Returns the store of a sweep whose jobs ran one after another, in this process."""
    made = find_study(NAME).study("demo", configured(NAME, "demo", CHANGES))
    store = Store(str(tmp_path_factory.mktemp("undisturbed") / "store"), create=True)
    drain(made, store)
    record_last_run(store, made)
    return store.url


def start(store, cwd, *options, **more):
    return launch(store, cwd, *options, name=NAME, settings=SETTINGS, **more)


def require_as_undisturbed(process, store, undisturbed):
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "all 7 trials, best first" in output
    assert csv(store, NAME) == csv(undisturbed, NAME)
    assert manifests(store) == manifests(undisturbed)


def test_a_killed_sweep_goes_on_to_the_same_table(undisturbed, tmp_path):
    store = tmp_path / "store"
    process = start(store, tmp_path)
    wait_for(store, "objects/score/*/manifest.json", 2, process)
    kill_driver(process)
    process = start(store, tmp_path)
    wait_for(store, "objects/score/*/manifest.json", 6, process)
    for worker in workers_of(process):
        os.kill(worker, signal.SIGKILL)
    require_as_undisturbed(process, store, undisturbed)


def test_a_sweep_on_two_autoscaled_workers_has_the_same_table(undisturbed, tmp_path):
    store = tmp_path / "store"
    with autoscaling_head(v2=False, worker={"CPU": 1}, max_workers=2) as cluster:
        process = start(
            store, tmp_path, "--address", cluster.address, environment=cluster.environment
        )
        require_as_undisturbed(process, store, undisturbed)
        assert len(cluster.nodes()) == 1 + 2
