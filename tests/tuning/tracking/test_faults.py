"""Tests of displays whose faults last: told apart at once, with the cure, and never waited for."""

import contextlib
import sqlite3
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from mlflow.tracking import MlflowClient
from optuna.storages import RDBStorage

from scorelib.errors import InputError
from tests.displays import empty_database
from tuning.addresses import database_file, require_server, sqlite_url
from tuning.tracking import faults
from tuning.tracking.database_files import create_database, exclusive_open
from tuning.tracking.faults import (
    MLFLOW,
    OPTUNA,
    LastingFaultError,
    require_database_of,
    require_mlflow,
)
from tuning.tracking.mlflow_record import RunRecord
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.writer import ProjectionError

NAME = "a study (demo)"


@pytest.fixture
def file(tmp_path):
    empty_database(tmp_path / "mlflow.db")
    return tmp_path / "mlflow.db"


def execute(file, statement):
    with contextlib.closing(sqlite3.connect(file)) as database, database:
        database.execute(statement)


def damage_a_page(file):
    """Overwrites the last third of a database, but neither its header nor its list of tables."""
    data = bytearray(file.read_bytes())
    data[len(data) * 2 // 3 :] = b"x" * (len(data) - len(data) * 2 // 3)
    file.write_bytes(data)


def is_folder(file):
    file.unlink()
    file.mkdir()


FAULTS = {
    "no database": (lambda file: file.write_bytes(b"not a database" * 99), "is not a database"),
    "cut": (lambda file: file.write_bytes(file.read_bytes()[:20000]), "malformed"),
    "a damaged page": (damage_a_page, "must be a sound database"),
    "a folder": (is_folder, "must be a file that this user may read and write"),
    "newer": (
        lambda file: execute(file, "UPDATE alembic_version SET version_num = 'ffffffffffff'"),
        "another or newer one made its tables ('ffffffffffff'): update MLflow, or ",
    ),
    "older": (
        lambda file: execute(file, "UPDATE alembic_version SET version_num = '451aebb31d03'"),
        "an older version made its tables",
    ),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_of_a_database_names_the_file_to_delete(file, fault):
    url = sqlite_url(file)
    require_mlflow(url, None, NAME)
    FAULTS[fault][0](file)
    with pytest.raises(LastingFaultError) as found:
        require_mlflow(url, None, NAME)
    said = str(found.value)
    assert FAULTS[fault][1] in said and "\n" not in said and found.value.fields == ()
    assert f"delete {file}, which only shows results" in said and "(or python -m" in said
    with pytest.raises(LastingFaultError) as found:
        require_mlflow(url, "tracking_uri", NAME)
    assert "delete" not in str(found.value) and found.value.fields == ("tracking_uri",)
    if fault == "older":
        assert f"run mlflow db upgrade {url}" in str(found.value)


def test_a_deleted_experiment_is_named_with_the_command_that_restores_the_experiment(file):
    url = sqlite_url(file)
    client = MlflowClient(url)
    number = client.create_experiment(NAME)
    require_mlflow(url, None, NAME)
    client.delete_experiment(number)
    with pytest.raises(LastingFaultError, match=f"mlflow experiments restore -x {number}, or del"):
        require_mlflow(url, None, NAME)
    require_mlflow(url, None, "another study")
    began = time.monotonic()
    # Deleted meanwhile: the writer does not wait for what lasts.
    with pytest.raises(ProjectionError, match="restore -x"), MlflowWriter(url, NAME, "") as writer:
        writer.write(lambda: [RunRecord(key="k", name="n", tags={})])
    assert time.monotonic() - began < 30, "it tries again for more than a minute"


def test_a_newer_and_a_damaged_storage_of_optuna_are_named(tmp_path):
    file = tmp_path / "optuna.db"
    url = sqlite_url(file)
    require_database_of(OPTUNA, url, None)
    assert not file.exists()
    RDBStorage(url).engine.dispose()
    require_database_of(OPTUNA, url, None)
    execute(file, "UPDATE alembic_version SET version_num = 'v99.0.0.a'")
    with pytest.raises(LastingFaultError, match=rf"v99.0.0.a.*: update Optuna, or delete {file},"):
        require_database_of(OPTUNA, url, None)
    file.write_bytes(b"x" * 5000)
    with pytest.raises(LastingFaultError, match=rf"delete {file},"):
        require_database_of(OPTUNA, url, None)


def test_a_database_that_another_process_writes_to_is_no_fault(file):
    with contextlib.closing(sqlite3.connect(file)) as other:
        other.execute("PRAGMA locking_mode = EXCLUSIVE")
        other.execute("BEGIN EXCLUSIVE")
        require_database_of(MLFLOW, sqlite_url(file) + "?timeout=0", None, NAME)


# -- servers ---------------------------------------------------------------------------------------


@contextlib.contextmanager
def server(status, body, **headers):
    """Yields the address of a server that answers every request alike; with no body, never."""
    silent = threading.Event()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            if body is None:
                silent.wait(30)
                return
            code = 200 if self.path == "/login" else status
            self.send_response(code)
            for name, value in headers.items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        do_POST = do_GET

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as made:
        made.daemon_threads = True
        threading.Thread(target=made.serve_forever, args=(0.01,), daemon=True).start()
        yield f"http://127.0.0.1:{made.server_port}"
        silent.set()
        made.shutdown()


@pytest.mark.parametrize(
    ("status", "body", "headers", "said"),
    [
        (200, b"<html>welcome</html>", {}, "not in a valid JSON format"),
        (404, b"<html>not found</html>", {}, "404"),
        (500, b"oops", {}, "500"),
        (401, b"who?", {"WWW-Authenticate": "Basic"}, "401"),
        (302, b"<html>log in</html>", {"Location": "/login"}, "not in a valid JSON format"),
        (200, b"{}", {}, "another program answered"),
        (200, b"[1, 2]", {}, "valid JSON"),
        (200, b'{"experiments": 3}', {}, "got: "),
        (200, None, {}, "no answer within"),
    ],
)
def test_a_server_that_is_no_mlflow_is_refused_within_seconds(
    monkeypatch, status, body, headers, said
):
    if body is None:
        monkeypatch.setattr(faults, "_PROBE_SECONDS", 0.5)
    assert faults._PROBE_SECONDS <= 5
    with server(status, body, **headers) as uri:
        require_server(uri)  # it listens
        began = time.monotonic()
        with pytest.raises(LastingFaultError, match="must be an MLflow server") as found:
            require_mlflow(uri, "tracking_uri", NAME)
        assert time.monotonic() - began < 30, "MLflow tries again for more than a minute"
    assert said in str(found.value) and "\n" not in str(found.value)
    assert found.value.fields == ("tracking_uri",)


def test_a_sqlite_address_in_a_folder_that_is_not_there_is_refused(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for address in ("sqlite:///missing/mlflow.db", f"sqlite:///{tmp_path}/a/b.db", "sqlite://"):
        with pytest.raises(InputError, match="a SQLite file in a folder that is there"):
            require_server(address)
    assert list(tmp_path.iterdir()) == []
    require_server("sqlite:///mlflow.db")


@pytest.mark.parametrize("name", ["why?now", "a#b", "a%20b", "a b", "100%", "ü&=;+@'\""])
def test_a_database_lies_where_its_url_says_whatever_the_folder_is_named(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    file = Path(empty_database(folder / "mlflow.db").removeprefix("sqlite:///"))
    url = sqlite_url(file)
    assert database_file(url) == file
    with MlflowWriter(url, NAME, "", folder / "mlflow-artifacts") as writer:
        writer.write(lambda: [RunRecord(key="k", name="n", tags={}, files={"a.txt": b"a"})])
    optuna = folder / "optuna.db"
    RDBStorage(sqlite_url(optuna)).engine.dispose()
    assert optuna.is_file() and [p.name for p in tmp_path.iterdir()] == [name]
    names = {"mlflow.db", "mlflow.db.lock", "mlflow-artifacts", "optuna.db"}
    assert {p.name for p in folder.iterdir()} == names
    client = MlflowClient(url)
    (run,) = client.search_runs([client.get_experiment_by_name(NAME).experiment_id])
    assert [a.path for a in client.list_artifacts(run.info.run_id)] == ["a.txt"]


def test_the_folder_of_a_killed_creation_of_a_database_is_removed_by_the_next(tmp_path):
    (tmp_path / ".x.db-abc").mkdir()
    (tmp_path / ".x.db-abc" / "x.db").write_bytes(b"half")
    (tmp_path / ".y.db-abc").mkdir()
    url = sqlite_url(tmp_path / "x.db")
    with exclusive_open(url):
        create_database(url, lambda aside: database_file(aside).write_bytes(b"whole"))
    assert {p.name for p in tmp_path.iterdir()} == {"x.db", "x.db.lock", ".y.db-abc"}
