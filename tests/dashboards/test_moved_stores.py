"""Tests of stores that were moved or copied: nothing in them leads to the old folder."""

import json
import shutil
import sqlite3

import pytest
from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository
from mlflow.tracking import MlflowClient

from dashboards.sync import main
from dashboards.web.child_servers import ChildServer, ChildServers
from scorelib.spec_paths import replace_paths
from studies.opening.open_study import last_run_studies, record_last_run
from studies.registry import find_study
from tests.displays import empty_database
from tests.ports import free_port
from tests.tuning.draining import fill
from tuning.drivers.driver import Driver
from tuning.drivers.lock import StudyLock
from tuning.store.store import Store
from tuning.tracking.artifact_locations import update_locations


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    """Returns the folder of a store with a finished study that is shown in MLflow."""
    folder = tmp_path_factory.mktemp("moved") / "original"
    store = Store(str(folder), create=True)
    module = find_study("noise_consistency")  # its exact numbers take about a second
    settings = replace_paths(module.settings("demo"), {"data.root": str(folder.parent / "data")})
    study = module.study("demo", settings)
    fill(study, store)
    record_last_run(store, study)
    empty_database(folder / "mlflow.db")
    assert main(["--store", str(folder)]) == 0
    return folder


@pytest.fixture
def original(written, tmp_path):
    """Returns another copy of the store, whose database already belongs to its place."""
    folder = tmp_path / "original"
    shutil.copytree(written, folder)
    update_locations(f"sqlite:///{folder}/mlflow.db", folder / "mlflow-artifacts")
    return folder


def pictures(folder):
    """Returns the pictures and tables that MLflow lists in a folder for each run, by its key."""
    client = MlflowClient(f"sqlite:///{folder}/mlflow.db")
    found = {}
    for run in client.search_runs(["1"], max_results=1000):
        assert run.info.artifact_uri.startswith(f"{folder.as_uri()}/")
        artifacts = get_artifact_repository(run.info.artifact_uri)
        found[run.data.tags["key"]] = sorted(f.path for f in artifacts.list_artifacts())
    return found


def contents(folder):
    return {p.relative_to(folder): p.read_bytes() for p in folder.rglob("*") if p.is_file()}


def test_a_moved_store_lists_its_pictures_and_the_old_folder_stays_away(original, tmp_path):
    before, new = pictures(original), tmp_path / "elsewhere"
    kinds = {key.partition("-")[0]: names for key, names in before.items()}
    assert all(any(n.endswith(".png") for n in kinds[kind]) for kind in ("cell", "table"))
    assert {"table.json", "table.md"} <= set(kinds["table"])
    shutil.move(original, new)
    assert main(["--store", str(new)]) == 0
    assert not original.exists() and pictures(new) == before


def test_sync_of_a_copy_writes_into_the_copy_only(original, tmp_path):
    before, copy = pictures(original), tmp_path / "copy"
    shutil.copytree(original, copy, ignore=shutil.ignore_patterns("mlflow-artifacts"))
    files = contents(original)
    assert main(["--store", str(copy)]) == 0
    assert contents(original) == files
    assert pictures(copy) == before == pictures(original)
    with sqlite3.connect(copy / "mlflow.db") as database:
        database.execute("VACUUM INTO ?", (str(copy / "compact.db"),))  # without deleted rows
    (copy / "mlflow.db").unlink()
    leading_back = [path for path, data in contents(copy).items() if str(original).encode() in data]
    assert leading_back == [], "these files name the original"


def test_the_place_of_files_is_no_parameter_of_the_table(original):
    client = MlflowClient(f"sqlite:///{original}/mlflow.db")
    (run,) = client.search_runs(["1"], filter_string="tags.kind = 'table'")
    (study,) = last_run_studies(Store(str(original))).studies
    shown = {n: v for n, v in study.settings.flat().items() if v is not None}
    assert shown.keys() - run.data.params.keys() == {
        n for n in shown if n.startswith(("data.", "execution.", "projections."))
    }
    assert "data.root" in shown and run.data.params


def test_serving_a_moved_store_corrects_its_database_before_mlflow_starts(
    original, tmp_path, monkeypatch, caplog
):
    started = []
    monkeypatch.setattr(
        ChildServer, "start_if_ready", lambda self: started.append(contents(self.database.parent))
    )
    before, files = pictures(original), contents(original)
    with ChildServers(Store(str(original)), free_port(), free_port()):
        pass
    assert contents(original) == files, "a store at its place is only read"
    new = tmp_path / "elsewhere"
    shutil.move(original, new)
    started.clear()
    with ChildServers(Store(str(new)), free_port(), free_port()):
        pass
    assert pictures(new) == before and contents(new) == started[0]
    assert not original.exists() and not caplog.text


def test_a_copy_that_cannot_be_corrected_is_reported(original, tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(ChildServer, "start_if_ready", lambda self: None)
    copy = tmp_path / "copy"
    shutil.copytree(original, copy)
    (copy / "mlflow.db").write_bytes(b"no database at all" * 100)
    with ChildServers(Store(str(copy)), free_port(), free_port()):
        pass
    assert "MLflow may show no pictures, or those of another folder" in caplog.text


def test_a_copy_made_while_a_study_runs_is_not_locked(original, tmp_path, capsys):
    copy = tmp_path / "copy"
    study = last_run_studies(Store(str(original))).studies[0].id
    with Driver(Store(str(original))) as running, StudyLock(running, study):
        shutil.copytree(original, copy)
        assert main(["--store", str(copy)]) == 0
        assert main(["--store", str(original)]) == 1
        assert "one driver at a time" in capsys.readouterr().err
        moved = tmp_path / "moved"
        original.rename(moved)  # a renamed store is the same store: its driver is alive
        assert main(["--store", str(moved)]) == 1
        moved.rename(original)


def test_optunas_database_inside_a_store_is_not_written_from_a_copy(original, tmp_path, capsys):
    copy, files = tmp_path / "copy", contents(original)
    shutil.copytree(original, copy)
    (document,) = (copy / "studies").glob("*.json")
    settings = json.loads(document.read_text())
    settings["projections"]["optuna"] = f"sqlite:///{original}/trials.db"
    document.write_text(json.dumps(settings))
    assert main(["--store", str(copy)]) == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1 and error.startswith(
        "error: projections.optuna must be a database"
    )
    assert str(original) in error and contents(original) == files
