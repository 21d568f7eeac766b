"""Tests of pairs of a method and its baseline at equal settings, with paired intervals."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from dashboards.results.cells import Measured
from dashboards.results.method_pairs import Pair, difference_table, pairs
from dashboards.text.answers import answer, method_sentence
from dashboards.text.table import render
from studies.registry import find_study
from tests.dashboards.text.test_answers import study_view


def with_values(shown, values_of):
    """Returns a view with the values over the seeds given by `values_of(cell, quantity)`."""
    cells = []
    for cell in shown.cells:
        found = {q: values_of(cell.cell, q) for q in cell.cell.quantities if cell.cell.is_measured}
        known = {q: Measured(tuple(values)) for q, values in found.items()}
        cells.append(dataclasses.replace(cell, measured=known))
    return dataclasses.replace(shown, cells=tuple(cells))


BASE = [0.30, 0.22, 0.41, 0.25, 0.36]
"""Values of five seeds, with a large spread."""


@pytest.mark.parametrize(
    ("gains", "lower", "outcome"),
    [
        ([0.02, 0.03, 0.02, 0.01, 0.02], True, "better"),
        ([0.02, 0.03, 0.02, 0.01, 0.02], False, "worse"),
        ([-0.02, -0.03, -0.02, -0.01, -0.02], True, "worse"),
        ([0.02, -0.03, 0.02, -0.01, 0.02], True, "open"),
    ],
)
def test_the_interval_is_that_of_a_paired_t_test(gains, lower, outcome):
    ours = [b - g for b, g in zip(BASE, gains, strict=True)]
    pair = Pair("error", lower, Measured(tuple(ours)), Measured(tuple(BASE)))
    assert pair.outcome(by_seed=True) == outcome
    (row,) = difference_table([pair]).to_dict("records")
    interval = stats.ttest_rel(ours, BASE).confidence_interval(0.95)
    assert row["95 % interval"] == f"{interval.low:+.3g} to {interval.high:+.3g}"
    assert row["difference"] == f"{np.mean(ours) - np.mean(BASE):+.3g}"
    assert row["ours is"] == outcome
    # The spreads of the separate cells would have hidden any of these differences.
    assert stats.ttest_ind(ours, BASE).pvalue > 0.5


def test_other_seeds_make_no_pair_and_one_seed_no_interval():
    other = Pair("error", True, Measured(tuple(BASE[:3])), Measured(tuple(BASE)))
    one = Pair("error", True, Measured((1.0,)), Measured((2.0,)))
    assert difference_table([other, one]).empty
    assert one.outcome(by_seed=False) == "better"
    assert "by the means, ours is better than base in 1, " in method_sentence([one])
    paired = Pair("error", True, Measured(tuple(BASE)), Measured(tuple(1.001 * b for b in BASE)))
    assert method_sentence([one, paired]).endswith(
        "base in 2, worse in 0 and equal to four digits in 0 of 2 comparisons."
    )


def test_the_moons_are_compared_number_by_number_and_way_by_way(store):
    shown = study_view("moons_score_mismatch", store)
    gain = {"base": 0.0, "ours": 0.02}

    def values_of(cell, quantity):
        own = gain.get(cell.column, 0.0)
        if "at the input" in cell.row:
            return [b + 0.1 * own * (-1) ** i for i, b in enumerate(BASE)]
        return [b - own * (1 + 0.1 * i) for i, b in enumerate(BASE)]

    known = with_values(shown, values_of)
    found = pairs([cell for cell in known.cells if cell.measured])
    # Two classes and two networks, each with D_P, D_L, precision and recall.
    assert len(found) == 16 == len({pair.measure for pair in found})
    late = [pair for pair in found if "at the input" not in pair.measure]
    errors = [pair for pair in late if "score errors" in pair.measure]
    assert {p.measure.split(", ")[-1] for p in errors} == {
        f"D_{x} class {c}" for x in "PL" for c in (1, 2)
    }
    assert all(pair.outcome(by_seed=True) == "better" for pair in errors) and len(errors) == 4
    others = [pair for pair in found if pair not in late]
    assert {pair.outcome(by_seed=True) for pair in others} == {"open"}
    less_precise = [pair for pair in late if pair not in errors]
    assert {pair.outcome(by_seed=True) for pair in less_precise} == {"worse"}
    assert answer(known)[1] == (
        "Compared seed by seed over 5 seeds, ours is better than base in 4 and worse in 4 of 16 "
        "comparisons; in 8, the 95 % confidence interval of the difference contains 0."
    )
    text = render(known, "markdown")
    assert "ours minus base, seed by seed" in text and text.count("| open") == 8


def test_every_alpha_is_compared_with_itself(store):
    shown = study_view("dlsm_scaling", store)
    known = with_values(shown, lambda cell, _: [1.0 + (cell.row.startswith("ours"))] * 2)
    found = pairs([cell for cell in known.cells if cell.measured])
    alphas = find_study("dlsm_scaling").settings("demo").alphas
    for alpha in alphas:
        own = [pair for pair in found if f"alpha = {alpha:g}" in pair.measure.split(", ")]
        assert len(own) == 10, alpha
    assert len(found) == 10 * len(alphas) and len({pair.measure for pair in found}) == len(found)
