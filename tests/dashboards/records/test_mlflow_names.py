"""Tests of the names that MLflow shows: what differs comes first, what is equal is left out."""

from dataclasses import replace

from dashboards.records.mlflow_names import parameter_names, run_name
from tests.miniature import miniature_study
from tests.tuning.quadratic import space, study


def names(of):
    return [run_name(of, cell) for cell in of.cells]


def test_runs_are_named_after_sampler_and_steps_where_these_tell_the_rows_apart():
    rows = ["ALS n=1", "ALS n=5", "CAS n=1", "CAS n=5"]
    assert names(miniature_study()) == rows
    both = miniature_study(columns='["non-adversarial", "adversarial"]')
    assert names(both) == [
        f"{row} · {c}" for row in rows for c in ("non-adversarial", "adversarial")
    ]
    first = both.cells[0]
    alike = replace(both, cells=(first, replace(first, row="another row")), claims=())
    assert names(alike) == [first.row, "another row"]
    assert names(study(space(), 4)) == ["best"]


def test_parameters_are_those_that_differ_under_short_names():
    always = ["sampler", "n_sigma", "ema", "iteration"]
    assert list(parameter_names(miniature_study()).values()) == always
    both = parameter_names(miniature_study(columns='["non-adversarial", "adversarial"]'))
    assert list(both.values()) == [*always, "objective"]
    assert parameter_names(study(space(), 4)) == {}
