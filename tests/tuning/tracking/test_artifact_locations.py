"""Tests of MLflow's artifacts after the folder of the database was moved or copied."""

import shutil
import signal
import sqlite3
import subprocess
import sys

import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from tests.displays import empty_database
from tuning.tracking import writer as writer_module
from tuning.tracking.artifact_locations import are_outdated, location_of, update_locations
from tuning.tracking.mlflow_record import RunRecord
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.writer import ProjectionError

RECORD = RunRecord(
    key="k", name="n", tags={}, files={"samples/raw.png": b"raw", "curve.png": b"curve"},
    table={"x": [1.5, float("nan")], "y": ["a", None]}, makes=("k", "model", 1),
)  # fmt: skip
SHOWN = {"samples/raw.png": b"raw", "curve.png": b"curve",
         "table.json": b'{"columns": ["x", "y"], "data": [[1.5, "a"], [null, null]]}'}  # fmt: skip
OTHER = RunRecord(key="other", name="o", tags={}, files={"later.png": b"later"})


def write(folder, *records):
    with MlflowWriter(uri(folder), "e", "", folder / "mlflow-artifacts") as writer:
        writer.write(lambda: records)


def uri(folder):
    return f"sqlite:///{folder}/mlflow.db"


def shown(folder, key="k"):
    """Returns the artifacts of a run, through MLflow but without its cache of folders by run id."""
    client = MlflowClient(uri(folder))
    (run,) = client.search_runs(["1"], filter_string=f"tags.key = '{key}'")
    artifacts = get_artifact_repository(run.info.artifact_uri)
    found, folders = {}, [None]
    for at in folders:
        for each in artifacts.list_artifacts(at):
            if each.is_dir:
                folders.append(each.path)
            else:
                with open(artifacts.download_artifacts(each.path), "rb") as file:
                    found[each.path] = file.read()
    return found


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def texts(folder):
    """Returns every text of every table of a database."""
    with sqlite3.connect(folder / "mlflow.db") as database:
        tables = [
            n for (n,) in database.execute("SELECT name FROM sqlite_master WHERE type='table'")
        ]
        rows = [row for name in tables for row in database.execute(f'SELECT * FROM "{name}"')]
    return [value for row in rows for value in row if isinstance(value, str)]


@pytest.fixture
def old(tmp_path):
    """Returns a folder with a written database; its name has characters that URIs encode."""
    folder = tmp_path / "o'ld store 100%"
    folder.mkdir()
    empty_database(folder / "mlflow.db")
    write(folder, RECORD)
    assert shown(folder) == SHOWN
    return folder


def test_a_moved_database_shows_its_pictures_and_the_old_folder_stays_away(old, tmp_path):
    new = tmp_path / "deeper" / "new"
    new.parent.mkdir()
    shutil.move(old, new)
    write(new, RECORD, OTHER)
    assert not old.exists()
    assert shown(new) == SHOWN and shown(new, "other") == {"later.png": b"later"}
    assert not [text for text in texts(new) if old.as_uri() in text or str(old) in text]
    (model,) = MlflowClient(uri(new)).search_logged_models(["1"])
    assert model.artifact_location.startswith(location_of(new / "mlflow-artifacts") + "/models/")


_KILLED_IN_A_TRANSACTION = """
import os, signal, sqlite3, sys
database = sqlite3.connect(sys.argv[1])
database.execute("PRAGMA cache_size = 1")  # pages are written before the transaction ends
rows = ((str(n), str(n)) for n in range(9999))
database.executemany("INSERT INTO inputs VALUES (?, 'a', ?, 'b', 'c', 0)", rows)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize("is_moved", [False, True])
def test_a_database_whose_writer_was_killed_in_a_transaction_is_written_on(old, tmp_path, is_moved):
    killed = subprocess.run([sys.executable, "-c", _KILLED_IN_A_TRANSACTION, old / "mlflow.db"])
    assert killed.returncode == -signal.SIGKILL
    assert (old / "mlflow.db-journal").stat().st_size > 0
    folder = old
    if is_moved:
        folder = tmp_path / "new"
        shutil.move(old, folder)
    assert are_outdated(uri(folder), folder / "mlflow-artifacts") == is_moved
    assert not (folder / "mlflow.db-journal").exists()
    write(folder, OTHER)
    assert shown(folder) == SHOWN and shown(folder, "other") == {"later.png": b"later"}


@pytest.mark.parametrize("lost", [None, "curve.png", "table.json", "."])
def test_a_copy_is_written_and_the_original_stays_as_it_is(old, tmp_path, lost):
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    if lost:  # for example, a copy of the small files only
        (place,) = copy.glob("mlflow-artifacts/*/artifacts")
        shutil.rmtree(place) if lost == "." else (place / lost).unlink()
    before = contents(old)
    write(copy, RECORD, OTHER)
    assert contents(old) == before and not are_outdated(uri(old), old / "mlflow-artifacts")
    assert shown(copy) == SHOWN and shown(copy, "other") == {"later.png": b"later"}
    assert str(old) not in "".join(texts(copy)) and old.as_uri() not in "".join(texts(copy))
    write(old, RECORD)
    assert shown(old) == SHOWN


@pytest.mark.parametrize("moment", ["between two runs", "within a run"])
def test_a_folder_that_moves_during_the_writing_does_not_come_back(
    old, tmp_path, monkeypatch, moment
):
    monkeypatch.setattr(writer_module, "_GIVE_UP_SECONDS", 0.0)
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.0)
    new = tmp_path / "new"

    class Moving(RunRecord):
        @property
        def artifacts(self):  # read when the run is in the database and its files are not
            shutil.move(old, new)
            return super().artifacts

    def records():
        yield RunRecord(key="first", name="f", tags={}, files={"a.png": b"a"})
        if moment == "within a run":
            yield Moving(**vars(OTHER))
        shutil.move(old, new)
        yield OTHER

    writer = MlflowWriter(uri(old), "e", "", old / "mlflow-artifacts")
    with pytest.raises(ProjectionError, match="nothing is lost"), writer:
        writer.write(records)
    assert not old.exists()
    write(new, OTHER)
    assert shown(new, "first") == {"a.png": b"a"} and shown(new, "other") == {"later.png": b"later"}


def test_only_paths_of_the_old_folder_are_replaced(tmp_path):
    new, foreign = tmp_path / "new", f"file://{tmp_path}/mine/pictures"
    new.mkdir()
    client, client_uri = MlflowClient(empty_database(new / "mlflow.db")), uri(new)
    ids = {
        at: client.create_experiment(at, artifact_location=f"file:///{at}")
        for at in ("a/mlflow-artifacts", "b/mlflow-artifacts", "a/mlflow-artifacts-2")
    }
    ids["mine"] = client.create_experiment("mine", artifact_location=foreign)
    runs = {at: client.create_run(i).info.run_id for at, i in ids.items()}
    kept = {
        at: client.get_run(runs[at]).info.artifact_uri for at in ("a/mlflow-artifacts-2", "mine")
    }
    artifacts = new / "mlflow-artifacts"
    assert are_outdated(client_uri, artifacts)
    update_locations(client_uri, artifacts)
    assert not are_outdated(client_uri, artifacts)
    here = location_of(artifacts)
    for at, run in runs.items():
        expected = kept.get(at, f"{here}/{run}/artifacts")
        assert client.get_run(run).info.artifact_uri == expected
    assert client.get_experiment("0").artifact_location == f"{here}/0"
    assert client.get_experiment(ids["mine"]).artifact_location == foreign


def test_runs_of_the_default_experiment_keep_their_folder(tmp_path):
    client = MlflowClient(empty_database(tmp_path / "mlflow.db"))
    place, run = client.get_experiment("0").artifact_location, client.create_run("0")
    update_locations(uri(tmp_path), tmp_path / "mlflow-artifacts")
    assert client.get_experiment("0").artifact_location == place
    assert client.get_run(run.info.run_id).info.artifact_uri == run.info.artifact_uri


def test_a_question_writes_nothing_and_a_server_is_left_alone(old, tmp_path):
    copy = tmp_path / "copy"
    shutil.copytree(old, copy)
    before = contents(copy)
    assert are_outdated(uri(copy), copy / "mlflow-artifacts")
    assert contents(copy) == before
    for server in ("http://127.0.0.1:1", "postgresql://127.0.0.1:1/x"):
        assert not are_outdated(server, copy / "mlflow-artifacts")
        update_locations(server, copy / "mlflow-artifacts")
