"""Tests of child servers: when they start, and when they are reported as running.

A child server starts when its database is complete and is running when it answers.
"""

import os
import select
import signal
import subprocess
import sys

import pytest

from dashboards.web.child_servers import ChildServer
from tests.ports import free_port
from tuning.addresses import sqlite_url
from tuning.tracking.database_files import exclusive_open
from tuning.tracking.faults import MLFLOW, require_database_of

WAITS = """
import socket, sys
open({gate!r}).read()
with socket.create_server(("127.0.0.1", int(sys.argv[-1]))) as server:
    while True:
        server.accept()[0].close()
"""


@pytest.fixture
def database(tmp_path):
    return tmp_path / "some.db"


def child_of(database, code):
    return ChildServer("server", database, (sys.executable, "-c", code), free_port())


SERVES = """
import sys, time
from pathlib import Path
from dashboards.web.child_servers import ChildServer
from tests.ports import free_port
child = ChildServer("server", Path(sys.argv[1]), (sys.executable, "-c", sys.argv[2]), free_port())
child.start_if_ready()
time.sleep(600)
"""

HAS_A_CHILD = """
import os, signal, subprocess, sys
signal.signal(signal.SIGTERM, signal.SIG_IGN)
child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
with open({gate!r}, "w") as gate:
    print(os.getppid(), os.getpid(), child.pid, file=gate)
child.wait()
"""


@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_children_and_their_children_end_with_their_parent_however_it_ends(database, tmp_path, end):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    database.touch()
    parent = subprocess.Popen(
        [sys.executable, "-c", SERVES, str(database), HAS_A_CHILD.format(gate=str(gate))]
    )
    with gate.open() as opened:
        below = [os.pidfd_open(int(pid)) for pid in opened.read().split()]
    assert len(below) == 3 and not select.select(below, [], [], 0)[0]
    parent.send_signal(end)
    parent.wait()
    for pidfd in below:  # readable once the process has ended
        assert select.select([pidfd], [], [], 30)[0], "a child is left"
        os.close(pidfd)


def until(child, state):
    """Polls a server until it reaches a state or ends; otherwise the test times out."""
    while not (found := child.state).startswith((state, "ended")):
        pass
    assert found.startswith(state), found


def test_a_server_is_said_to_run_once_it_answers(database, tmp_path):
    gate = tmp_path / "gate"
    os.mkfifo(gate)
    child = child_of(database, WAITS.format(gate=str(gate)))
    child.start_if_ready()
    assert child.state.startswith("waits for some.db")
    database.touch()
    child.start_if_ready()
    with gate.open("w"):  # both ends are open: the process is alive but does not listen yet
        assert child.state == "starts"
    until(child, "runs")
    child.signal(9)
    child.wait()


def test_a_server_waits_for_who_makes_its_database(database):
    child = child_of(database, "raise SystemExit(3)")
    with exclusive_open(f"sqlite:///{database}"):
        database.touch()
        child.start_if_ready()
        assert child.state.startswith("waits for some.db")
    child.start_if_ready()
    until(child, "ended with exit code 3")
    child.wait()


def test_a_server_that_ended_says_why(database):
    database.touch()
    child = child_of(database, "print('at first'); raise SystemExit('no <such> table')")
    child.start_if_ready()
    until(child, "ended")
    assert child.state == "ended with exit code 1: no <such> table"
    child.wait()


def test_no_server_is_started_on_a_database_with_a_fault(database):
    database.write_bytes(b"x" * 5000)
    child = ChildServer(
        "MLflow", database, ("false",), free_port(),
        lambda: require_database_of(MLFLOW, sqlite_url(database), None),
    )  # fmt: skip
    child.start_if_ready()
    child.start_if_ready()
    assert child.state.startswith(f"cannot start: {database} must be") and "delete" in child.state


def test_a_server_keeps_mlflows_own_checks_whatever_the_user_has_set(database, monkeypatch):
    monkeypatch.setenv("MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "true")
    monkeypatch.setenv("MLFLOW_SERVER_ALLOWED_HOSTS", "*")
    monkeypatch.setenv("MLFLOW_SERVER_CORS_ALLOWED_ORIGINS", "*")
    database.touch()
    code = "import os; print([n for n in os.environ if n.startswith('MLFLOW_SERVER')])"
    child = child_of(database, code)
    child.start_if_ready()
    until(child, "ended")
    assert child.state == ("ended with exit code 0: ['MLFLOW_SERVER_ENABLE_JOB_EXECUTION']")
    child.wait()
