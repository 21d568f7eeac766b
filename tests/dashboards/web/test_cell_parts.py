"""Tests of the pages' contents that no other test follows: the classes of pictures' columns."""

from dashboards.results.cells import CellView
from dashboards.web.cell_parts import classes_of
from studies.registry import find_study
from tests.miniature import first_score, miniature_study
from tuning.stages import Score


def test_columns_of_conditional_samples_are_told_asclasses_of():
    definition = find_study("cifar10_dlsm")
    cells = definition.study("demo", definition.settings("demo")).cells
    views = [
        CellView(cell, scores=tuple(job for job in cell.jobs(None) if isinstance(job, Score)))
        for cell in cells
    ]
    found = [classes_of(view) for view in views if view.sample]
    assert found and all(classes == list(range(10)) for classes in found)
    study = miniature_study()
    without = CellView(study.cells[0], scores=(first_score(study),))
    assert classes_of(without) == classes_of(CellView(study.cells[0])) == []
