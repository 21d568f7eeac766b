"""Tests that every study can be shown: its figures, and the names of its runs in MLflow."""

import pytest

from dashboards.figures.registry import require_figures
from dashboards.records.mlflow_names import parameter_names, run_name
from studies.registry import STUDIES
from tests.studies.whole_studies import whole_study


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", STUDIES)
def test_every_study_names_figures_that_there_are(name, scale):
    made = whole_study(name, scale)
    require_figures(made)
    assert made.figures


@pytest.mark.parametrize("name", STUDIES)
def test_names_are_unique_in_every_study(name):
    made = whole_study(name)
    for found in (parameter_names(made).values(), [run_name(made, cell) for cell in made.cells]):
        assert len(set(found)) == len(found), found
