"""Runs the servers of MLflow and optuna-dashboard as child processes.

Each child serves a database of the store. A child starts once its database exists and its tables
are complete, because opening a database earlier can damage it. All children listen on
127.0.0.1 and end with this process, however it ends (`dashboards.web.guard`).

MLflow's database of a store that was moved or copied holds paths of the old folder. They are
replaced before MLflow starts, because it would show the pictures of the old folder, or none.
"""

import contextlib
import logging
import os
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Self

from dashboards.records.mlflow_records import artifact_folder, tracking_uri
from dashboards.web import guard, optuna_page
from tuning.addresses import sqlite_url, without_secrets
from tuning.store.store import Store
from tuning.tracking.artifact_locations import are_outdated, update_locations
from tuning.tracking.database_files import exclusive_open, is_being_opened
from tuning.tracking.faults import MLFLOW, OPTUNA, LastingFaultError, Tool, require_database_of

_POLL_SECONDS = 0.5
_STOP_SECONDS = 10.0
_MOST_CHARACTERS = 300
_MLFLOW = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}

_SECURITY = {
    "MLFLOW_SERVER_ALLOWED_HOSTS", "MLFLOW_SERVER_CORS_ALLOWED_ORIGINS",
    "MLFLOW_SERVER_DISABLE_SECURITY_MIDDLEWARE", "MLFLOW_SERVER_X_FRAME_OPTIONS",
}  # fmt: skip


class ChildServer:
    """A child process that serves a database, started once the database exists.

    Args:
        name: name of the server, for people.
        database: database file that the server shows.
        command: command line without its last argument, the port.
        port: port of 127.0.0.1 on which the server listens.
        check: function that raises LastingFaultError if the server could not use the database.
    """

    def __init__(
        self,
        name: str,
        database: Path,
        command: Sequence[str],
        port: int,
        check: Callable[[], None] = lambda: None,
    ) -> None:
        self.name, self.database, self._command = name, database, command
        self._check, self._fault = check, ""
        self._process: subprocess.Popen[bytes] | None = None
        self._has_answered = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - closed at exit
        self.port = port

    @property
    def url(self) -> str:
        """Address of the server."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def state(self) -> str:
        """State of the server: "runs", "starts", or the reason why the server does not run."""
        if self._fault:
            return f"cannot start: {self._fault}"
        if self._process is None:
            return f"waits for {self.database.name}: nothing was run on this store yet"
        code = self._process.poll()
        if code is not None:
            return f"ended with exit code {code}{self._last_logged_line()}"
        self._has_answered = self._has_answered or listens(self.port)
        return "runs" if self._has_answered else "starts"

    def _last_logged_line(self) -> str:
        self._log.seek(0)
        lines = self._log.read().decode(errors="replace").split("\n")
        logged = [line.strip() for line in lines if line.strip()]
        return f": {without_secrets(logged[-1])[:_MOST_CHARACTERS]}" if logged else ""

    def start_if_ready(self) -> None:
        """Starts the server if its database exists; a server that has ended is not restarted."""
        if self._process is None and not self._fault and self._is_ready():
            try:
                self._check()  # the servers themselves try a damaged database for two minutes
            except LastingFaultError as error:
                self._fault = str(error)
                return
            self._process = subprocess.Popen(
                [sys.executable, "-I", guard.__file__, *self._command, str(self.port)],
                env=_environment(), stdout=self._log, stderr=self._log,
                stdin=subprocess.PIPE, start_new_session=True,
            )  # fmt: skip

    def _is_ready(self) -> bool:
        """Returns whether the database exists and no process is creating its tables."""
        try:
            is_there = self.database.is_file()
            return is_there and not is_being_opened(self.database)
        except OSError:  # the file system is unavailable for a moment: the next poll tries again
            return False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to the server and all processes that it started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def wait(self) -> None:
        """Waits up to ten seconds for the server to end, then kills its remaining processes."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self.signal(signal.SIGKILL)
            self._process.wait()
            if self._process.stdin:
                self._process.stdin.close()


class ChildServers:
    """A context manager that runs MLflow and optuna-dashboard on the databases of a store.

    Args:
        store: a local store.
        mlflow_port: port of MLflow.
        optuna_port: port of optuna-dashboard.
        home: port of the site that optuna-dashboard links back to.
        number: number of the store in the addresses of the site.
    """

    def __init__(
        self, store: Store, mlflow_port: int, optuna_port: int, home: int = 0, number: int = 1
    ) -> None:
        folder = store.folder.resolve()
        mlflow, optuna = folder / "mlflow.db", folder / "optuna.db"
        self._url, self._database = tracking_uri(store, None), mlflow
        server = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1")
        page = (sys.executable, "-m", optuna_page.__name__, sqlite_url(optuna), f"{home}",
                f"{number}")  # fmt: skip
        command = (*server, "--backend-store-uri", self._url, "--port")

        def check(tool: Tool, file: Path) -> Callable[[], None]:
            return lambda: require_database_of(tool, sqlite_url(file), None)

        self.mlflow = ChildServer("MLflow", mlflow, command, mlflow_port, check(MLFLOW, mlflow))
        self.optuna = ChildServer(
            "optuna-dashboard", optuna, page, optuna_port, check(OPTUNA, optuna)
        )
        self.all = (self.mlflow, self.optuna)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
        self._follow_moved_store()
        self._thread = threading.Thread(target=self._watch, daemon=True, name="child servers")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        for server in self.all:
            server.signal(signal.SIGTERM)
        for server in self.all:
            server.wait()

    def _follow_moved_store(self) -> None:
        """Corrects the paths in MLflow's database if the store was moved; else writes nothing."""
        url, artifacts = self._url, artifact_folder(self._url)
        try:
            if artifacts and self._database.is_file() and are_outdated(url, artifacts):
                with exclusive_open(url):
                    update_locations(url, artifacts)
        except (OSError, sqlite3.Error) as error:
            logging.getLogger(__name__).warning(
                "MLflow may show no pictures, or those of another folder: this store was moved or "
                "copied, and the paths in its mlflow.db cannot be replaced (%s)", error,
            )  # fmt: skip

    def _watch(self) -> None:
        while True:
            for server in self.all:
                server.start_if_ready()
            if self._stop.wait(_POLL_SECONDS):
                return


def _environment() -> dict[str, str]:
    """Returns the environment of a server; MLflow's checks of hosts and origins stay as they are.

    By default MLflow answers the names of this machine, and pages of this machine on any port. A
    user's settings for another server must not open this one to other websites.
    """
    kept = {name: value for name, value in os.environ.items() if name not in _SECURITY}
    return kept | _MLFLOW


def free_port() -> int:
    """Returns a port of 127.0.0.1 on which no process listens now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Returns whether a process listens on a port of 127.0.0.1 now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
