"""Tests of what is shown of a sweep over a user's job: all trials, spread, causes, figures."""

import pytest

from dashboards.drawing.charts import draw_chart
from dashboards.drawing.png import draw_png
from dashboards.figures.searches import figures
from dashboards.records.mlflow_records import records
from dashboards.records.mlflow_views import views
from dashboards.records.optuna_records import optuna_records
from dashboards.results.cells import read_study
from dashboards.results.searches import trial_table
from dashboards.text.table import render
from tests.tuning.draining import drain
from tests.tuning.quadratic import Quadratic, space, study
from tuning.scheduling.scheduler import Scheduler


@pytest.fixture
def finished(store):
    of = space("random", seed_path="seed", seeds=(0, 2), job=Quadratic(returns="nan"))
    made = study(of, 12, n_seeds=2)
    drain(made, store)
    return Scheduler(made, store), store


def test_every_trial_is_listed_with_its_spread_or_its_cause(finished):
    scheduler, store = finished
    (run,) = scheduler.searches.values()
    data = trial_table(run)
    best, shown = run.winner, dict(data.iloc[0])
    assert len(data) == 12 and shown["value"] == f"{best.value:.4g} ±0.14"
    assert (shown["x"], shown["y"]) == tuple(f"{best.values[n]:.3g}" for n in ("x", "y"))
    failed = [t for t in run.trials if t.result.failed]
    assert (data["value"] == "failed").sum() == len(failed) > 0
    assert set(data[""][data["value"] == "failed"]) == {failed[0].result.failed}
    text = render(read_study(scheduler, store), "markdown")
    assert "all 12 trials, best first" in text and "Parameter importance in bowl" in text
    assert "ours: a bowl" in text and "±" in text


def test_numbers_below_zero_are_drawn_on_a_linear_scale(finished):
    scheduler, store = finished
    drawn = {figure.title: figure for figure in figures(scheduler, store)}
    panels = drawn["bowl: each parameter"].panels
    assert [(p.x.is_log, p.y.is_log) for p in panels] == [(False, False), (True, False)]
    assert panels[0].marks[0].x == [t.values["x"] for t in _ranked(scheduler)]
    assert "bowl: pairs of parameters" in drawn
    assert all(draw_chart(figure).data for figure in drawn.values())
    assert all(draw_png(figure)[:4] == b"\x89PNG" for figure in drawn.values() if figure.file)


def _ranked(scheduler):
    (run,) = scheduler.searches.values()
    return run.ranked(run.trials)


def test_mlflow_and_optuna_hold_the_numbers_of_every_trial(finished):
    scheduler, store = finished
    (run,) = scheduler.searches.values()
    trials = [r for r in records(scheduler, store) if r.tags["kind"] == "trial"]
    held = {int(r.metrics["number"]): r for r in trials}
    copied = {r.trial.user_attrs["number"]: r.trial for r in optuna_records(scheduler)}
    assert held.keys() == copied.keys() == set(range(12))
    for trial in run.trials:
        assert held[trial.number].metrics.get("value") == trial.value
        assert copied[trial.number].values == (None if trial.value is None else [trial.value])
        assert held[trial.number].tags.get("failed") == trial.result.failed
    assert views(scheduler.study)["trials-demo"]["orderByKey"] == "metrics.`value`"
