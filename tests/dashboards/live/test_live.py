"""Tests of what the served pages show: times with errors, the table as it fills, failures."""

import math
import threading
import time

import numpy as np
import pytest

from dashboards.live.failures import failure_lines
from dashboards.live.fresh import Fresh
from dashboards.live.newest import newest
from dashboards.live.stages import relative_error, stage_lines, with_error
from dashboards.live.store import LiveStore
from dashboards.live.tables import live_table
from dashboards.results.cells import Measured, read_study
from dashboards.results.costs import JobCost, StageCost, job_costs
from dashboards.text.rounding import rounded
from dashboards.text.table import render
from scorelib.errors import InputError
from studies.opening.open_study import changed_since_last_run, record_last_run
from studies.registry import STUDIES
from tests.miniature import miniature_study
from tests.tuning.draining import drain
from tuning.jobs import Work
from tuning.scheduling.forecast import StageForecast
from tuning.scheduling.scheduler import Scheduler
from tuning.store.history import history, note_start
from tuning.store.store import Store


def cost(pace, rate="score", stage="score"):
    return JobCost(StageCost(stage, 1, 0, 0, pace, 0), "cpu x1", rate, pace)


def test_the_interval_of_a_predicted_time_holds_in_95_of_100_cases():
    draw = np.random.default_rng(0)
    n_left, n_measured, hits = 40, 20, 0
    for _ in range(2000):
        times = draw.gamma(25.0, 0.2, n_measured + n_left)
        measured, left = times[:n_measured], times[n_measured:]
        predicted = measured.mean() * n_left
        share = relative_error([cost(float(t)) for t in measured], n_left)
        hits += abs(left.sum() - predicted) < share * predicted
    assert 0.92 < hits / 2000 < 0.97


def test_jobs_of_different_rates_are_compared_with_their_own_mean():
    alike = [cost(p, "a") for p in (1.0, 1.2)] + [cost(p, "b") for p in (10.0, 12.0)]
    ratios = [1 / 1.1, 1.2 / 1.1, 1 / 1.1, 1.2 / 1.1]
    expected = 1.96 * np.std(ratios, ddof=1) * math.sqrt(1 / 6 + 1 / 4)
    assert relative_error(alike, 6) == pytest.approx(expected)
    assert relative_error(alike[:2], 6) is None and relative_error(alike, 0) is None


def test_times_are_said_with_what_is_known_of_them():
    assert with_error(3600, 0.1, False) == "1h00m ± 6m00s"
    assert with_error(3600, None, False) == "about 1h00m"
    assert with_error(3600, 0.1, True) == "est. 20m00s to 3h00m"


def test_the_lines_of_stages_add_up_and_follow_the_launch_that_runs():
    rows = [
        StageForecast("train", 2, 0, Work(), 0.0, False),
        StageForecast("score", 3, 5, Work(), 2.0, False),
    ]
    measured = [cost(p) for p in (9.0, 10.0, 11.0)] + [cost(7.0, "train", "train")] * 2
    *_, score, whole = stage_lines(rows, measured, None)
    assert (score.n_done, score.n_jobs, score.rate) == (3, 8, "")
    error = relative_error(measured[:3], 5) * 7200
    assert score.left == whole.left == with_error(7200, error / 7200, False)
    assert (whole.spent, whole.to_come) == (44.0, 7200.0)
    now = {"stage": "score", "per_minute": 2.5, "seconds_left": 60.0, "is_estimate": False}
    *_, score, whole = stage_lines(rows, measured, now | {"stages": [now]})
    assert score.rate == "2.5/min" and score.left.startswith("1m00s ± ")
    assert whole.left == score.left


@pytest.mark.parametrize(
    ("values", "text"),
    [
        ((13.2, 13.6), "13.4(3)"), ((7.5,), "7.5"), ((7.5, 7.5), "7.5"),
        ((1200.0, 1300.0), "1250(70)"), ((0.0101, 0.0103), "0.0102(1)"),
        ((1.0, 1.1372), "1.1(1)"), ((-5.0, -4.98), "-4.99(1)"), ((13.40, 13.4138), "13.41(1)"),
        ((1.2e-9, 1.4e-9), "1.3(1)e-09"), ((2e9, 4e9), "3(1)e+09"),
    ],
)  # fmt: skip
def test_numbers_are_rounded_to_their_spread(values, text):
    assert rounded(Measured(values)) == text


def test_a_value_is_computed_in_the_background_and_kept_in_proportion_to_its_time(monkeypatch):
    now, go, made = [100.0], threading.Event(), []
    monkeypatch.setattr(time, "monotonic", lambda: now[0])

    def compute(before):
        go.wait()
        now[0] += 3
        made.append(before)
        return len(made)

    value = Fresh(compute)
    assert value.get(0.01) is None, "the page does not wait"
    go.set()
    assert value.latest() == 1
    now[0] += 29
    assert value.latest() == 1 and made == [None], "kept for ten times three seconds"
    now[0] += 2
    assert value.latest() == 2 and made == [None, 1]


def test_an_error_in_the_background_is_raised_where_somebody_asks():
    def compute(before):
        raise InputError("the store must be there")

    with pytest.raises(InputError, match="must be there"):
        Fresh(compute).get(None)


@pytest.fixture(scope="module")
def followed(tmp_path_factory):
    """Returns a study, its store, and the states of its table after every tenth job."""
    store = Store(str(tmp_path_factory.mktemp("live") / "store"), create=True)
    study, tables = miniature_study(seeds="2"), []
    while True:
        scheduler = Scheduler(study, store)
        view = read_study(scheduler, store)
        tables.append((live_table(view), newest(view, store, 4)))
        if not drain(study, store, most=10):
            return study, store, tables


def test_cells_go_from_open_over_searching_to_done(followed):
    _, _, tables = followed
    order = ["open", "searching", "measuring", "done"]
    for row in range(len(tables[0][0].rows)):
        states = [[c.state for c in table.rows[row][1] if c] for table, _ in tables]
        for seen in zip(*states, strict=True):
            if seen[0] == "reported":
                continue
            places = [order.index(state) for state in seen]
            assert places == sorted(places) and (seen[0], seen[-1]) == ("open", "done")
    texts = [c.text for table, _ in tables for _, row in table.rows for c in row if c]
    assert any(text.startswith("best so far ") and "of 3 trials" in text for text in texts)
    assert all(c.more[0][0].startswith("paper") for c in tables[0][0].rows[0][1] if c)


def test_in_the_terminal_each_cell_has_one_line_of_eighty_columns(followed):
    study, store, _ = followed
    text = render(read_study(Scheduler(study, store), store), "rich", 80)
    lines = [line.strip() for line in text.splitlines()]
    (row,) = [line for line in lines if line.startswith("non-consistent (n_sigma = 1)")]
    assert row.count("(") == 3 and row.count(" / ") == 1 and len(row) <= 78, row
    choices = [line for line in lines if line.startswith("als n=1, non-adversarial  ")]
    assert len(choices) == 3, "found by us, why the search ended, the paper's"
    assert max(map(len, choices)) <= 80


def test_the_newest_samples_are_those_stored_last(followed):
    _, store, tables = followed
    assert tables[0][1] == []
    dates = [store.committed_at(p.stage, p.key) for p in tables[-1][1]]
    assert len(dates) == 4 and dates == sorted(dates, reverse=True)
    assert all(p.names == ("raw", "denoised") for p in tables[-1][1])
    assert store.committed_at("sample", "0" * 32) is None


def test_a_reader_that_looks_again_reads_only_what_is_new(followed, monkeypatch):
    study, store, _ = followed
    first = Scheduler(study, store)
    table = live_table(read_study(first, store))
    known = {}
    costs = list(job_costs(first, store, known))
    reads = []
    real = Store.manifest
    monkeypatch.setattr(Store, "manifest", lambda *of: reads.append(of) or real(*of))
    again = Scheduler(study, store, known=first)
    assert list(job_costs(again, store, known)) == costs and reads == []
    assert live_table(read_study(again, store)) == table
    assert not [of for of in reads if of[1] == "score"], "scores are kept"


def test_failures_are_listed_with_cause_and_consequence(store):
    study = miniature_study(train__optimizer__learning_rate="1e30")
    drain(study, store, most=40)
    view = read_study(Scheduler(study, store), store)
    lost = {"job": "train x", "stage": "train", "key": "k", "cause": "no luck", "then": "given up"}
    lines = failure_lines(view, {"failures": [lost, lost | {"then": "a result"}]})
    assert [line.what for line in lines].count("train x") == 1
    assert lines[0].cause == "no luck" and lines[0].then.startswith("given up after three")
    assert any("dsm loss is" in line.cause for line in lines[1:])
    assert any("of 3 trials (0, 1, 2)" in line.what for line in lines)


def test_launches_say_what_has_changed(store):
    assert changed_since_last_run(store, miniature_study()) == {}
    record_last_run(store, miniature_study())
    changed = changed_since_last_run(store, miniature_study(seeds="3"))
    assert changed == {"seeds": "1 -> 3"}
    for number in range(201):
        note_start(store, "study-demo", None, {"seeds": f"{number} -> {number + 1}"})
    kept = history(store, "study-demo")
    assert len(kept) == 200 and kept[-1].changed == {"seeds": "200 -> 201"} and kept[0].machine


def test_studies_that_were_not_run_are_offered_with_question_cost_and_command(store):
    record_last_run(store, miniature_study())
    live = LiveStore(store, "--store 'a b'")
    unrun = live.unrun()
    assert unrun.keys() == STUDIES.keys() - {"cifar_sampling_eps"}
    assert live.question("noise_consistency").endswith("?")
    demo, paper = live.offers("noise_consistency")
    assert demo.command.endswith(" noise_consistency --store 'a b'")
    assert paper.command.endswith(" --scale paper") and "5 jobs, est. " in demo.cost
    (study,), unreadable = live.studies()
    assert live.study(study.study.id) is study and not unreadable
    record_last_run(store, miniature_study(seeds="2"))
    assert live.study(study.study.id) is not study, "the settings have changed"


def test_pictures_asked_of_a_study_that_a_page_shows_already_appear_on_the_page(store):
    live = LiveStore(store, "")
    record_last_run(store, miniature_study())
    ((before,), _) = live.studies()
    ((same,), _) = live.studies()
    assert same is before, "what is known is kept"
    record_last_run(store, miniature_study(projections__nearest="3", projections__frames="4"))
    ((now,), _) = live.studies()
    assert {(cell.nearest, cell.frames) for cell in now.study.cells} == {(3, 4)}
