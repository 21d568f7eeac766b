"""Tests of the Python interface without Ray: results as numbers, refusals, cheap import."""

import inspect
import math
import re
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import plotly.graph_objects as go
import pytest
import torch

import studies
from dashboards.results.cells import read_study
from scorelib.errors import InputError
from studies.cli import launch
from studies.opening.open_study import record_last_run
from tests.displays import empty_database
from tests.miniature import MINIATURE, miniature_study
from tests.tuning.draining import fill
from tuning.jobs import ExecutionContext
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import CorruptObjectError, Store

NAME = "cifar_sampling_eps"
ROW, COLUMN = "consistent (n_sigma = 1)", "non-adversarial"
SMALL = {"n_sigma": "[1]", "search__n_trials": "2", "selection__n_trials": "1", "seeds": "2"}
CHANGES = MINIATURE | {name.replace("__", "."): value for name, value in SMALL.items()}


pytestmark = pytest.mark.filterwarnings("error::pandas.errors.PerformanceWarning")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Returns the store of a finished miniature."""
    made = Store(str(tmp_path_factory.mktemp("results") / "store"), create=True)
    empty_database(made.folder / "mlflow.db")
    study = miniature_study(**SMALL)
    fill(study, made)
    record_last_run(made, study)
    return made


@pytest.fixture(scope="module")
def run(store):
    return studies.open(store.url).run(NAME)


@pytest.fixture(scope="module")
def view(store):
    return read_study(Scheduler(miniature_study(**SMALL), store), store)


def files_of(store):
    return {path: path.stat().st_mtime_ns for path in store.folder.rglob("*")}


def test_the_import_is_cheap():
    code = (
        "import sys; before = set(sys.modules); import studies; dir(studies); "
        "print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = done.stdout.split()
    assert "studies" in loaded and len(loaded) < 30, loaded
    assert not {"torch", "ray", "mlflow", "pandas", "numpy", "tuning", "scorelib"} & set(loaded)


def test_an_unknown_name_is_an_attribute_error():
    assert {"launch", "open"} <= set(dir(studies))
    with pytest.raises(AttributeError, match="no attribute 'lunch'"):
        studies.lunch  # noqa: B018


def test_the_table_holds_every_number_of_every_cell(run, view):
    claims = run.claims()
    assert [*claims["claim"]] == [claim.text for claim in run.study.claims] and len(claims) > 0
    assert (claims["n_seeds"] == view.cells[0].cell.n_seeds).all() and (
        claims["n_missing"] == 0
    ).all()
    table = run.table()
    assert table.columns.nlevels == 3 and set(table.dtypes) == {np.dtype("float64")}
    assert list(table.index) == list(dict.fromkeys(cell.cell.row for cell in view.cells))
    for cell in view.cells:
        for name, measured in cell.measured.items():
            numbers = table.loc[cell.cell.row, (cell.cell.column, name)]
            assert numbers["value"] == measured.mean and numbers["spread"] == measured.spread > 0
            assert numbers["reported"] == cell.cell.reported[name].value
    assert "difference" not in table.columns.get_level_values("number")  # other protocols


def test_the_trials_of_a_search_are_numbers(run, view):
    search = f"cas n_sigma=1, {COLUMN}"
    trials = run.trials(search)
    expected = [(t, rung) for rung, of in enumerate(view.runs[search].rungs()) for t in of]
    assert len(trials) == len(expected) == 3
    for trial, rung in expected:
        row = trials.loc[trial.number, rung]
        assert row["epsilon"] == trial.epsilon and row["r"] == trial.r
        assert row["denoised"] == trial.result.numbers["denoised"]
        assert row["images"] == (40, 60)[rung] and row["iteration"] == 60
    (winner,) = trials.index[trials["is_winner"]]
    assert winner == (view.runs[search].winner.number, 1)


def test_a_cell_gives_its_settings_images_and_network(run, view, store):
    cell = run.cell(ROW, COLUMN)
    shown = next(c for c in view.cells if (c.cell.row, c.cell.column) == (ROW, COLUMN))
    assert cell.spec == shown.sample and cell.epsilon == shown.sample.epsilon
    assert cell.values == shown.measured
    place = ExecutionContext(store=store)
    network, weights = cell.network(), cell.spec.model.weights(place, cell.spec.ema)
    assert not network.training
    assert all(torch.equal(value, weights[name]) for name, value in network.state_dict().items())
    denoised = cell.samples(30)
    assert denoised.shape == (30, 1, 8, 8)
    als = run.cell("non-consistent (n_sigma = 1)", COLUMN)  # whose raw images contain noise
    assert torch.equal(als.samples(5), als.samples(5, "denoised"))
    assert not torch.equal(als.samples(5), als.samples(5, "raw"))
    assert torch.equal(cell.samples(30, seed=1), denoised)
    assert not torch.equal(cell.samples(30, seed=2), denoised)


def test_figures_and_the_report(run, tmp_path):
    title = f"cas n_sigma=1, {COLUMN}: history"
    assert title in run.figures
    figure = run.figure(title)
    assert isinstance(figure, go.Figure) and figure.layout.title.text == title and figure.data
    assert "</html>" in run.report(tmp_path / "x.html").read_text()


def test_objects_show_themselves_in_a_notebook(run, store, view):
    page = run._repr_html_()
    done = re.search(r"(\d+) of (\d+) jobs done", page)
    assert done[1] == done[2] and "<table" in page and f"<td>{ROW}</td>" in page
    cell = run.cell(ROW, COLUMN)
    mean = f"{cell.values['denoised'].mean:.4g}"
    assert mean in repr(cell) and mean in page and "data:image/png;base64," in cell._repr_html_()
    assert NAME in studies.open(store.url)._repr_html_()


def test_opening_a_store_reads_only(store, tmp_path):
    before = files_of(store)
    contents = studies.open(store.folder)
    table = contents.table()
    assert list(table.index) == [(NAME, "demo")] and table.loc[(NAME, "demo"), "state"] == "done"
    run = contents.run(NAME)
    run.table(), run._repr_html_(), run.cell(ROW, COLUMN).samples(3), run.figures
    assert files_of(store) == before
    with pytest.raises(InputError, match=f"which holds {NAME}-demo, but got 'noise_consistency'"):
        contents.run("noise_consistency")
    with pytest.raises(InputError, match=r"has no store\.json"):
        studies.open(tmp_path / "none")
    assert not (tmp_path / "none").exists()


@pytest.mark.parametrize("given", ["a name", "a study", "another thread"])
def test_a_finished_study_is_only_read(store, view, given):
    keys = [path.parent.name for path in store.folder.glob("objects/*/*/manifest.json")]
    made = []

    def launching():
        if given == "a study":
            made.append(studies.launch(miniature_study(**SMALL), store=store.folder))
        else:
            made.append(studies.launch(NAME, store=store.url, changes=CHANGES))

    if given == "another thread":
        thread = threading.Thread(target=launching)
        thread.start()
        thread.join()
    else:
        launching()
    (run,) = made
    assert run.is_complete and run.stopped is None and run.failures == {}
    assert run.cell(ROW, COLUMN).values["raw"].mean == view.cells[1].measured["raw"].mean
    assert sorted(keys) == sorted(
        path.parent.name for path in store.folder.glob("objects/*/*/manifest.json")
    )


def test_warnings_of_a_launch_are_warnings_of_python(store, monkeypatch):
    def corrupt(*_):
        raise CorruptObjectError("score", "abc", "checksum of scores")

    monkeypatch.setattr(launch, "png_files", corrupt)
    with pytest.warns(UserWarning, match="^pictures are missing: score abc is corrupt"):
        assert studies.launch(NAME, store=store.url, changes=CHANGES).is_complete


def test_jobs_that_were_given_up_are_named(store):
    study = miniature_study(**SMALL)
    job = study.snapshots[0]
    given_up = {job.key: (job, "its worker process died")}
    run = studies.Run(Scheduler(study, store), store, stopped="by SIGTERM", given_up=given_up)
    assert run.failures == {job.title(): "its worker process died"}
    assert run.state.endswith(
        f"jobs done, stopped by SIGTERM, failed: {job.title()}: its worker process died"
    )
    assert run.state in run._repr_html_()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"study": "cifar_samplin_eps"}, "the nearest is 'cifar_sampling_eps'"),
        ({"study": 3}, "study must be a name or a path, but got 3"),
        ({"store": None}, "store must be a name or a path, but got None"),
        ({"address": 3}, "address must be text, but got 3"),
        ({"tracking_uri": 3}, "tracking_uri must be text, but got 3"),
        ({"changes": 3}, "changes must be a dictionary such as"),
        ({"changes": ["seeds=3"]}, "changes must be a dictionary such as"),
        ({"changes": {3: 3}}, "changes must be a dictionary such as"),
        ({"study": replace(miniature_study(), name="")}, "must have a name, such as"),
        ({"scale": "huge"}, "the scale must be one of demo, paper, but got 'huge'"),
        ({"changes": {"train.sede": 1}}, "the nearest is 'train.seed'"),
        ({"changes": {"train.seed": "one"}}, "TrainSpec.seed must be int"),
        ({"changes": {"train.seed": 1.5}}, "TrainSpec.seed must be int; got 1.5"),
        ({"changes": {"train.schedule": "Linear"}}, "train.schedule must be one of the kinds"),
        ({"cpus": 0}, "cpus must be a whole number of at least 1, but got 0"),
        ({"cpus": "two"}, "cpus must be a whole number of at least 1, but got 'two'"),
        ({"gpus": -1}, "gpus must be a whole number of at least 0, but got -1"),
        ({"gpus": 99}, "^gpus must be at most"),
        ({"max_concurrent": True}, "max_concurrent must be a whole number"),
        ({"address": "somewhere"}, "^address must be auto or HOST:PORT"),
        ({"tracking_uri": "mlruns"}, "tracking_uri must be a server"),
        ({"store": "memory://x"}, "needs an MLflow server, but got only the store 'memory://x'"),
        ({"scale": "paper"}, "jobs need a GPU, but there is none"),
        (
            {"study": miniature_study(), "changes": {"seeds": 1}},
            "changes must be empty",
        ),
        ({"study": miniature_study(), "scale": "paper"}, "must be that of the study, 'demo'"),
    ],
)
def test_bad_input_is_an_error_without_options_and_nothing_is_written(
    capsys, tmp_path, monkeypatch, arguments, message
):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=message) as refused:
        studies.launch(**{"study": NAME} | arguments)
    assert "--" not in str(refused.value) and "\n" not in str(refused.value)
    assert capsys.readouterr() == ("", "") and list(tmp_path.iterdir()) == []


def test_what_is_not_there_is_named_with_the_nearest(run, tmp_path):
    for ask, message in (
        (lambda: run.cell("consistent (n_sigma = 2)", COLUMN), f"the nearest is {ROW!r}"),
        (lambda: run.cell(ROW, "adversarial"), "the column must be one of 'non-adversarial'"),
        (lambda: run.trials("cas"), "the search must be one of"),
        (lambda: run.figure("cas"), "the figure must be one of"),
        (lambda: run.cell(ROW, COLUMN).samples(3, "clean"), "must be one of 'raw', 'denoised'"),
        (lambda: run.cell(ROW, COLUMN).samples(2.5), "a whole number from 1 to 1,000,000, but got"),
        (lambda: run.cell(ROW, COLUMN).samples(10**9), "a whole number from 1 to 1,000,000"),
        (lambda: run.report(tmp_path / "none" / "x.html"), "must be a file in an existing folder"),
    ):
        with pytest.raises(InputError, match=re.escape(message)):
            ask()


RIGHT = {
    studies.launch: {"study": NAME, "changes": CHANGES},
    studies.open: {},
    studies.StoreContents.run: {"name": NAME},
    studies.Run.cell: {"row": ROW, "column": COLUMN},
    studies.Run.export: {"row": ROW, "column": COLUMN, "folder": "out"},
    studies.Run.trials: {"search": f"cas n_sigma=1, {COLUMN}"},
    studies.Run.figure: {"title": f"cas n_sigma=1, {COLUMN}: history"},
    studies.Run.report: {"file": "page.html"},
    studies.CellResult.samples: {"n_images": 2},
}
"""Arguments with which every public function and method of the interface works."""

ARGUMENTS = [(f, name) for f in RIGHT for name in inspect.signature(f).parameters if name != "self"]


def test_the_table_of_arguments_holds_every_public_method():
    """The other methods take no arguments, or those of the launch that is inside."""
    inside = {"context", "lost"}
    for cls in (studies.StoreContents, studies.Run, studies.CellResult):
        for name, method in inspect.getmembers(cls, inspect.isfunction):
            takes = len(inspect.signature(method).parameters) > 1
            assert not takes or name.startswith("_") or name in inside or method in RIGHT, method


@pytest.mark.parametrize(
    ("function", "name"), ARGUMENTS, ids=[f"{f.__name__}-{name}" for f, name in ARGUMENTS]
)
def test_an_argument_of_a_wrong_type_is_refused_in_one_line(
    run, store, tmp_path, monkeypatch, capsys, function, name
):
    monkeypatch.chdir(tmp_path)
    owner = {"run": studies.open(store.url), "samples": run.cell(ROW, COLUMN)}
    self = [owner.get(function.__name__, run)] if "." in function.__qualname__ else []
    right = RIGHT[function] | ({"store": store.url} if not self else {})
    for wrong in (3.5, b"bytes", [[]], {"a": []}, object(), ""):
        with pytest.raises(InputError) as refused:
            function(*self, **right | {name: wrong})
        words = str(refused.value)
        assert "\n" not in words and "--" not in words and "got" in words, (wrong, words)
    assert list(tmp_path.iterdir()) == [] and capsys.readouterr() == ("", "")


def test_a_cell_that_is_not_measured_says_what_to_do(tmp_path):
    made = Store(str(tmp_path / "store"), create=True)
    record_last_run(made, miniature_study(**SMALL))
    run = studies.open(made.url).run(NAME)
    cell = run.cell(ROW, COLUMN)
    assert not run.is_complete and cell.values == {} and cell.epsilon is None
    assert math.isnan(run.table().loc[ROW, (COLUMN, "raw", "value")])
    assert isinstance(run.trials(run.searches[0]), pd.DataFrame)
    for ask in (lambda: cell.spec, lambda: cell.samples(1), cell.network):
        with pytest.raises(InputError, match="its search is not finished: launch the study again"):
            ask()
    assert "not measured yet" in cell._repr_html_() and "0 of" in run._repr_html_()


def test_a_study_without_images_has_cells_without_a_network(tmp_path):
    store = tmp_path / "store"
    Store(str(store), create=True)
    empty_database(store / "mlflow.db")
    study = miniature_study_of("noise_consistency")
    fill(study, Store(str(store)))
    run = studies.launch(study, store=store)
    assert run.is_complete and len(run.table()) > 0
    with pytest.raises(InputError, match="must be measured on generated images"):
        run.cells[0].network()


def miniature_study_of(name):
    from studies.registry import find_study

    found = find_study(name)
    return found.study("demo", found.settings("demo"))


def test_the_page_names_what_is_there(run, store):
    page = (Path(__file__).parents[3] / "docs" / "python.md").read_text()
    objects = {
        "studies": studies, "run": run, "cell": run.cells[0], "contents": studies.open(store.url)
    }  # fmt: skip
    named = re.findall(r"\b(studies|run|cell|contents)\.(\w+)", page)
    assert len(set(named)) > 15
    for owner, name in named:
        # An instance attribute, or one of the class: a property need not be computed.
        assert name in dir(objects[owner]), f"{owner}.{name}"
