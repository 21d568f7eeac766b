"""Tests of the studies of denoising likelihood score matching in miniature."""

import dataclasses
import shutil

import pytest

from dashboards.figures.class_gains import class_gains_of
from dashboards.figures.registry import figures
from dashboards.results.cells import read_study
from tests.studies.miniature_contract import MiniatureContract
from tests.studies.miniatures import studies_of
from tests.tuning.draining import drain
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


@pytest.mark.parametrize("finished", studies_of("dlsm"), indirect=True)
class TestEveryStudy(MiniatureContract):
    """The checks for every study, on the studies of this paper."""


def test_what_finished_jobs_rest_on_need_not_be_there(worked_off, tmp_path):
    scheduler, whole, *_ = worked_off("cifar10_dlsm")
    made, store = scheduler.study, Store(str(shutil.copytree(whole.url, tmp_path / "store")))
    for cell in made.cells:
        for chunk in cell.job.chunks() if cell.job else ():  # of the accuracy score
            shutil.rmtree(store.folder / "objects" / chunk.stage / chunk.key)
    scheduler = Scheduler(made, store)
    assert scheduler.is_complete()
    assert sum(row.n_to_run for row in forecast(scheduler, store, "cpu x1")) == 0
    assert drain(made, store) == []
    first = made.cells[0]  # the accuracy score needs its chunks again for other images
    other = dataclasses.replace(first, job=first.job.replace(which="raw"))
    scheduler = Scheduler(dataclasses.replace(made, cells=(other,), claims=()), store)
    left = {row.stage: row.n_to_run for row in forecast(scheduler, store, "cpu x1")}
    assert left["sample"] > 0 and left["accuracy"] == 1


def test_what_dlsm_gains_class_by_class_is_drawn_and_sums_to_the_cells(worked_off):
    scheduler, store, *_ = worked_off("cifar10_dlsm")
    gains = class_gains_of(scheduler, store)
    cells = {(c.cell.row, c.cell.column): c for c in read_study(scheduler, store).cells}
    assert list(gains) == [
        f"class-wise {name}" for name in ("precision", "recall", "density", "coverage")
    ]
    for row, of_classes in gains.items():
        ours, base = (cells[row, column].measured["denoised"].mean for column in ("ours", "base"))
        assert len(of_classes) == 10
        assert sum(of_classes.values()) / 10 == pytest.approx(ours - base)
    drawn = [figure for figure in figures(scheduler, store) if figure.file == "class_gains.png"]
    for figure, of_classes in zip(drawn, gains.values(), strict=True):
        (bars,) = figure.panels[0].marks
        assert dict(zip(map(int, bars.x), bars.y, strict=True)) == of_classes
