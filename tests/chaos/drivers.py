"""Scenarios in which the driver is killed many times, and in which two drivers share one store."""

import contextlib
import itertools
import random
import re
import signal
import sqlite3
import subprocess
import time
from pathlib import Path

from studies.cli.command import STOPPED
from tests.launches import (
    NAME,
    attempts,
    csv,
    finish,
    kill_driver,
    launch,
    left_of,
    manifests,
    mlflow_runs,
    undisturbed,
    wait_for,
)

N_KILLS = 20
_LONGER = {
    "search.n_trials": "4", "seeds": "2", "iterations": "12000", "iteration": "12000",
    "snapshot_every": "6000",
}  # fmt: skip
"""Enough work for twenty kills: a training of half a minute, twice the trials and seeds."""

_STARTING_SECONDS, _WORKING_SECONDS = 5.0, 14.0
"""Latest moments of a kill, in seconds from the launch and from the first job of the driver. Ray
takes about ten seconds to start, and a training about ten seconds to its first checkpoint."""

_MOMENTS = ("locks/*", "objects/score/*/manifest.json")
"""Moments at which a driver is preempted, as files it has just written. The first file exists
before Ray starts."""

OPTIONS = [text for path, value in _LONGER.items() for text in ("--set", f"{path}={value}")]


def kill_the_driver(folder: Path) -> str:
    """Kills the driver with kill -9 at random moments; checks that the results do not change."""
    reference, store = folder / "reference", folder / "store"
    finish(reference, folder, *OPTIONS)
    rng = random.Random(20)
    kills, lost = 0, []
    while kills < N_KILLS:
        process, launched = launch(store, folder, *OPTIONS), time.time()
        meets_work = kills % 2 == 1
        if meets_work:
            wait_for_work(store, launched, process)
        try:
            latest = _WORKING_SECONDS if meets_work else _STARTING_SECONDS
            process.wait(timeout=rng.uniform(0.0, latest))
            assert process.returncode == 0, process.communicate()[0]
            break  # finished before the twentieth kill
        except subprocess.TimeoutExpired:
            lost += training_lost(store, launched)
            kill_driver(process)
            kills += 1
    finish(store, folder, *OPTIONS)
    assert csv(store) == csv(reference), "the table differs"
    assert manifests(store) == manifests(reference), "other jobs were stored"
    redone = sum(attempts(store).values()) - sum(attempts(reference).values())
    assert redone <= kills, f"{redone} jobs were finished twice in {kills} kills"
    require_single_runs(store, reference)
    assert lost, "no kill met a training"
    assert max(lost) < 15, f"a training had no checkpoint for {max(lost):.0f} s"
    return (
        f"{kills} kills: same table, same {len(manifests(store))} jobs, {redone} written twice, "
        f"at most {max(lost):.1f} s of training lost in the {len(lost)} that met one; MLflow and "
        "Optuna as undisturbed"
    )


def wait_for_work(store: Path, launched: float, process: "subprocess.Popen[str]") -> None:
    """Waits until the driver launched at this time has started a job, or has ended."""
    while not leased(store, launched):
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            return


def leased(store: Path, since: float) -> list[float]:
    """Returns the start times of the running jobs that were started after `since`."""
    moments = []
    for path in store.glob("leases/*"):
        with contextlib.suppress(FileNotFoundError):  # removed in the meantime
            moments.append(path.stat().st_mtime)
    return [moment for moment in moments if moment > since]


def training_lost(store: Path, launched: float) -> list[float]:
    """Returns the seconds of training that a kill now loses, at most; empty if none is running.

    Until the first sample is stored, the running jobs are trainings or inputs of scores. A training
    without a checkpoint since the launch of its driver began after the launch.
    """
    running = leased(store, launched)
    if not running or (store / "objects" / "sample").exists():
        return []
    saved = [path.stat().st_mtime for path in store.glob("checkpoints/*/*")]
    latest = sorted(moment for moment in saved if moment > launched)[-len(running) :]
    return [time.time() - (latest[0] if len(latest) == len(running) else min(running))]


def require_single_runs(store: Path, reference: Path) -> None:
    """Asserts that no MLflow run and no Optuna trial is duplicated or left open."""
    assert sorted(mlflow_runs(store)) == sorted(mlflow_runs(reference))
    assert {status for _, status in mlflow_runs(store)} == {"FINISHED"}
    trials = [optuna_trials(s) for s in (store, reference)]
    assert trials[0] == trials[1], "Optuna's trials differ"


def optuna_trials(store: Path) -> list[tuple[str, int, str]]:
    """Returns study, number and state of all trials in the Optuna database of the store."""
    with sqlite3.connect(store / "optuna.db") as database:
        found = database.execute(
            "select s.study_name, t.number, t.state from trials t "
            "join studies s on s.study_id = t.study_id order by 1, 2"
        ).fetchall()
    assert found and all(state in ("COMPLETE", "FAIL") for _, _, state in found)
    return found


def preempt_the_driver(folder: Path) -> str:
    """Sends SIGTERM, as a preemption does, or SIGINT: the driver stops, and the next continues."""
    reference, store = undisturbed(), folder / "store"
    stops = list(itertools.product(_MOMENTS, (signal.SIGTERM, signal.SIGINT)))
    for pattern, number in stops:
        process = launch(store, folder)
        wait_for(store, pattern, len(list(store.glob(pattern))) + 1, process)
        process.send_signal(number)
        output, _ = process.communicate(timeout=120)
        assert process.returncode == STOPPED and f"Stopped (by {number.name})" in output, output
        assert "Traceback" not in output, output
        (command,) = re.findall(r"Finished jobs are kept; to continue: (python .*)", output)
        assert f"--store {store}" in command and "--set iterations=60" in command, command
        assert not left_of(process), "something was left running"
        assert not list(store.glob("locks/*")), "a lock was left"
    finish(store, folder)
    assert csv(store) == csv(reference) and manifests(store) == manifests(reference)
    return f"exit code {STOPPED} each of {len(stops)} times; same table afterwards"


def two_drivers_on_one_store(folder: Path) -> str:
    """Runs two studies that need the same jobs on one store at once: each job is run only once."""
    reference, store = undisturbed(), folder / "store"
    drivers = [launch(store, folder), launch(store, folder, name="other")]
    wait_for(store, f"locks/{NAME}-demo.json", 1, drivers[0])
    third = launch(store, folder)
    outputs = [driver.communicate(timeout=300)[0] for driver in drivers]
    refusal, _ = third.communicate(timeout=300)
    assert [driver.returncode for driver in drivers] == [0, 0], outputs
    assert not any("warning" in output for output in outputs), outputs
    assert third.returncode == 2 and "one driver at a time" in refusal, refusal
    assert csv(store) == csv(reference) and manifests(store) == manifests(reference)
    written = attempts(store)
    assert set(written.values()) <= {0, 1}, "a job was run by both drivers"
    assert not list(store.glob("leases/*")) and not list(store.glob("locks/*"))
    return f"both complete; {len(written)} jobs, none run twice; a third driver was refused"
