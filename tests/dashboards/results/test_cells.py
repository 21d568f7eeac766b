"""Tests of the results of cells: printed numbers and directions; reading writes nothing."""

import dataclasses
import shutil

import pytest

from dashboards.results.cells import CellView, Measured, read_study
from dashboards.text.answers import answer
from dashboards.text.table import FORMATS, render
from studies.registry import find_study
from tests.miniature import miniature_study
from tests.tuning.draining import fill
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import DataShares, OracleErrors
from tuning.store.store import Store


def test_a_number_is_printed_with_its_spread_if_there_are_several_seeds():
    assert str(Measured((1.23456,))) == "1.235"
    assert str(Measured((1.0, 3.0))) == "2 ±1.4"


def test_two_numbers_are_level_that_are_printed_as_the_same_mean():
    one = Measured((1.00001,))
    assert one.is_level(Measured((1.00004,))) and one.is_level(Measured((0.5, 1.5)))
    assert not one.is_level(Measured((1.001,)))


def test_the_lower_cost_is_the_better_number_in_either_direction():
    own = miniature_study().cells[0]
    assert own.lower_is_better
    fid = CellView(own, measured={"raw": Measured((2.0,)), "denoised": Measured((1.0,))})
    assert fid.cost("denoised") < fid.cost("raw")
    module = find_study("inception_score")
    cells = module.study("demo", module.settings("demo")).cells
    (higher,) = {c.protocol: c for c in cells if c.protocol and not c.lower_is_better}.values()
    score = dataclasses.replace(fid, cell=higher)
    assert score.cost("denoised") > score.cost("raw")


@pytest.mark.parametrize(
    ("study", "kind"), [("mnist_initial_noise", DataShares), ("moons_score_mismatch", OracleErrors)]
)
def test_neither_direction_is_better_where_nothing_competes(study, kind):
    module = find_study(study)
    cells = module.study("demo", module.settings("demo")).cells
    own = [cell for cell in cells if isinstance(cell.job, kind)]
    assert own and all(cell.lower_is_better is None for cell in own)


def test_reading_a_study_writes_nothing_even_where_proposals_are_missing(tmp_path):
    store = Store(str(tmp_path / "store"), create=True)
    study = miniature_study()
    fill(study, store)
    runs = Scheduler(study, store).searches
    for name in {cell.search.name for cell in study.cells}:
        shutil.rmtree(tmp_path / "store" / "ledger" / runs[name].ledger_key)
    store = Store(str(tmp_path / "store"))
    before = contents(tmp_path)
    view = read_study(Scheduler(study, store), store)
    for style in FORMATS:
        render(view, style)
    answer(view)
    assert contents(tmp_path) == before


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}
