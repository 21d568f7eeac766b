"""Scenarios of clusters whose nodes join, fail and are removed.

The clusters are real Ray clusters on this machine (see `tests.clusters`).
"""

import json
import os
import signal
from pathlib import Path

import torch

from tests.chaos.cluster_driver import DriverProcess, small_study
from tests.clusters import autoscaling_head, descendants, is_head, static_cluster
from tests.tuning.draining import drain
from tuning.store.store import Store

STAGES = {"train", "classifier", "reference", "sample", "score", "yardstick"}
WORKER = {"CPU": 2, "GPU": 1}
ITERATIONS = 1500
"""Iterations of trainings that must still run when the fault occurs: some seconds of work."""

LOST = "because its node has died"
"""Part of Ray's message for a worker whose node has failed."""


def autoscaled(folder, *, v2):
    """Runs a study that starts its nodes and loses one; checks the final state of the cluster."""
    study = {"trainings": 2, "iterations": ITERATIONS}  # besides the miniature's own training
    with (
        autoscaling_head(v2=v2, worker=WORKER, max_workers=3) as cluster,
        DriverProcess(cluster, folder / "store", cpus=6, gpus=3, **study) as driver,
    ):
        began = driver.wait_for(lambda told: told["event"] == "capacity", 60.0)
        assert (began["cpus"], began["gpus"]) == (6, 3), began
        cluster.wait_until(lambda: len(cluster.workers()) == 3, 60.0)
        victim = driver.wait_for(is_training, 120.0, after=len(driver.events))
        cluster.kill_node(victim["node"])
        end = driver.finish(240.0)
        cluster.wait_until(lambda: not cluster.workers(), 60.0)
        workers = [node for node in cluster.nodes() if not is_head(node)]
    stored, deaths = driver.all("stored"), driver.all("death")
    first = min(told["at"] for told in stored)
    together = workers[2].came
    assert together < first, (workers, first)
    assert end["complete"] and not end["given_up"], end
    assert {told["stage"] for told in stored} == STAGES
    assert {told["node"] for told in stored} <= {node.id for node in workers}, stored
    require_lost_with_node(deaths, victim)
    (again,) = [told for told in stored if told["key"] == victim["key"]]
    assert again["node"] != victim["node"]
    require_as_undisturbed(folder, small_study(**study))
    idle = max(node.went for node in workers) - end["at"]
    return (
        f"3 nodes within {together - began['at']:.0f} s of the start, the first job done after "
        f"{first - began['at']:.0f} s; one node killed, {len(workers)} in all; {len(stored)} jobs "
        f"of all stages on workers in {end['at'] - began['at']:.0f} s, results as undisturbed; "
        f"idle {idle:.0f} s later"
    )


def autoscaler_v1(folder):
    """Runs the scenario on Ray's default autoscaler."""
    return autoscaled(folder, v2=False)


def autoscaler_v2(folder):
    """Runs the scenario on the autoscaler of KubeRay's samples."""
    return autoscaled(folder, v2=True)


def five_lost_nodes(folder):
    """Checks that a job continues after losing its node five times (three failures end a job)."""
    study = {"trainings": 1, "iterations": ITERATIONS, "alone": True}
    with (
        autoscaling_head(v2=False, worker=WORKER, max_workers=2) as cluster,
        DriverProcess(cluster, folder / "store", cpus=2, gpus=1, **study) as driver,
    ):
        for number in range(5):
            seen = len(driver.events)
            running = driver.wait_for(is_training, 180.0, after=seen)
            cluster.kill_node(running["node"])
            driver.wait_for(lambda told: told["event"] == "death", 120.0, after=seen)
            assert len(driver.all("death")) == number + 1
        end = driver.finish(240.0)
    assert end["complete"] and not end["given_up"], end
    assert all(LOST in told["account"] and not told["counts"] for told in driver.all("death"))
    require_as_undisturbed(folder, small_study(**study))
    return "5 nodes lost under one training, which was not given up; its result as undisturbed"


def a_process_that_dies(folder):
    """Checks that a job is given up, with the cause, after three failures without progress."""
    study = {"trainings": 1, "iterations": ITERATIONS, "alone": True}
    with (
        autoscaling_head(v2=False, worker=WORKER, max_workers=1) as cluster,
        DriverProcess(cluster, folder / "store", cpus=2, gpus=1, **study) as driver,
    ):
        for number in range(3):
            cluster.wait_until(lambda: trial_workers(cluster), 120.0)
            for pid in trial_workers(cluster):
                os.kill(pid, signal.SIGKILL)
            cluster.wait_until(lambda n=number: len(driver.all("death")) == n + 1, 60.0)
        end = driver.finish(60.0)
    assert not end["complete"] and end["given_up"] == ["its worker process died"], end
    assert all(LOST not in told["account"] and told["counts"] for told in driver.all("death"))
    return "given up after 3 deaths of its process, with the cause"


def preempted(folder):
    """Ends a node with SIGTERM, as a cloud does: its trial is restarted."""
    study = {"trainings": 2, "iterations": ITERATIONS}
    with (
        autoscaling_head(v2=False, worker=WORKER, max_workers=2) as cluster,
        DriverProcess(cluster, folder / "store", cpus=4, gpus=2, **study) as driver,
    ):
        victim = driver.wait_for(is_training, 120.0)
        os.kill(cluster.raylet(victim["node"]), signal.SIGTERM)
        death = driver.wait_for(lambda told: told["event"] == "death", 90.0)
        end = driver.finish(240.0)
    assert end["complete"] and not end["given_up"], end
    require_lost_with_node(driver.all("death"), victim)
    require_as_undisturbed(folder, small_study(**study))
    return f"Ray: {death['account'].splitlines()[-1].strip()!r}; complete, results as undisturbed"


def drained(folder):
    """Drains a node with notice and then ends it: Tune itself restarts its trial."""
    study = {"trainings": 1, "iterations": ITERATIONS, "alone": True}
    with static_cluster(cpus=0) as cluster:
        for _ in range(2):
            cluster.add_node(cpus=1, gpus=1)
        cluster.wait_until(lambda: len(cluster.workers()) == 2, 30.0)
        with DriverProcess(cluster, folder / "store", **study) as driver:
            victim = driver.wait_for(is_training, 120.0)
            cluster.drain_node(victim["node"])
            cluster.kill_node(victim["node"])
            end = driver.finish(240.0)
    (again,) = driver.all("stored")
    assert end["complete"] and not driver.all("death") and again["node"] != victim["node"], again
    require_as_undisturbed(folder, small_study(**study))
    return "run again on the other node, result as undisturbed"


def is_training(told):
    """Returns whether a message of a driver reports progress of a long training."""
    return told["event"] == "running" and (told["progress"] or [0, 0])[1] == ITERATIONS


def require_lost_with_node(deaths, victim):
    """Asserts that lost trials of a lost node do not count as failures."""
    assert victim["key"] in {death["key"] for death in deaths}, deaths
    for death in deaths:
        assert LOST in death["account"] and not death["counts"], death


def trial_workers(cluster):
    """Returns the processes of trials, even if their jobs have not reported yet."""
    found = []
    for node in cluster.workers():
        for pid in descendants(cluster.raylet(node.id)):
            try:
                command = Path(f"/proc/{pid}/cmdline").read_text(errors="replace")
            except OSError:
                continue
            if command.startswith("ray::") and "Trainable" in command:
                found.append(pid)
    return found


def require_as_undisturbed(folder, study):
    """Asserts that a store equals that of an undisturbed run, with each job run once."""
    undisturbed = Store(str(folder / "undisturbed"), create=True)
    torch.set_num_threads(1)  # as in workers: sums in another order differ in the last digit
    drain(study, undisturbed)
    found, expected = results(folder / "store"), results(folder / "undisturbed")
    assert found == expected, {key: (found.get(key), expected.get(key)) for key in expected}
    for path in (folder / "store").glob("objects/*/*"):
        assert sum(one.is_dir() for one in path.iterdir()) <= 1, f"{path} was stored twice"


def results(store):
    """Returns the results of every finished job of a store."""
    paths = store.glob("objects/*/*/manifest.json")
    return {path.parent.name: json.loads(path.read_text())["result"] for path in paths}
