"""MLflow's and Optuna's own pages, run beside ours as processes of our own.

Each serves a database of the store, which need not be there yet: its server starts when it is, and
when its tables are made, for opening it in between can spoil it. All listen on 127.0.0.1, on ports
that were free, and end with us.
"""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Self

from tuning.addresses import without_secrets
from tuning.store.store import Store
from tuning.tracking.database_files import is_being_opened

_POLL_SECONDS = 0.5
_STOP_SECONDS = 10.0
_MOST_CHARACTERS = 300
_MLFLOW = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"}


class ChildServer:
    """A server beside ours; it starts when its database is there.

    Args:
        name: what it is called.
        database: the file it serves.
        command: its command line but for the port's value, which is added last.
    """

    def __init__(self, name: str, database: Path, command: Sequence[str]) -> None:
        self.name, self._database, self._command = name, database, command
        self._process: subprocess.Popen[bytes] | None = None
        self._has_answered = False
        self._log = tempfile.TemporaryFile()  # noqa: SIM115 - as long as we are
        self.port = free_port()

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}/"

    @property
    def state(self) -> str:
        """In a few words: "runs", "starts", why it ended, or what it waits for."""
        if self._process is None:
            return f"waits for {self._database.name}: nothing was run on this store yet"
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
        """Starts it once its database is there; an ended one is not started again."""
        if self._process is None and self._is_ready():
            self._process = subprocess.Popen(
                [*self._command, str(self.port)],
                env=os.environ | _MLFLOW, stdout=self._log, stderr=self._log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip

    def _is_ready(self) -> bool:
        """Whether its database is there, and nobody is making it."""
        try:
            is_there = self._database.is_file()
            return is_there and not is_being_opened(f"sqlite:///{self._database}")
        except OSError:  # a file system away for a moment: looked at again
            return False

    def signal(self, number: signal.Signals) -> None:
        """Sends a signal to it and all it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, number)

    def wait(self) -> None:
        """Waits until it has ended; what does not end by itself is killed, with what it started."""
        if self._process is not None:
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_STOP_SECONDS)
            self.signal(signal.SIGKILL)
            self._process.wait()


class ChildServers:
    """The servers beside ours, each started when it can be; a context manager.

    Args:
        store: a local store, whose databases they serve.
    """

    def __init__(self, store: Store) -> None:
        folder = store.folder.resolve()
        mlflow, optuna = folder / "mlflow.db", folder / "optuna.db"
        server = (sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--workers", "1")
        dashboard = (str(Path(sys.executable).parent / "optuna-dashboard"), f"sqlite:///{optuna}")
        self.mlflow = ChildServer(
            "MLflow", mlflow, (*server, "--backend-store-uri", f"sqlite:///{mlflow}", "--port")
        )
        self.optuna = ChildServer(
            "optuna-dashboard", optuna, (*dashboard, "--host", "127.0.0.1", "--port")
        )
        self.all = (self.mlflow, self.optuna)
        self._stop = threading.Event()

    def __enter__(self) -> Self:
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

    def _watch(self) -> None:
        while True:
            for server in self.all:
                server.start_if_ready()
            if self._stop.wait(_POLL_SECONDS):
                return


def free_port() -> int:
    """A port of 127.0.0.1 that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def listens(port: int) -> bool:
    """Whether something listens on a port of 127.0.0.1 now."""
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0
