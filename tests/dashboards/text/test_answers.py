"""Tests of answers: two sentences that compare only numbers of equal protocols."""

import dataclasses
import random
import re

import pytest

from dashboards.results.cells import read_study
from dashboards.results.comparisons import comparisons
from dashboards.results.optuna_analyses import importances
from dashboards.text.answers import answer
from studies.registry import STUDIES, find_study
from tests.dashboards.results.test_searches import LAMBDA, N_D, by_lambda, run_of
from tests.dashboards.seeds import measured
from tests.studies.whole_studies import whole_study
from tests.tuning.draining import fill
from tuning.cells import Reported
from tuning.scheduling.scheduler import Scheduler
from tuning.spaces.trial import Trial
from tuning.stages import RealScore
from tuning.store.store import Store


def study_view(name, store):
    """Returns a view of a study without any results."""
    study = whole_study(name)
    return read_study(Scheduler(study, store), store)


def filled(shown, number, *, seeds=1, spread=None):
    """Returns the view with `number(cell, quantity)` in each measured cell (None: no value)."""
    cells = []
    for cell in shown.cells:
        found = {q: number(cell.cell, q) for q in cell.cell.quantities if cell.cell.is_measured}
        known = {q: measured(v, spread, seeds) for q, v in found.items() if v is not None}
        cells.append(dataclasses.replace(cell, measured=known))
    return dataclasses.replace(shown, cells=tuple(cells))


def place(shown, cell):
    return next(i for i, other in enumerate(shown.cells) if other.cell is cell)


@pytest.mark.parametrize("name", STUDIES)
def test_every_study_has_two_sentences_however_far_it_is(name, store):
    shown, chance = study_view(name, store), random.Random(0)
    for share in (0.1, 0.5, 0.9, 1.0):
        numbers = filled(
            shown, lambda *_, s=share: chance.random() if chance.random() < s else None
        )
        first, second = answer(numbers)
        assert first.endswith(".") and second.endswith(".") and first != second
        measured = [cell for cell in numbers.cells if cell.cell.is_measured]
        done = sum(bool(cell.measured) for cell in measured)
        says = f"{done} of {len(measured)} cells are measured: "
        assert first.startswith(says) == (0 < done < len(measured)), first


@pytest.mark.parametrize("name", STUDIES)
def test_nothing_is_set_against_what_was_measured_otherwise_or_is_real(name, store):
    shown = study_view(name, store)
    numbers = filled(shown, lambda cell, _: place(shown, cell) + 0.5)
    done = [cell for cell in numbers.cells if cell.measured]
    for comparison in comparisons(done):
        values = [number.mean for number in comparison.numbers.values()]
        cells = [shown.cells[int(value)].cell for value in values]
        assert comparison.best.cell is cells[0] and len(cells) > 1
        assert len({cell.protocol for cell in cells}) == 1
        assert len({cell.row for cell in cells}) == 1 or cells[0].protocol is not None
        assert not any(isinstance(cell.job, RealScore) for cell in cells)
        assert values == sorted(values, reverse=not cells[0].lower_is_better)


def test_the_best_cell_is_named_with_how_surely_it_is(store):
    shown = study_view("cifar_sampling_eps", store)

    def first(value, **how):
        return answer(filled(shown, lambda cell, _: value[place(shown, cell) == 4], **how))[0]

    start = r"Consistent \(n_sigma = 1\), non-adversarial has the best fd\[photographs-cnn\] after "
    start += r"denoising: 5( ±\d\S*)?, against [59]( ±\d\S*)? for .*; "
    single = r"with a single seed, the difference may be chance\."
    assert re.fullmatch(start + single, first((9.0, 5.0)))
    surely = first((9.0, 5.0), seeds=5, spread=0.1)
    assert ": 5 ±0.1, against 9 ±0.1 for " in surely
    assert re.fullmatch(start + r"the difference exceeds the noise between seeds\.", surely)
    unsure = first((9.0, 5.0), seeds=5, spread=4.0)
    assert re.fullmatch(start + r"the difference is within the noise between seeds\.", unsure)
    level = first((5.00001, 5.0), seeds=5, spread=0.1)
    assert re.fullmatch(start + r"the two are equal\.", level)


def test_raw_images_are_ranked_only_if_some_are_not_denoised(store):
    shown = study_view("cifar_sampling_eps", store)
    last = len(shown.cells) - 1

    def quantity(unknown):
        def number(cell, name):
            return None if (place(shown, cell), name) in unknown else 1.0

        done = [cell for cell in filled(shown, number).cells if cell.measured]
        (comparison,) = comparisons(done, main_only=True)
        return comparison.quantity, len(comparison.numbers)

    assert quantity([]) == quantity([(0, "raw")]) == ("denoised", last + 1)
    assert quantity([(0, "denoised")]) == ("raw", last + 1)
    assert quantity([(0, "denoised"), (1, "raw")]) == ("raw", last)


def test_the_best_cell_is_named_with_what_its_search_chose(store):
    numbers = filled(study_view("cifar_checkpoint_ema", store), lambda *_: 1.0)
    winner = Trial(0, {"ema": 0.9991, "iteration": 40})
    cells = [
        dataclasses.replace(cell, winner=winner if cell.cell.search else None)
        for cell in numbers.cells
    ]
    first, _ = answer(dataclasses.replace(numbers, cells=tuple(cells)))
    assert first == (
        "The best found (ema 0.999, iteration 40) has the best fd[digits-cnn] after denoising: 1, "
        "against 1 for the paper's choice; the two are equal."
    )


def test_several_measures_are_counted_each_in_its_own_direction(store):
    shown = study_view("cifar10_dlsm", store)
    of_column = {"base": 2.0, "scaling": 3.0, "ours": 1.0}

    def said(**how):
        return answer(filled(shown, lambda cell, _: of_column[cell.column], **how))

    first, second = said()
    # Ours has the lowest values. Of eleven measures, low is better only for the distance.
    start = "Of 11 measures, compared by means, "
    assert first == (
        f"{start}scaling is best in 10, ours is best in 1 and the best two are equal to four "
        "digits in 0; scaling has the best classification accuracy score after denoising: 3, "
        "against 2 for base; with a single seed, the difference may be chance."
    )
    assert second.startswith("Scaling has the best class-wise coverage ")
    # A claim tells something with two seeds. Ours has the lowest numbers, scaling the highest.
    assert said(seeds=2, spread=0.01)[1] == (
        'The judgement on 7 claims of the paper is "shows" for 3, "does not show" for 4 and '
        '"cannot tell" for 0 (95 % intervals over paired seeds: 2); the table of claims gives the '
        "intervals."
    )
    level = answer(filled(shown, lambda *_: 1.0))
    assert level[0].startswith(f"{start}the best two are equal to four digits in 11; ")


def test_of_several_measures_the_last_is_shown_if_nothing_else_is_known(store):
    shown = study_view("dlsm_lambda", store)
    numbers = filled(shown, lambda cell, _: place(shown, cell) + 0.5)
    first, second = answer(numbers)
    assert first.startswith("Of 6 measures, ")
    assert second == (
        "Lambda = 1 has the best coverage after denoising: 32.5, against 31.5 for lambda = 0.1; "
        "with a single seed, the difference may be chance."
    )


def test_numbers_are_listed_where_no_two_can_be_compared(store):
    shown = study_view("cifar_sampling_eps", store)

    def few(n):
        chosen = filled(
            shown, lambda cell, q: 2.0 if place(shown, cell) < n and q == "raw" else None
        )
        return answer(chosen)

    row, column = shown.cells[0].cell.row, shown.cells[0].cell.column
    listed = f"{row}, {column}: 2 raw"
    first, second = few(1)
    assert first == f"1 of 8 cells are measured: {listed}."
    assert second == "No two measured cells can be compared with each other."
    first, second = few(2)
    assert "has the best" in first and second.startswith(f"{listed[:1].upper()}{listed[1:]}; ")


def test_verdicts_are_counted(store):
    shown = study_view("cifar_sampling_eps", store)
    numbers = filled(shown, lambda cell, _: 10.0, seeds=3, spread=0.1)
    papers = [10.0, 10.1, 20.0]
    cells = []
    for view, value in zip(numbers.cells, papers, strict=False):
        reported = {"raw": Reported(value, "Table 1", view.cell.protocol)}
        cells.append(
            dataclasses.replace(view, cell=dataclasses.replace(view.cell, reported=reported))
        )
    _, second = answer(dataclasses.replace(numbers, cells=tuple(cells)))
    assert second == (
        'The verdict on 3 numbers comparable with the paper\'s is "reproduced" for 2 and '
        '"differs" for 1.'
    )


def test_what_mattered_is_said_of_the_one_joint_search_that_fills_a_cell(store):
    run = run_of(by_lambda, LAMBDA, N_D, n_trials=24)
    cells = filled(study_view("cifar_lambda_nd", store), lambda *_: 1.0)
    own = dataclasses.replace(cells.cells[0].cell, search=run.search)
    first = dataclasses.replace(cells.cells[0], cell=own)
    known = dataclasses.replace(cells, cells=(first, *cells.cells[1:]), runs={"planted": run})
    shares = importances(run)
    assert answer(known)[1] == (
        f"Of the variance between 24 trials, fANOVA attributes {shares['lambda']:.0%} to lambda "
        f"and {shares['n_D']:.0%} to n_D."
    )
    for runs in ({}, {"planted": run, "other": run}):
        assert "fANOVA" not in answer(dataclasses.replace(known, runs=runs))[1]
    assert "fANOVA" not in answer(dataclasses.replace(cells, runs={"planted": run}))[1]


def test_denoising_is_judged_by_each_measures_direction(store):
    shown = study_view("inception_score", store)
    _, second = answer(filled(shown, lambda _, q: {"raw": 2.0, "denoised": 1.0}[q]))
    assert second == (
        "Denoising the images improves fd[digits-cnn] in 4 of 4 cells and is[digits-cnn] in 0 of "
        "4 cells."
    )
    # One protocol: the medians of the cells can be compared.
    shown = study_view("cifar_sampling_eps", store)
    numbers = filled(shown, lambda cell, q: place(shown, cell) + {"raw": 2.0, "denoised": 1.0}[q])
    assert answer(numbers)[1] == (
        "Denoising the images improves fd[photographs-cnn] in 8 of 8 cells; the median over cells "
        "is 5.5 raw and 4.5 denoised."
    )
    # Two data sets: each is compared with its own baseline, and there is no common median.
    shown = study_view("synthetic_2d", store)
    _, second = answer(filled(shown, lambda _, q: {"raw": 2.0, "denoised": 1.0}[q]))
    assert second == "Denoising the images improves distance in 2 of 2 cells."


def test_shares_are_set_against_equal_ones(store):
    shown = study_view("mnist_initial_noise", store)
    columns = list(dict.fromkeys(c.cell.column for c in shown.cells))[:3]

    def number(cell, quantity):
        if quantity == "reaching":
            return float(columns.index(cell.column) + 3)
        return 0.1 if cell.row != "digit 4" else 0.25

    first, second = answer(filled(shown, number))
    few, many, data = columns
    assert first == (
        "The number of classes with the equal share in their 95 % interval is "
        f"3 ({few}), 4 ({many}) and 5 ({data})."
    )
    assert second == (
        f"The least share of a class is 10.0% ({few}), 10.0% ({many}) and 10.0% ({data}), "
        f"the greatest is 25.0% ({few}), 25.0% ({many}) and 25.0% ({data})."
    )
    first, second = answer(
        filled(shown, lambda cell, q: None if q == "reaching" else number(cell, q))
    )
    assert first.startswith("31 of 34 cells are measured: the least share of a class is 10.0% (")
    assert second.startswith(f"{shown.cells[0].cell.row.capitalize()}, {few}: 0.")


def test_noise_is_listed_at_one_point_of_sampling(store):
    shown = study_view("noise_consistency", store)
    columns = list(dict.fromkeys(c.cell.column for c in shown.cells))
    rows = list(dict.fromkeys(c.cell.row for c in shown.cells))

    def number(cell, quantity):
        is_known = cell.column != columns[-1] and (cell.row, cell.column) != (rows[0], columns[2])
        return 0.01 * (rows.index(cell.row) + 1) if is_known else None

    first, second = answer(filled(shown, number))
    listed = ", ".join(f"0.0{n} for {row}" for n, row in enumerate(rows[1:-1], 2))
    assert first == (
        f"14 of 20 cells are measured: {columns[2][0].lower()}{columns[2][1:]}, the standard "
        f"deviation of the noise in x is {listed} and 0.05 for {rows[-1]}."
    )
    assert second == (
        "Divided by the schedule's last level, 0.01, the noise is between "
        f"2 ({rows[1]}) and 5 ({rows[-1]})."
    )


@pytest.mark.parametrize(
    ("name", "sentences"),
    [
        ("noise_consistency", ("After L, the standard deviation of the noise in x is 0.6941 for "
                               "ALS (n_sigma = 1), ",
                               "between 1 (CAS) and 69.4 (ALS (n_sigma = 1)).")),
        ("likelihood_renormalisation", (" 0 at alpha = 1, 0.0915 at alpha = 3 and 0.934 at ",
                                        "They differ most at alpha = 10: the intended mean and std "
                                        "are 1.165 and 0.8023, scaling gives 1.843 and 0.6808.")),
    ],
)  # fmt: skip
def test_exact_studies_say_what_they_show(name, sentences, tmp_path):
    store = Store(str(tmp_path / "exact"), create=True)
    module = find_study(name)
    study = module.study("demo", module.settings("demo"))
    fill(study, store)
    found = answer(read_study(Scheduler(study, store), store))
    for sentence, part in zip(found, sentences, strict=True):
        assert part in sentence
