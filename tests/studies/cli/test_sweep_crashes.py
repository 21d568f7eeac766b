"""A test of a sweep on real Ray: killed and continued, it has the table of an undisturbed one.

``make tutorial`` does the same at full size, and on two workers that an autoscaler starts.
"""

from studies.opening.open_study import configured, record_last_run
from studies.registry import find_study
from tests.launches import csv, kill_driver, launch, manifests, wait_for
from tests.studies.miniatures import MINIATURES
from tests.tuning.draining import drain
from tuning.store.store import Store

CHANGES = [f"{path}={value}" for path, value in MINIATURES["sweep"].items()]
SETTINGS = [word for change in CHANGES for word in ("--set", change)]


def start(store, cwd):
    return launch(store, cwd, "--cpus", "1", name="sweep", settings=SETTINGS)


def test_a_killed_sweep_goes_on_to_the_table_of_an_undisturbed_one(tmp_path):
    made = find_study("sweep").study("demo", configured("sweep", "demo", CHANGES))
    undisturbed = Store(str(tmp_path / "undisturbed"), create=True)
    drain(made, undisturbed)  # one job after another, in this process
    record_last_run(undisturbed, made)
    store = tmp_path / "store"
    process = start(store, tmp_path)
    wait_for(store, "objects/score/*/manifest.json", 2, process)
    kill_driver(process)
    process = start(store, tmp_path)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert "all 7 trials, best first" in output
    assert csv(store, "sweep") == csv(undisturbed.url, "sweep")
    assert manifests(store) == manifests(undisturbed.url)
