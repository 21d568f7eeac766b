"""Helpers that launch, watch and kill the real driver in a separate process.

They also read the results that a driver leaves.
"""

import atexit
import contextlib
import functools
import io
import os
import select
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
from pathlib import Path

from dashboards.table import main as print_table
from tests.miniature import OPTIONS

NAME = "cifar_sampling_eps"

_UNDER_ANOTHER_NAME = """
import dataclasses, sys, types
import studies.adversarial.step_sizes.cifar_sampling_eps as study
from studies import registry, run
other = types.ModuleType("studies.other")
other.settings = study.settings
other.study = lambda scale, at: dataclasses.replace(study.study(scale, at), name="other")
sys.modules["studies.other"] = other
registry.STUDIES["other"] = registry.Entry("studies.other", "the same under another name")
sys.exit(run.main(sys.argv[1:]))
"""


def launch(store, cwd, *options, name=NAME, settings=OPTIONS, environment=None):
    """Starts a miniature study on a store; "other" runs Table 1 under that name."""
    command = ["-c", _UNDER_ANOTHER_NAME] if name == "other" else ["-m", "studies.run"]
    return subprocess.Popen(
        [sys.executable, *command, name, *settings, "--cpus", "2", "--store", str(store), *options],
        cwd=cwd, text=True, start_new_session=True, stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"} | (environment or {}),
    )  # fmt: skip


def finish(store, cwd, *options, seconds=300, **more):
    """Runs the study to its end; returns its output."""
    process = launch(store, cwd, *options, **more)
    output, _ = process.communicate(timeout=seconds)
    assert process.returncode == 0, output
    assert not left_of(process), "something was left running"
    return output


@functools.cache
def undisturbed():
    """Returns the store of a run without faults, created once per process."""
    folder = Path(tempfile.mkdtemp(prefix="undisturbed-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    finish(folder / "store", folder)
    return folder / "store"


def wait_for(store, pattern, count, process):
    """Waits until `count` files of the store match, by watching the store and not the clock."""
    while len(list(Path(store).glob(pattern))) < count:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            raise AssertionError(f"ended before {count} {pattern}: {process.communicate()[0]}")


def kill_driver(process):
    """Sends SIGKILL to the driver only and waits until all its workers are gone."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for worker in workers_of(process):
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(worker)], [], [])  # readable once the process has ended


def workers_of(process):
    """Returns the processes in the driver's session that run one of Ray's workers."""
    # Ray's two agents survive a killed driver by a minute; they run none of its jobs.
    return [
        pid
        for pid, command in left_of(process)
        if command.startswith("ray::") and "Agent" not in command
    ]


def left_of(process):
    """Returns (process, command) of all processes in the driver's session."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text(errors="replace").rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_text(errors="replace")
        except OSError:
            continue
        if int(fields[3]) == process.pid and fields[0] != "Z":
            found.append((int(stat.parent.name), command))
    return found


def csv(store, name=NAME):
    """Returns the table of a study as CSV."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        assert print_table([name, "--store", str(store), "--format", "csv"]) == 0
    return printed.getvalue()


def manifests(store):
    """Returns the keys of all finished jobs, sorted."""
    return sorted(p.parent.name for p in Path(store).glob("objects/*/*/manifest.json"))


def attempts(store):
    """Returns how many times each job wrote its files."""
    return {
        p.parent.name: sum(q.is_dir() for q in p.parent.iterdir())
        for p in Path(store).glob("objects/*/*/manifest.json")
    }


def mlflow_runs(store):
    """Returns (key, status) of all MLflow runs."""
    with sqlite3.connect(Path(store) / "mlflow.db") as database:
        return database.execute(
            "select t.value, r.status from runs r join tags t on t.run_uuid = r.run_uuid "
            "where t.key = 'key'"
        ).fetchall()
