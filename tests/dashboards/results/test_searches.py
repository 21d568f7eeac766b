"""Tests of the displays of searches with planted results: winner, importance, cost.

The searches are real, with a ledger in a real store; only the value of a score is a function here.
"""

import itertools
import math
import uuid
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from dashboards.drawing.charts import draw_chart
from dashboards.drawing.png import draw_png
from dashboards.figures.searches import contours, figures
from dashboards.figures.step_sizes import comparable_runs
from dashboards.results.halving_savings import halving_savings
from dashboards.results.optuna_analyses import importances
from dashboards.results.searches import (
    alike_runs,
    choice_table,
    edge,
    search_notes,
    search_tables,
    trial_table,
)
from scorelib.samplers import Als, Cas
from scorelib.schedules import LinearSchedule
from tests.drawing import numbers_drawn, numbers_on
from tests.miniature import miniature_study
from tuning.cells import Search
from tuning.search.search import SearchRun
from tuning.spaces import EPSILON, LogUniform, OneOf, ParameterSpace, Rung, StepSizeSpace
from tuning.spaces.trial import Result
from tuning.stages import InceptionScoreProtocol, Score, Snapshot
from tuning.store.ledger import Ledger
from tuning.store.store import Store

STUDY = miniature_study(columns='["adversarial"]')
TEMPLATE = STUDY.searches[0].space.template
LEVELS = TEMPLATE.sample.model.train.schedule.n_levels
BATCH = TEMPLATE.sample.model.train.batch_size
OBJECTIVE = "sample.model.train.objective"
LAMBDA = LogUniform(name="lambda", path=f"{OBJECTIVE}.lambda_", low=0.01, high=100.0)
N_D = OneOf(name="n_D", path=f"{OBJECTIVE}.n_d", values=(1, 2))
EMA = OneOf(name="ema", path="sample.ema", values=TEMPLATE.sample.model.train.ema)
START = {"lambda": 1.0, "n_D": 1}


def lambda_of(score):
    return score.sample.model.train.objective.lambda_


def by_lambda(score):
    """Returns a value that is lowest at lambda = 10 and depends on nothing else."""
    return 1.0 + math.log10(lambda_of(score) / 10) ** 2


def run_of(value, *parameters, n_trials=8, ladder=(), starts=(START,), most=None, space=None):
    """Returns a finished search whose scores have the result `value(score)`; None is a failure.

    Args:
        value: function from a score to its number.
        parameters: parameters that the search varies.
        n_trials: number of trials on the first rung.
        ladder: further rungs.
        starts: values that are tried first.
        most: number of scores after which no further result arrives.
        space: search space that replaces the parameters.
    """
    space = space or ParameterSpace(template=TEMPLATE, parameters=parameters)
    search = Search(
        name="planted", space=space, n_trials=n_trials, starts=starts, ladder=ladder,
        starts_from="where it began",
    )  # fmt: skip
    results = {}
    ledger = Ledger(Store(f"memory://{uuid.uuid4().hex}", create=True))
    run = SearchRun(search, ledger, lambda score: results.get(score.key))
    while (run.propose() or run.wanted()) and (most is None or len(results) < most):
        for score in run.wanted():
            number = value(score)
            failed = Result({}, "samples are not finite")
            results[score.key] = (
                failed if number is None else Result({"raw": number + 1, "denoised": number})
            )
    assert most is not None or run.is_complete
    return run


# -- importance of parameters ----------------------------------------------------------------------


def test_the_parameter_that_was_planted_is_what_mattered():
    run = run_of(by_lambda, LAMBDA, N_D, EMA, n_trials=24, starts=({**START, "ema": 0.99},))
    shares = importances(run)
    assert next(iter(shares)) == "lambda" and shares["lambda"] > 0.9
    assert sum(shares.values()) == pytest.approx(1) and set(shares) == {"lambda", "n_D", "ema"}
    assert importances(run) == shares

    def by_n_d(score):
        return float(score.sample.model.train.objective.n_d)

    other = importances(run_of(by_n_d, LAMBDA, N_D, n_trials=24))
    assert other["n_D"] > 0.9


@pytest.mark.parametrize("scale", [1e-12, 1e12])
def test_what_mattered_does_not_depend_on_the_scale_of_the_numbers(scale):
    def scaled(score):
        return scale * by_lambda(score)

    shares = importances(run_of(by_lambda, LAMBDA, N_D, n_trials=24))
    assert importances(run_of(scaled, LAMBDA, N_D, n_trials=24)) == pytest.approx(shares, rel=0.01)


def test_nothing_is_said_to_matter_by_too_few_trials_or_equal_ones():
    assert importances(run_of(by_lambda, LAMBDA, N_D, n_trials=5)) == {}
    assert importances(run_of(by_lambda, LAMBDA, N_D, n_trials=6)) != {}
    assert importances(run_of(lambda score: 1.0, LAMBDA, N_D)) == {}
    assert importances(run_of(lambda score: None, LAMBDA, N_D)) == {}


def test_failed_trials_are_no_part_of_what_mattered():
    def fragile(score):
        return None if lambda_of(score) > 20 else by_lambda(score)

    run = run_of(fragile, LAMBDA, N_D, n_trials=20)
    assert any(trial.result.failed for trial in run.trials)
    assert sum(importances(run).values()) == pytest.approx(1)


def test_what_mattered_and_its_pairs_are_charts_of_the_page():
    run = run_of(by_lambda, LAMBDA, N_D, EMA, n_trials=24, starts=({**START, "ema": 0.99},))
    store = Store(f"memory://{uuid.uuid4().hex}", create=True)
    drawn = {f.title: f for f in figures(SimpleNamespace(searches={"planted": run}), store)}
    files = [title for title, figure in drawn.items() if figure.file]
    assert files == ["planted: each parameter", "planted: pairs of parameters"]
    (bars,) = drawn["planted: parameter importance (fANOVA)"].panels[0].marks
    assert dict(zip(bars.x, bars.y, strict=True)) == importances(run)
    pairs = drawn["planted: pairs of parameters"]
    labels = [(panel.x.label, panel.y.label) for panel in pairs.panels]
    assert labels == list(itertools.combinations(bars.x, 2)) and len(labels) == 3
    assert numbers_on(draw_chart(pairs)) == numbers_drawn(pairs)
    assert draw_png(pairs)[:4] == b"\x89PNG"


def test_contours_are_the_planted_surface_between_trials_and_the_trials_themselves():
    run = run_of(by_lambda, LAMBDA, N_D, EMA, n_trials=24, starts=({**START, "ema": 0.99},))
    panel = contours(run, ["lambda", "n_D"]).panels[0]
    surface, points = panel.marks
    ranked = run.ranked(run.trials)
    assert points.x == [t.values["lambda"] for t in ranked] and panel.x.is_log
    heights = np.array(surface.values)
    assert heights.shape == (len(surface.y), len(surface.x))
    assert heights.min() >= min(points.values) and heights.max() <= max(points.values)
    best = surface.x[int(heights.mean(0).argmin())]
    assert abs(np.log(best / ranked[0].values["lambda"])) < 0.7


# -- savings of halving ----------------------------------------------------------------------------

LADDER = (Rung(n_images=80, keep=3, iteration=90), Rung(n_images=120, keep=1, iteration=150))


def work(n_trainings, iteration, n_chunks):
    """Counts network evaluations: one per trained image, one per level for a sampled image."""
    per_update = BATCH * n_trainings * iteration
    return per_update + n_chunks * TEMPLATE.sample.chunk_images * LEVELS


def test_the_economy_of_halving_is_a_hand_count():
    run = run_of(by_lambda, LAMBDA, n_trials=8, ladder=LADDER, starts=({"lambda": 1.0},))
    first = TEMPLATE.sample.model.iteration
    assert (first, TEMPLATE.protocol.n_images, TEMPLATE.sample.chunk_images) == (60, 40, 20)
    # Eight trials train to 60 iterations, three of them to 90 and one to 150. A longer training
    # gives other images: the second rung, with 4 chunks, cannot use the 2 chunks of the first.
    spent = work(8, 60, 8 * 2) + work(3, 30, 3 * 4) + work(1, 60, 6)
    spared = halving_savings(run)
    assert (spared.evaluations, spared.in_full) == (spent, work(8, 150, 8 * 6))
    assert spared.saved == 1 - spent / spared.in_full
    assert f"{spent:,} network evaluations" in search_notes(run)[0]


def test_what_trials_share_is_counted_once():
    # Both trials sample from one training, and the second rung only adds images.
    ladder = (Rung(n_images=80, keep=1),)
    run = run_of(lambda s: s.sample.ema, EMA, n_trials=2, ladder=ladder, starts=({"ema": 0.99},))
    spared = halving_savings(run)
    assert spared.evaluations == work(1, 60, 2 * 2 + 2)
    assert spared.in_full == work(1, 60, 2 * 4)


def test_nothing_is_said_to_be_saved_without_a_ladder_or_before_the_end():
    assert halving_savings(run_of(by_lambda, LAMBDA, N_D)) is None
    unfinished = run_of(by_lambda, LAMBDA, N_D, ladder=LADDER, most=9)
    assert halving_savings(unfinished) is None and search_notes(unfinished) == []


# -- the table of trials ---------------------------------------------------------------------------


def test_the_title_says_in_which_order_trials_are_listed():
    ladder = (Rung(n_images=80, keep=3),)
    for rungs, order in ((), "best first"), (ladder, "later rungs first, best first on each rung"):
        ((title, _), *_) = search_tables({"": run_of(by_lambda, LAMBDA, ladder=rungs)}, [])
        assert title.endswith(f"starting trials, {order}")


def test_trials_are_shown_by_rung_and_then_by_value_with_failures_last():
    def fragile(score):
        return None if lambda_of(score) > 30 else by_lambda(score)

    run = run_of(fragile, LAMBDA, n_trials=16, ladder=LADDER, starts=({"lambda": 1.0},))
    rungs = run.rungs()
    kept = [{t.number for t in rung} for rung in rungs]
    ranked = [
        *rungs[2],
        *(t for t in run.ranked(rungs[1]) if t.number not in kept[2]),
        *(t for t in run.ranked(rungs[0]) if t.number not in kept[1]),
        *(t for t in rungs[0] if t.result.failed),
    ]
    shown = trial_table(run)
    assert len(shown) == len(ranked) == 16 and any(t.result.failed for t in ranked)
    assert shown["lambda"].tolist() == [f"{t.values['lambda']:.3g}" for t in ranked]
    by_hand = ["failed" if t.result.failed else f"{t.result.of('denoised'):.4g}" for t in ranked]
    assert shown["denoised"].tolist() == by_hand
    assert shown["iterations"].tolist() == ["150", "90", "90", *["60"] * 13]
    assert shown["images"].tolist() == ["120", "80", "80", *["40"] * 13]


def test_one_that_fails_on_a_later_rung_stays_above_those_that_never_got_there():
    def fragile(score):
        long = score.sample.model.iteration == 90
        return None if long and lambda_of(score) == 10 else by_lambda(score)

    ladder = (Rung(n_images=80, keep=2, iteration=90),)
    starts = ({"lambda": 10.0}, {"lambda": 9.0})
    run = run_of(fragile, LAMBDA, n_trials=8, ladder=ladder, starts=starts)
    shown = trial_table(run)
    assert shown["lambda"].tolist()[:2] == ["9", "10"]
    assert shown["denoised"].tolist()[1] == "failed" and shown["denoised"].tolist()[2] != "failed"
    assert run.winner.values == {"lambda": 9.0}


@pytest.mark.parametrize("most", [0, 1, 3])
def test_only_the_best_are_shown_and_always_where_the_search_began(most):
    starts = ({"lambda": 0.02}, {"lambda": 99.0})
    run = run_of(by_lambda, LAMBDA, n_trials=12, starts=starts)
    everything, shown = trial_table(run), trial_table(run, most)
    began = everything[""] == "where it began"
    assert everything[began]["lambda"].tolist() == ["99", "0.02"]
    wanted = everything[(everything.index < most) | began]
    assert shown.to_numpy().tolist() == wanted.to_numpy().tolist()


def test_a_search_for_the_highest_has_the_highest_first():
    fid = TEMPLATE.protocol
    protocol = InceptionScoreProtocol(extractor=fid.extractor, data=fid.data, n_images=40)
    space = ParameterSpace(template=TEMPLATE.replace(protocol=protocol), parameters=(LAMBDA,))
    run = run_of(by_lambda, space=space, starts=({"lambda": 1.0},))
    values = [float(value) for value in trial_table(run)["denoised"]]
    assert values == sorted(values, reverse=True)
    assert run.winner.result.of("denoised") == max(by_lambda(t.score) for t in run.trials)


def test_below_the_table_stand_the_step_sizes_and_the_best_trials_and_what_mattered():
    joint = run_of(by_lambda, LAMBDA, N_D, n_trials=12)
    steps = run_of(bowl(0.01), space=STEPS, starts=({EPSILON: 0.01},))
    titles = [title for title, _ in search_tables({"joint": joint, "steps": steps}, [])]
    assert [title.split(":")[0].split(" (")[0] for title in titles] == [
        "Step sizes", "Search planted", "Parameter importance in planted",
    ]  # fmt: skip
    ((_, table),) = search_tables({"steps": steps}, [])
    assert table["epsilon"].tolist() == [f"{steps.winner.epsilon:.2g}"]
    assert table["trials"].tolist() == [str(len(steps.trials))] and len(steps.trials) < 8
    assert table["ended"].tolist() == [steps.ending] and steps.ending.startswith("bracketed")
    low, high = steps.within_noise
    assert table["within noise"].tolist() == [f"{low:.3g} to {high:.3g}"]
    assert low <= steps.winner.epsilon <= high
    assert min(t.epsilon for t in steps.trials) < low and high < max(
        t.epsilon for t in steps.trials
    )
    assert table["r"].tolist() == [f"{steps.winner.r:.2f}"]
    assert all(trial.r is None for trial in joint.trials)


def test_on_a_schedule_that_no_step_follows_there_is_no_r():
    train = TEMPLATE.sample.model.train
    linear = LinearSchedule(sigma_1=2.0, sigma_L=0.1, n_levels=5)
    model = Snapshot(train=train.replace(schedule=linear), iteration=1)
    sample = TEMPLATE.sample.replace(model=model, sampler=Als(epsilon=0.001))
    space = StepSizeSpace(template=TEMPLATE.replace(sample=sample))
    run = run_of(bowl(0.001), space=space, starts=({EPSILON: 0.001},))
    ((title, table),) = search_tables({"steps": run}, [])
    assert title == "Step sizes" and list(table) == [
        "search", "epsilon", "within noise", "trials", "ended",
    ]  # fmt: skip
    assert run.winner.r is None and sample.r is None


def test_searches_over_the_same_single_parameter_are_told_in_one_table():
    first, second = (run_of(by_n_d, N_D, n_trials=2, starts=({"n_D": n},)) for n in (1, 2))
    other = run_of(by_lambda, LAMBDA, n_trials=4, starts=({"lambda": 1.0},))
    assert alike_runs({"a": first, "b": second}) == [first, second]
    assert alike_runs({"a": first}) == alike_runs({"a": first, "b": other}) == []
    ((title, table),) = search_tables({"a": first, "b": second}, [])
    assert title == "Chosen by searches"
    assert table["n_D"].tolist() == ["2", "2"] and table["of"].tolist() == ["2", "2"]
    assert table["denoised"].tolist() == ["-2", "-2"] and table["raw"].tolist() == ["-1", "-1"]
    unfinished = run_of(by_n_d, N_D, n_trials=2, starts=({"n_D": 1},), most=1)
    table = choice_table([unfinished, second])
    assert table["n_D"].tolist() == ["1 so far", "2"]


def by_n_d(score):
    return -score.sample.model.train.objective.n_d


# -- step sizes ------------------------------------------------------------------------------------

STEPS = StepSizeSpace(template=TEMPLATE)


def bowl(at):
    def value(score: Score):
        return 1.0 + math.log(score.sample.sampler.epsilon / at) ** 2

    return value


def test_an_optimum_at_the_edge_of_what_was_tried_is_told():
    low, high = TEMPLATE.sample.sampler.interval(TEMPLATE.sample.model.train.schedule)
    start = ({EPSILON: 0.01},)
    for optimum, side in ((1e-9, "lower"), (1e9, "upper"), (0.01, None)):
        run = run_of(bowl(optimum), space=STEPS, starts=start)
        assert edge(run) == side and all(low < t.epsilon < high for t in run.trials)
        told = [f"planted: the best epsilon is at the {side} end of the values tried"]
        told = told if side else []
        assert search_notes(run) == told
    assert edge(run_of(bowl(0.01), space=STEPS, starts=start, n_trials=1)) is None


def test_the_note_on_a_carried_over_step_size_names_both_numbers():
    run = run_of(bowl(1e-9), space=STEPS, starts=({EPSILON: 0.01},))
    run.search = replace(run.search, after=replace(run.search, name="earlier"))
    first, *others = (trial.value for trial in run.trials)
    assert min(others) < first
    assert search_notes(run)[-1] == (
        f"planted: {STEPS.output} {STEPS.protocol.name} is {first:.4g} in the first trial, at the "
        f"step size carried over from 'earlier'; the lowest of {len(run.trials)} trials is "
        f"{min(others):.4g}"
    )


# -- distance against step size --------------------------------------------------------------------


def step_sizes(*, n_levels=LEVELS, n_images=100, sampler=None):
    """Returns a search of a step size on a schedule, by the distance of a number of images."""
    space = STUDY.searches[1].space
    sample, protocol = space.template.sample, space.template.protocol
    train = sample.model.train
    train = train.replace(schedule=train.schedule.replace(n_levels=n_levels))
    sample = sample.replace(
        model=sample.model.replace(train=train), sampler=sampler or sample.sampler
    )
    template = space.template.replace(sample=sample, protocol=protocol.replace(n_images=n_images))
    found = space.replace(template=template)
    return run_of(lambda score: 1.0, space=found, n_trials=2, starts=({EPSILON: 9e-3},))


def test_only_searches_that_may_be_compared_share_a_panel_and_each_says_what_it_shows():
    als, cas = (step_sizes(sampler=kind(epsilon=9e-3, n_sigma=1)) for kind in (Als, Cas))
    (group,) = comparable_runs([als, cas])
    assert group.runs == (als, cas) and group.title == "n_sigma = 1, trained by adversarial"
    more, finer = step_sizes(n_images=200), step_sizes(n_levels=LEVELS + 3)
    groups = comparable_runs([als, cas, more, finer])
    assert [group.runs for group in groups] == [(als, cas), (more,), (finer,)]
    assert len({group.title for group in groups}) == 3
    name = als.search.space.protocol.name
    assert [group.label for group in groups] == [f"{name}, {n} images" for n in (100, 200, 100)]
    assert groups[2].title.endswith(
        f", geometric from 4.8 to 0.1 in {LEVELS + 3} levels, {name}, 100 images"
    )
