"""Tests of the comparison of two runs: Welch's test, differing settings, equal protocols only."""

import csv
import io
import re

import numpy as np
import pytest
from scipy import stats

from dashboards import compare
from dashboards.compare import main
from dashboards.comparison import EXCEEDS, UNKNOWN, WITHIN, Side, cells, changes, exceeds_noise
from dashboards.results.cells import CellView, Measured, StudyView
from dashboards.results.searches import shown_value
from scorelib.spec_paths import replace_paths
from studies.opening.open_study import record_last_run
from studies.registry import find_study
from tests.dashboards.seeds import measured
from tests.miniature import miniature_study
from tests.studies.miniatures import miniature
from tests.tuning.draining import fill
from tuning.cells import Cell
from tuning.scheduling.scheduler import Scheduler
from tuning.store.provenance import UNKNOWN as UNKNOWN_COMMIT
from tuning.store.provenance import UNKNOWN_CHANGES, Launch, note_launch
from tuning.store.store import Store

EXACT = "noise_consistency"


def run_exact(folder, *, scale="demo", **changed):
    """Returns a finished study of exact numbers, which takes about a second."""
    module, store = find_study(EXACT), Store(str(folder), create=True)
    paths = {path.replace("__", "."): value for path, value in changed.items()}
    study = module.study(scale, replace_paths(module.settings(scale), paths))
    note_launch(store, study.id, {})
    record_last_run(store, study)
    fill(study, store)
    return store


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    folder = tmp_path_factory.mktemp("compare")
    return run_exact(folder / "a"), run_exact(folder / "b")


@pytest.mark.parametrize("seed", range(20))
def test_noise_is_judged_as_by_welchs_test(seed):
    rng = np.random.default_rng(seed)
    a, b = rng.normal(5, 1, size=3), rng.normal(5 + seed % 3, 3, size=5)
    expected = stats.ttest_ind(a, b, equal_var=False).pvalue < 0.05
    sides = [Measured(tuple(x.tolist())) for x in (a, b)]
    assert exceeds_noise(*sides) == (EXCEEDS if expected else WITHIN)
    assert exceeds_noise(*reversed(sides)) == exceeds_noise(*sides)


def test_on_one_seed_only_equality_can_be_told():
    one, other = Measured((1.0,)), Measured((1.9, 2.0, 2.1))
    assert exceeds_noise(one, other) == UNKNOWN and exceeds_noise(one, one) == "equal"
    still = Measured((1.0, 1.0))
    assert exceeds_noise(still, Measured((1.0, 1.0))) == "equal"
    assert exceeds_noise(still, Measured((1.1, 1.1))) == EXCEEDS


def test_nothing_is_subtracted_across_protocols():
    a, b = miniature_study(), miniature_study(n_images="80")

    def side(label, study, value):
        shown = tuple(
            CellView(cell, measured={"raw": measured(value, 0.1, 2)}) for cell in study.cells
        )
        return Side(label, StudyView(study, shown, (), {}), ())

    same = cells(side("A", a, 1.0), side("B", a, 3.0))
    assert (same["difference"] == 2).all() and (same["verdict"] == EXCEEDS).all()
    other = cells(side("A", a, 1.0), side("B", b, 3.0))
    assert other["difference"].isna().all() and (other["verdict"] == "other protocol").all()
    assert changes(side("A", a, 1.0), side("B", b, 3.0)).to_dict("records") == [
        {"setting": "n_images", "A": "60", "B": "80"}
    ]


def test_jobs_are_subtracted_when_only_what_was_trained_differs():
    made = next(cell for cell in miniature("moons_score_mismatch").cells if cell.job)

    def side(**changes):
        cell = Cell(row="r", column="c", job=made.job.replace(**changes), quantities=("D_P",))
        shown = (CellView(cell, measured={"D_P": measured(1.0, 0.1, 2)}),)
        return Side("", StudyView(miniature_study(), shown, (), {}), ())

    trained = tuple(model.replace(iteration=model.iteration - 2) for model in made.job.models)
    assert list(cells(side(), side(models=trained))["verdict"]) == [WITHIN]
    data = made.job.data.replace(n=2 * made.job.data.n)
    for other in (side(sigma=2 * made.job.sigma), side(data=data)):
        assert list(cells(side(), other)["verdict"]) == ["other protocol"]
        assert cells(side(), other)["difference"].isna().all()


def test_what_searches_chose_is_shown_where_it_differs(tmp_path, capsys):
    runs = []
    for name, seed in (("a", "0"), ("b", "1")):
        store, study = Store(str(tmp_path / name), create=True), miniature_study(train__seed=seed)
        record_last_run(store, study)
        fill(study, store)
        runs.append((store, Scheduler(study, store).searches))
    assert main([runs[0][0].url, runs[1][0].url, "--format", "markdown"]) == 0
    shown = capsys.readouterr().out
    assert "| train.seed | 0 | 1 |" in shown
    differ = 0
    for name, run in runs[0][1].items():
        for parameter, ours in run.winner.values.items():
            theirs = runs[1][1][name].winner.values[parameter]
            row = f"| {name}: {parameter} | {shown_value(ours)} | {shown_value(theirs)} |"
            assert (row in shown) == (ours != theirs)
            differ += ours != theirs
    assert differ and shown.count("one seed") == 8 + 1


def test_equal_runs_are_said_to_be_equal(stores, capsys):
    a, b = stores
    assert main([a.url, b.url]) == 0
    shown = capsys.readouterr().out
    assert "the settings are the same" in shown and "made by commit" in shown
    (count,) = re.findall(r"(\d+) of \1: equal", shown)
    assert main([a.url, b.url, EXACT, "--format", "csv"]) == 0
    rows = list(csv.DictReader(io.StringIO(capsys.readouterr().out)))
    assert len(rows) == int(count) and all(float(r["difference"]) == 0 for r in rows)


def test_commits_are_shown_as_far_as_they_are_known(stores, monkeypatch, capsys):
    a, b = stores
    texts = ("3" * 40 + "+changes", "4" * 40 + UNKNOWN_CHANGES, UNKNOWN_COMMIT, None)
    made = [Launch(commit, {}, {}, "3.11", "2026-11-28") for commit in texts]
    monkeypatch.setattr(compare, "launches", lambda store, name: made)
    assert main([a.url, b.url, "--format", "markdown"]) == 0
    assert (
        f"A was made by commit {'3' * 40}+changes, commit {'4' * 40} (changes unknown), "
        "commit unknown, code outside a checkout"
    ) in capsys.readouterr().out


def test_scales_are_told_by_what_stands_behind_the_at(stores, tmp_path, capsys):
    paper = run_exact(tmp_path / "paper", scale="paper")
    assert main([stores[0].url, f"{paper.url}@paper", "--format", "markdown"]) == 0
    assert f"B = {paper.url}@paper" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("{a}", "{a}/none"), "must be a store"),
        (("{a}", "{b}", "cifar_sampling_eps"), "must hold the study cifar_sampling_eps at scale"),
        (("{a}", "{b}@paper"), "unless .* exactly one study in common; the .* common are: none"),
        (("{a}", "{b}", EXACT, "--format", "pdf"), "invalid choice"),
    ],
)
def test_what_cannot_be_compared_is_refused_in_one_line(stores, capsys, arguments, message):
    a, b = stores
    assert main([text.format(a=a.url, b=b.url) for text in arguments]) == 2
    error = capsys.readouterr().err
    assert re.search(message, error) and error.count("\n") == 1 and error.startswith("error: ")
