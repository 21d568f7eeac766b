"""Tests of the ends of local Rays: what a guard removes, and the death of a part of Ray."""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tuning.drivers.scratch import scratch_folder
from tuning.execution import guard as guard_module
from tuning.execution import watch
from tuning.execution.ray_import import ray
from tuning.store.processes import started


@pytest.fixture
def temporary(monkeypatch, tmp_path):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    return tmp_path


def sleeper(token):
    return subprocess.Popen(["sleep", "600"], env={"RAY_AUTH_TOKEN_PATH": str(token)})


def titled(title, folder):
    """Starts a process as Ray's agents look: their titles stand where their environment was."""
    return subprocess.Popen([title, "600"], executable=shutil.which("sleep"), env={}, cwd=folder)


def ignored(process):
    """Returns the signals that a process ignores."""
    for line in Path(f"/proc/{process}/status").read_text().splitlines():
        if line.startswith("SigIgn:"):
            return {number for number in range(1, 65) if int(line.split()[1], 16) >> number - 1 & 1}
    return set()


def guards():
    """Returns the guards among the children of this process."""
    found = []
    for status in Path("/proc").glob("[0-9]*/status"):
        with contextlib.suppress(OSError):  # the process has ended meanwhile
            is_child = f"PPid:\t{os.getpid()}\n" in status.read_text()
            if is_child and b"guard.py" in (status.parent / "cmdline").read_bytes():
                found.append(int(status.parent.name))
    return found


def test_a_guard_ends_the_processes_and_folders_of_one_ray_and_no_other(temporary):
    with scratch_folder("tune-") as tune, scratch_folder("ray-") as folder:
        other = temporary / "tune-other"
        other.mkdir()
        (other / "owner").write_text("[]")
        ours, others = sleeper(folder / "token"), sleeper(folder / "token2")
        agent, strange = titled("ray::DashboardAgent", folder), titled("ray::Agent", other)
        shell = titled("sh", folder)
        with watch.guarded(folder):
            while not guards():  # a process has no command line at the moment of its exec
                time.sleep(0.01)
            (guard,) = guards()
            stops = {signal.SIGTERM, signal.SIGHUP, signal.SIGINT}
            while not stops <= ignored(guard):
                time.sleep(0.01)
            for number in stops:
                os.kill(guard, number)
            assert guards() == [guard] and ours.poll() is None
        assert ours.wait(60) == agent.wait(60) == -signal.SIGKILL
        assert [process.poll() for process in (others, strange, shell)] == [None] * 3
        assert not tune.exists() and not folder.exists() and other.exists() and not guards()
        for process in (others, strange, shell):
            process.kill()
            process.wait()


def test_a_killed_owner_leaves_no_process_and_no_folder(temporary):
    code = (
        "import os, signal, subprocess, sys, tempfile\n"
        f"tempfile.tempdir = {str(temporary)!r}\n"
        "from tuning.drivers.scratch import scratch_folder\n"
        "from tuning.execution import watch\n"
        "with scratch_folder('ray-') as folder, watch.guarded(folder):\n"
        "    environment = {'RAY_AUTH_TOKEN_PATH': f'{folder}/token'}\n"
        "    child = subprocess.Popen(['sleep', '600'], env=environment, stdout=2)\n"
        "    print(child.pid, folder, flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert done.returncode == -signal.SIGKILL
    child, folder = done.stdout.split()
    # In a container, nobody may remove the entry of an orphan that has ended.
    while started(int(child)) is not None or Path(folder).exists():
        time.sleep(0.01)  # a guard that does not work is found by the time-out of the test
    assert list(temporary.iterdir()) == []


def test_the_death_of_a_part_of_ray_is_reported_once_and_a_normal_end_is_not(monkeypatch):
    parts = {name: subprocess.Popen(["sleep", "600"]) for name in ("gcs_server", "raylet")}

    node = SimpleNamespace(
        all_processes={name: [SimpleNamespace(process=part)] for name, part in parts.items()}
    )
    monkeypatch.setattr(ray._private.worker, "_global_node", node)
    accounts, called = [], threading.Event()

    def lost(account):
        accounts.append(account)
        called.set()

    with watch.watching(lost):
        pass
    assert accounts == []
    with watch.watching(lost):
        parts["raylet"].kill()
        assert called.wait(60)
    assert accounts == ["because Ray's process raylet ended"]
    for process in parts.values():
        process.kill()
        process.wait()


def test_a_process_in_the_middle_of_its_exec_is_found_by_the_next_round(monkeypatch, tmp_path):
    # In the first round after a kill, the last process shows the empty environment of an exec.
    rounds = iter([["1"], [], ["2"], [], []])
    killed = []
    monkeypatch.setattr(guard_module, "_ROUND_SECONDS", 0.0)
    monkeypatch.setattr(guard_module.Path, "glob", lambda *_: next(rounds))
    monkeypatch.setattr(guard_module, "_kill", lambda process, _: killed.append(process) or True)
    guard_module.end_all(tmp_path / "token")
    assert killed == ["1", "2"] and next(rounds, None) is None
