"""Tests of the notes on results that share a number but come from different source code."""

import dataclasses
import json
import shutil

import pytest

from dashboards.results.cells import read_study
from dashboards.text.table import foot, render
from scorelib.samplers import Als, Cas
from tests.tuning.draining import drain
from tests.tuning.edited_sources import edited, forget
from tests.tuning.miniature import BRIEF, COARSE, Settings, front_study
from tuning.cells import Cell
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import SampleSpec, Snapshot
from tuning.store.documents import as_json
from tuning.store.node_cache import sha256
from tuning.store.store import Store
from tuning.study import Study

AT = Settings(train=BRIEF, iterations=2, extractor=COARSE, n_images=20)
NAMES = {Als: "als", Cas: "cas"}


def study(n_seeds=1, iterations=(2,)):
    """Returns a study that samples with two samplers from each of some trainings."""
    cells = [
        Cell(
            row=name, column=f"after {iteration}", protocol=AT.protocol, n_seeds=n_seeds,
            sample=SampleSpec(
                model=Snapshot(train=BRIEF, iteration=iteration), ema=0.99,
                sampler=sampler(epsilon=0.01, n_sigma=1), chunk_images=10,
            ),
        )
        for iteration in iterations
        for sampler, name in NAMES.items()
    ]  # fmt: skip
    return Study(
        name="seeds", scale="demo", paper="none", exhibit="Table 0", title="Seeds", settings=AT,
        question="Do seeds agree?", cells=tuple(cells),
    )  # fmt: skip


@pytest.fixture(scope="module")
def one_seed(tmp_path_factory):
    """Returns the folder of a store with one seed of each cell."""
    folder = tmp_path_factory.mktemp("one") / "store"
    drain(study(), Store(str(folder), create=True))
    return folder


@pytest.fixture
def store(one_seed, tmp_path, monkeypatch):
    """Returns a copy of the store, in a process that has computed no digest yet."""
    forget(monkeypatch)
    return Store(str(shutil.copytree(one_seed, tmp_path / "copy")))


def notes(of, store):
    scheduler = Scheduler(of, store)
    assert scheduler.is_complete()
    view = read_study(scheduler, store)
    assert set(view.code_notes) <= set(foot(view))
    for note in view.code_notes:
        assert note in render(view, "markdown").replace("\\", "")
        assert note not in render(view, "csv")
    return list(view.code_notes)


def test_seeds_of_equal_code_get_no_note(store):
    drain(study(2), store)
    assert notes(study(2), store) == []


@pytest.mark.parametrize(
    ("module", "old", "new", "said"),
    [
        ("scorelib.samplers.cas", "def updates", "def updated", "the seeds of cas, after 2"),
        ("scorelib.samplers.cas", "on any schedule.\n\nThe", "on any schedule.\n\nThis", None),
        ("scorelib.samplers.langevin", "class Langevin(", "class Langevins(", None),
        ("scorelib.metrics.frechet", "_SVD_LIMIT = ", "_SVD_LIMIT = 1 + ",
         "the seeds of als, after 2; the seeds of cas, after 2"),
    ],
)  # fmt: skip
def test_seeds_of_changed_code_get_a_note(store, monkeypatch, tmp_path, module, old, new, said):
    edited(monkeypatch, tmp_path, module, old, new)
    drain(study(2), store)
    wanted = [f"different versions of {module} computed {said}"] if said else []
    assert notes(study(2), store) == wanted


def test_one_seed_whose_chunks_come_from_changed_code_gets_a_note(store, monkeypatch, tmp_path):
    scheduler = Scheduler(study(), store)
    for cell in study().cells:
        (score,) = scheduler.cell_jobs(cell)
        for job in (score, score.chunks()[1]):
            store.set_aside(job.stage, job.key)
    edited(monkeypatch, tmp_path, "scorelib.samplers.cas", "def updates", "def updated")
    drain(study(), store)
    said = "different versions of scorelib.samplers.cas computed the seeds of cas, after 2"
    assert notes(study(), store) == [said]


def test_a_training_by_older_code_that_all_seeds_share_gets_no_note(store, monkeypatch, tmp_path):
    for cell in study().cells:
        (score,) = Scheduler(study(), store).cell_jobs(cell)
        for job in (score, *score.chunks()):
            store.set_aside(job.stage, job.key)
    edited(monkeypatch, tmp_path, "scorelib.losses.dsm", "def dsm_loss", "def dsm_lost")
    drain(study(2), store)
    assert notes(study(2), store) == []


def test_nothing_is_claimed_about_results_of_unknown_code(store, monkeypatch, tmp_path):
    for path in (tmp_path / "copy").glob("objects/*/*/manifest.json"):
        body = json.loads(path.read_text())
        del body["code"], body["digest"]
        path.write_bytes(as_json(body | {"digest": sha256(as_json(body))}))
    edited(monkeypatch, tmp_path, "scorelib.samplers.cas", "def updates", "def updated")
    drain(study(2), store)
    assert notes(study(2), store) == []
    drain(study(3), store)
    assert notes(study(3), store) == [], "the second and the third seed are of equal code"


def test_trials_of_changed_code_get_a_note(store, monkeypatch, tmp_path):
    of = front_study()
    ended = dataclasses.replace(of.searches[0], n_trials=2)
    cells = tuple(dataclasses.replace(cell, search=ended) for cell in of.cells)
    drain(dataclasses.replace(of, searches=(ended,), cells=cells), store)
    edited(monkeypatch, tmp_path, "scorelib.samplers.cas", "def updates", "def updated")
    drain(of, store)
    (note,) = notes(of, store)
    assert note.startswith("different versions of scorelib.samplers.cas computed the trials of eps")
