"""Tests of MLflow with a server on PostgreSQL and artifacts on S3: away, slow and emptied.

`make chaos` kills the server in the middle and starts it again.
"""

import contextlib
import re
import socket
import sys
import threading
import time
import urllib.request
import uuid
from dataclasses import replace

import optuna
import pytest
from mlflow.tracking import MlflowClient
from optuna.trial import create_trial

from dashboards.live.store import LiveStore
from dashboards.records.projections import Projections
from dashboards.results.cells import read_study
from dashboards.sync import main as sync
from dashboards.web.site import Place
from scorelib.errors import InputError
from studies.opening.open_study import last_run_studies, record_last_run
from studies.run import main
from tests.dashboards.test_serve import answer, served
from tests.disks import mounted
from tests.displays import make_database
from tests.miniature import OPTIONS, miniature_study
from tests.services.outage import runs
from tests.tuning.draining import drain
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store
from tuning.tracking import mlflow_writer
from tuning.tracking import writer as writer_module
from tuning.tracking.mlflow_record import RunRecord
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.optuna_writer import IDENTITY, OptunaWriter, TrialRecord
from tuning.tracking.writer import ProjectionError, ProjectionWriter

NAME = "cifar_sampling_eps"
N_RUNS = 2 + 3 + 2 + 6 + 2 + 1
"""Number of runs in the half of the miniature that is used here, since it is written six times:
trainings, searches, choices of a snapshot, other trials, cells, and the table."""

PNG = b"\x89PNG\r\n"


@pytest.fixture(scope="module")
def searches(postgres):
    """Returns an Optuna storage."""
    postgres.create("optuna")
    return postgres.url("optuna")


@pytest.fixture(scope="module")
def finished(s3, searches):
    """Returns a finished miniature in a store on S3."""
    store = Store(f"s3://bucket/{uuid.uuid4().hex}", create=True)
    study = miniature_study(n_sigma="[1]", projections__optuna=searches)
    drain(study, store)
    record_last_run(store, study)
    return store


def shown(uri):
    """Returns what MLflow shows of the study, by key."""
    found = runs(uri, NAME)
    keys = {run.info.run_id: run.data.tags["key"] for run in found}
    by_key = {
        run.data.tags["key"]: (
            run.data.metrics,
            run.data.params,
            # MLflow assigns new ids after a loss, so a parent is identified by its key.
            {n: keys.get(text, text) for n, text in run.data.tags.items() if n != "mlflow.user"},
            run.info.status,
            run.info.run_name,
        )
        for run in found
    }
    assert len(by_key) == len(found), "a run is doubled"
    return by_key


def test_a_study_on_s3_is_shown_by_a_server_on_postgresql(finished, mlflow, tmp_path):
    (study,) = last_run_studies(finished).studies
    scheduler = Scheduler(study, finished)
    with Projections(scheduler, finished, mlflow.uri) as projections:
        pass
    assert projections.failures == []
    assert len(shown(mlflow.uri)) == N_RUNS
    client = MlflowClient(mlflow.uri)
    cells = {
        cell.cell.name: cell for cell in read_study(scheduler, finished).cells if cell.measured
    }
    found = [run for run in runs(mlflow.uri, NAME) if run.data.tags["kind"] == "cell"]
    assert len(found) == len(cells) == 2
    for run in found:
        cell = cells[f"{run.data.tags['row']}, {run.data.tags['column']}"]
        assert run.data.metrics["fd_denoised"] == cell.measured["denoised"].mean
        path = client.download_artifacts(run.info.run_id, "samples/denoised.png", str(tmp_path))
        with open(path, "rb") as picture:
            assert picture.read(len(PNG)) == PNG
    artifacts = finished._fs.find("bucket/mlflow")
    assert sum(path.endswith("denoised.png") for path in artifacts) == 2, "not on S3"


def test_wiped_databases_are_rebuilt_from_the_store_by_sync(
    finished, mlflow, searches, postgres, capsys
):
    arguments = ["--store", finished.url, "--tracking-uri", mlflow.uri]
    assert sync(arguments) == 0
    before, trials_before = shown(mlflow.uri), trials(searches)
    assert len(before) == N_RUNS and sum(map(len, trials_before.values())) == 2 + 6
    # Emptied, not dropped: MLflow's server creates its tables only when it starts.
    tables = postgres.run(
        "select string_agg(quote_ident(tablename), ', ') from pg_tables "
        "where schemaname = 'public' and tablename <> 'alembic_version'",
        database="mlflow",
    )
    postgres.run(f"truncate {tables[0][0]} cascade", database="mlflow")
    postgres.create("optuna")
    assert runs(mlflow.uri, NAME) == []
    for _ in range(2):  # the second time, nothing is left to write
        assert sync(arguments) == 0
        assert shown(mlflow.uri) == before
        assert trials(searches) == trials_before
    assert capsys.readouterr().err == ""


def trials(url):
    """Returns what an Optuna storage shows, by study."""
    return {
        study.study_name: [
            (trial.state, trial.value, trial.params, trial.user_attrs)
            for trial in optuna.load_study(study_name=study.study_name, storage=url).trials
        ]
        for study in optuna.get_all_study_summaries(url)
    }


@contextlib.contextmanager
def broken_server():
    """Yields a server that passes the check at the start but closes every connection."""
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def hang_up():
            with contextlib.suppress(OSError):
                while True:
                    listening.accept()[0].close()

        threading.Thread(target=hang_up, daemon=True).start()
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"
        listening.shutdown(socket.SHUT_RDWR)


def test_a_server_that_stays_away_costs_a_warning_and_sync_writes_the_rest(
    finished, mlflow, searches, postgres, monkeypatch, capsys
):
    postgres.create("optuna")
    monkeypatch.setattr(writer_module, "_GIVE_UP_SECONDS", 0.5)
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.1)
    with broken_server() as uri:
        command = [
            NAME, *OPTIONS, "--set", "n_sigma=[1]", "--set", f"projections.optuna={searches}",
            "--store", finished.url, "--tracking-uri", uri,
        ]  # fmt: skip
        assert main(command) == 2, "a broken server is refused before any work"
        assert "must be an MLflow server that answers" in capsys.readouterr().err
        for command_module in ("studies.cli.launch", "dashboards.sync"):
            # From here on, the server breaks after the check.
            monkeypatch.setattr(f"{command_module}.require_displays", lambda *_: None)
        code = main(command)
        printed = capsys.readouterr()
        assert code == 0
        assert printed.err.count("\n") == 1 and printed.err.startswith("warning: MLflow at http")
        assert "nothing is lost" in printed.err and "Traceback" not in printed.err
        assert len(trials(searches)) == 3, "Optuna waited for MLflow"
        assert sync(["--store", finished.url, "--tracking-uri", uri]) == 1
        assert "error: MLflow at http" in capsys.readouterr().err
    assert sync(["--store", finished.url, "--tracking-uri", mlflow.uri]) == 0
    assert len(shown(mlflow.uri)) == N_RUNS


RUN = RunRecord(key="key", name="name", tags={"kind": "cell"})
TRIAL = TrialRecord("study", create_trial(value=1.0, user_attrs={IDENTITY: "key"}))


@pytest.mark.parametrize(
    ("writer", "record", "size"),
    [
        (lambda url: MlflowWriter(url, "name", "about"), RUN, "100k"),
        (lambda url: MlflowWriter(url, "name", "about"), RUN, "400k"),
        (OptunaWriter, TRIAL, "50k"),
    ],
)
def test_a_disk_that_fills_while_a_database_is_made_leaves_none_half_made(
    tmp_path, monkeypatch, writer, record, size
):
    monkeypatch.setattr(mlflow_writer, "_make_database", make_database)
    monkeypatch.setattr(writer_module, "_GIVE_UP_SECONDS", 0.5)
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.1)
    with mounted(tmp_path / "disk", size) as disk:
        url = f"sqlite:///{disk.folder}/shown.db"

        def write():
            with writer(url) as display:
                display.write(lambda: [record])

        with pytest.raises(ProjectionError, match="disk is full"):
            write()
        assert [path.name for path in disk.folder.iterdir()] == ["shown.db.lock"]
        disk.remount("size=50m")
        write()
        shown = runs(url, "name") if record is RUN else trials(url)["study"]
        assert len(shown) == 1


def test_a_disk_that_fills_while_a_run_is_written_prints_no_traceback(tmp_path, monkeypatch, capfd):
    monkeypatch.setattr(writer_module, "_GIVE_UP_SECONDS", 0.5)
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.1)
    with mounted(tmp_path / "disk", "50m") as disk:
        url = f"sqlite:///{disk.folder}/shown.db"
        with MlflowWriter(url, "name", "about") as display:
            display.write(lambda: [RUN])
        used = sum(path.stat().st_size for path in disk.folder.iterdir())
        disk.remount(f"size={used + 2 * 4096}")
        long = replace(RUN, key="other", curves={"loss": [(n, 1.0) for n in range(1, 5000)]})
        with (
            pytest.raises(ProjectionError, match="disk is full"),
            MlflowWriter(url, "name", "about") as display,
        ):
            display.write(lambda: [long])
        assert "Traceback" not in "".join(capfd.readouterr())
        disk.remount("size=50m")
        with MlflowWriter(url, "name", "about") as display:
            display.write(lambda: [long])
        assert len(runs(url, "name")) == 2


class Recorder:
    """A display in memory that fails while `down` is set."""

    def __init__(self):
        self.down, self.refused = threading.Event(), threading.Event()
        self.taken = []

    def write(self, record):
        if self.down.is_set():
            self.refused.set()
            raise ValueError("not written") from ConnectionError("down")
        self.taken.append(record)


def test_a_display_that_is_down_does_not_hold_up_another(monkeypatch):
    monkeypatch.setattr(writer_module, "_GIVE_UP_SECONDS", 0.0)
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.01)
    one, other = Recorder(), Recorder()
    one.down.set()
    first = ProjectionWriter("one", lambda: one)
    with pytest.raises(ProjectionError, match=r"^one must .* are not written: down"), first:
        with ProjectionWriter("other", lambda: other) as second:
            for number in range(100):
                first.write(lambda number=number: [number])
                second.write(lambda number=number: [number])
        assert other.taken == list(range(100))
    assert one.taken == []


@pytest.mark.parametrize("hangs", [False, True])
def test_after_an_error_a_display_is_waited_for_only_shortly(monkeypatch, hangs):
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.01)
    monkeypatch.setattr(writer_module, "_HURRIED_SECONDS", 0.5)
    display, tried, released = Recorder(), threading.Event(), threading.Event()

    def write(record):
        tried.set()
        if hangs:
            released.wait()
        raise OSError("the disk is full")

    display.write = write
    started = time.monotonic()
    writer = ProjectionWriter("display", lambda: display)
    with pytest.raises(InputError, match="no space left"), writer:
        writer.write(lambda: [1])
        tried.wait()
        raise InputError("no space left")
    assert 0.5 < time.monotonic() - started < 30
    released.set()


def test_a_long_outage_keeps_no_pictures_in_memory(monkeypatch):
    monkeypatch.setattr(writer_module, "_RETRY_SECONDS", 0.01)
    display, made = Recorder(), []
    display.down.set()

    def picture(number):
        made.append(number)
        return [bytes(1_000_000)]

    with ProjectionWriter("display", lambda: display) as writer:
        for number in range(1000):
            writer.write(lambda number=number: picture(number))
        assert display.refused.wait(60)
        assert made == [0], "records are made before their turn"
        display.down.clear()
    assert len(display.taken) == 1000 and sys.getsizeof(display.taken[0]) > 1_000_000


def test_the_pages_show_a_store_on_s3(finished):
    with served(Place(1, LiveStore(finished, f"--store {finished.url}"), None)) as page:
        base, deadline = f"/1/{NAME}-demo", time.monotonic() + 60
        while "2 of 2 cells" not in (text := answer(page, f"{base}/live")[1]):
            assert time.monotonic() < deadline, text
        assert "in MLflow" not in text, "MLflow is served beside a local store only"
        status, text = answer(page, f"{base}/cell/0")
        picture = re.search(r'src="(/1/[^"]*/raw\.png)"', text)[1]
        assert status == 200 and answer(page, f"{base}/search/0")[0] == 200
        with urllib.request.urlopen(page + picture) as response:
            assert response.read().startswith(PNG)
        assert finished.url in answer(page)[1]
