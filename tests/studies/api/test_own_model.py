"""A score model of a user's own, which was never trained: every command takes it as any other."""

import json
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from dashboards.compare import main as compare
from dashboards.pictures.samples import sample_sheets
from dashboards.records.mlflow_records import models, records
from dashboards.results.cells import read_study
from dashboards.text.answers import answer
from dashboards.text.table import FORMATS, render
from dashboards.web.report_page import render_report
from scorelib.errors import InputError
from scorelib.samplers import Cas
from studies.api import Run
from studies.general.sampling_eps import study
from studies.opening.open_study import changed_settings, record_last_run
from studies.run import main
from tests.studies.own_model import MODEL, SMALL, Memory
from tests.tuning.draining import drain
from tuning.jobs import ExecutionContext
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.spaces import Rung
from tuning.spaces.base import on_rung
from tuning.stages import FidProtocol, SampleSpec, Score
from tuning.testing import check_score_model


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    from tuning.store.store import Store

    made = study("demo", changed_settings("sampling_eps", "demo", SMALL | {"model": MODEL}))
    store = Store(str(tmp_path_factory.mktemp("own") / "store"), create=True)
    planned = forecast(Scheduler(made, store), store, "cpu x1")
    ran = drain(made, store)
    record_last_run(store, made)
    return made, store, planned, ran


def test_the_contract_holds(store):
    check_score_model(MODEL, ExecutionContext(store=store))


def test_a_study_takes_the_model(finished):
    made, store, planned, ran = finished
    assert {row.stage for row in planned} == {stage for stage, _ in ran}
    assert "train" not in {stage for stage, _ in ran}
    view = read_study(Scheduler(made, store), store)
    assert all(cell.measured.keys() == {"raw", "denoised"} for cell in view.cells)
    assert made.cells[0].search.space.sample.ema is None
    for style in FORMATS:
        assert "missing" not in render(view, style)
    assert all(sentence.endswith(".") for sentence in answer(view))


def test_every_display_takes_the_model(finished, capsys):
    made, store, *_ = finished
    scheduler = Scheduler(made, store)
    cells = [record for record in records(scheduler, store) if record.tags["kind"] == "cell"]
    assert len(cells) == 2
    assert json.loads(cells[0].files["spec.json"])["sample"]["model"]["n"] == 100
    assert models(scheduler) == []
    assert sum(name.startswith("samples_") for name in sample_sheets(scheduler, store)) == 2
    assert "sampling_eps" in render_report(scheduler, store)
    assert compare([store.url, store.url, "sampling_eps"]) == 0
    assert "equal" in capsys.readouterr().out


def test_a_cell_has_images_and_a_network_and_no_export(finished, tmp_path):
    made, store, *_ = finished
    run = Run(Scheduler(made, store), store)
    cell = run.cell("CAS, n_sigma = 1", "digits")
    assert cell.samples(3).shape == (3, 1, 8, 8)
    assert cell.network()(torch.rand(2, 1, 8, 8), torch.tensor(0.5)).shape == (2, 1, 8, 8)
    with pytest.raises(InputError, match="must be a network with weights"):
        run.export("CAS, n_sigma = 1", "digits", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_what_only_a_training_has_is_refused(finished):
    made, *_ = finished
    protocol = made.cells[0].protocol
    assert isinstance(protocol, FidProtocol)
    with pytest.raises(InputError, match="ema must be None"):
        SampleSpec(model=MODEL, ema=0.9, sampler=Cas(epsilon=0.01))
    score = Score(
        sample=SampleSpec(model=MODEL, ema=None, sampler=Cas(epsilon=0.01)), protocol=protocol
    )
    with pytest.raises(InputError, match="leave the iteration out"):
        on_rung(score, Rung(n_images=10, keep=1, iteration=5))


def test_a_model_of_other_images_is_refused_in_one_line(tmp_path, capsys):
    text = (
        'model={"spec": "tests:Memory", "data": {"spec": "Digits"}, "schedule": {"spec": '
        '"GeometricSchedule", "sigma_1": 3, "sigma_L": 0.1, "n_levels": 6}}'
    )
    assert main(["sampling_eps", "--store", str(tmp_path / "store"), "--set", text]) == 2
    printed = capsys.readouterr()
    assert "(--set model=VALUE)" in printed.err and printed.err.count("\n") == 1
    assert not (tmp_path / "store").exists()


@dataclass(frozen=True, kw_only=True)
class Flat(Memory):
    """A score model whose answer has lost the shape of the images."""

    KIND = "tests:Flat"

    def score_network(self, at, ema):
        return FlatNetwork()


class FlatNetwork(nn.Module):
    def forward(self, x, sigma):
        return x.flatten(1)


def test_a_model_that_fails_on_images_is_refused_before_anything_is_written(tmp_path, capsys):
    text = (
        'model={"spec": "tests:Flat", "data": {"spec": "Digits"}, "schedule": {"spec": '
        '"GeometricSchedule", "sigma_1": 3, "sigma_L": 0.1, "n_levels": 6}}'
    )
    given = ["--set", text, "--set", "images=Digits"]
    assert main(["sampling_eps", "--store", str(tmp_path / "store"), *given]) == 2
    printed = capsys.readouterr()
    assert f"{__file__}: the output of Flat for two examples of shape (1, 8, 8)" in printed.err
    assert "(2, 1, 8, 8), but got (2, 64)" in printed.err and printed.err.count("\n") == 1
    assert not (tmp_path / "store").exists()
