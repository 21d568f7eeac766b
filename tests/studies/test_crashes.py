"""The real driver on real Ray, killed at several points: the table is an undisturbed run's."""

import contextlib
import os
import re
import select
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from dashboards.table import main as print_table
from tests.miniature import OPTIONS

NAME = "cifar_sampling_eps"
COMMAND = [sys.executable, "-m", "studies.run", NAME, *OPTIONS, "--cpus", "2", "--store"]


def start(store, cwd):
    return subprocess.Popen(
        [*COMMAND, str(store)], cwd=cwd, text=True, start_new_session=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        env=os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"},
    )  # fmt: skip


def finish(store, cwd):
    process = start(store, cwd)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    return output


def csv(store, capsys):
    capsys.readouterr()
    assert print_table([NAME, "--store", str(store), "--format", "csv"]) == 0
    return capsys.readouterr().out


def manifests(store):
    return sorted(p.parent.name for p in Path(store).glob("objects/*/*/manifest.json"))


def attempts(store):
    """How many times each job wrote its files."""
    return {
        p.parent.name: sum(q.is_dir() for q in p.parent.iterdir())
        for p in Path(store).glob("objects/*/*/manifest.json")
    }


def mlflow_runs(store):
    """(key, status) of all runs."""
    with sqlite3.connect(Path(store) / "mlflow.db") as database:
        return database.execute(
            "select t.value, r.status from runs r join tags t on t.run_uuid = r.run_uuid "
            "where t.key = 'key'"
        ).fetchall()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("undisturbed")
    output = finish(folder / "store", folder)
    return folder / "store", output


def test_an_undisturbed_run_prints_its_table_and_what_to_do_next(undisturbed):
    _, output = undisturbed
    assert "fd[digits-cnn]" in output and "consistent (n_sigma = 5)" in output
    assert "fd(train, held-out)" in output and "mlflow server" in output
    assert "\x1b" not in output, "escape codes where the output is not a terminal"
    assert "Traceback" not in output


def test_a_second_run_does_nothing_and_starts_no_ray(undisturbed, capsys):
    store, _ = undisturbed
    before, runs = manifests(store), mlflow_runs(store)
    table = csv(store, capsys)
    code = (
        "import sys; from studies.run import main; code = main(sys.argv[1:]); "
        "assert 'ray' not in sys.modules, 'Ray was imported'; sys.exit(code)"
    )
    arguments = [NAME, *OPTIONS, "--store", str(store)]
    subprocess.run([sys.executable, "-c", code, *arguments], check=True, stdout=subprocess.DEVNULL)
    assert manifests(store) == before and mlflow_runs(store) == runs
    assert csv(store, capsys) == table


def test_every_mlflow_run_is_finished_and_single(undisturbed):
    store, _ = undisturbed
    runs = mlflow_runs(store)
    keys = [key for key, _ in runs]
    assert len(set(keys)) == len(keys)
    assert {status for _, status in runs} == {"FINISHED"}
    # 2 snapshots, 4 searches of 3 trials, 4 cells, 1 table.
    assert len(keys) == 2 + 12 + 4 + 1


def wait_for(store, pattern, count, process):
    """Waits, by watching the store and not the clock, until `count` files match."""
    while len(list(Path(store).glob(pattern))) < count:
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(0.05)
            pytest.fail(f"ended before {count} {pattern}: {process.communicate()[0]}")


def kill_session(process):
    """SIGKILL to the driver alone; waits until all it started is gone."""
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    for worker in session_members(process.pid):
        with contextlib.suppress(ProcessLookupError):
            select.select([os.pidfd_open(worker)], [], [])  # readable once the process has ended


def session_members(session):
    """Processes of the driver's session whose command is one of Ray's workers."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rpartition(")")[2].split()
            command = (stat.parent / "cmdline").read_text()
        except OSError:
            continue
        # Ray's two agents outlive a killed driver by a minute; they run none of its jobs.
        is_worker = command.startswith("ray::") and "Agent" not in command
        if int(fields[3]) == session and is_worker and fields[0] != "Z":
            found.append(int(stat.parent.name))
    return found


def test_killed_at_several_points_the_table_is_the_undisturbed_ones(undisturbed, tmp_path, capsys):
    reference, _ = undisturbed
    store = tmp_path / "store"
    for pattern, count in (
        ("checkpoints/*/*", 1),
        ("objects/sample/*/manifest.json", 3),
        ("objects/score/*/manifest.json", 14),
    ):
        process = start(store, tmp_path)
        wait_for(store, pattern, count, process)
        kill_session(process)
    finish(store, tmp_path)
    assert csv(store, capsys) == csv(reference, capsys)
    assert manifests(store) == manifests(reference)
    runs = mlflow_runs(store)
    assert sorted(runs) == sorted(mlflow_runs(reference))


def test_a_killed_worker_is_replaced(undisturbed, tmp_path, capsys):
    reference, _ = undisturbed
    store = tmp_path / "store"
    process = start(store, tmp_path)
    wait_for(store, "objects/sample/*/manifest.json", 2, process)
    for worker in session_members(process.pid):
        os.kill(worker, signal.SIGKILL)
    output, _ = process.communicate(timeout=240)
    assert process.returncode == 0, output
    assert csv(store, capsys) == csv(reference, capsys)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stop_is_clean_and_says_how_to_continue(tmp_path, number):
    store = tmp_path / "store"
    process = start(store, tmp_path)
    wait_for(store, "objects/sample/*/manifest.json", 1, process)
    os.kill(process.pid, number)
    output, _ = process.communicate(timeout=180)
    assert process.returncode == 130, output
    assert f"Stopped (by {number.name}). Nothing finished is lost; to continue: python" in output
    command = re.search(r"to continue: (.*)", output).group(1)
    assert f"--store {store}" in command and "--set iterations=60" in command
    assert "Traceback" not in output
    assert not session_members(process.pid), "workers were left running"
    assert not (store / "locks" / f"{NAME}-demo.json").exists()
