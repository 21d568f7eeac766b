"""Tests of pairs of a method and its baseline at equal settings, with paired intervals."""

import dataclasses

import numpy as np
import pytest
from scipy import stats

from dashboards.results.cells import Measured
from dashboards.results.method_pairs import method_row, method_rows
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
    row = method_row(Measured(tuple(ours)), Measured(tuple(BASE)), lower)
    interval = stats.ttest_rel(ours, BASE).confidence_interval(0.95)
    assert row["95 % interval"] == f"{interval.low:+.3g} to {interval.high:+.3g}"
    assert row["difference"] == f"{np.mean(ours) - np.mean(BASE):+.3g}"
    assert row["ours is"] == outcome and row["seeds"] == 5
    # The spreads of the separate cells would have hidden any of these differences.
    assert stats.ttest_ind(ours, BASE).pvalue > 0.5


def test_without_the_same_seeds_the_means_decide():
    one = method_row(Measured((1.0,)), Measured((2.0,)), True)
    level = method_row(Measured((1.00001,)), Measured((1.00002,)), True)
    other = method_row(Measured(tuple(BASE[:3])), Measured(tuple(BASE)), True)
    paired = method_row(Measured(tuple(BASE)), Measured(tuple(1.001 * b for b in BASE)), True)
    assert [row["ours is"] for row in (one, level, other, paired)] == [
        "better", "open", "worse", "better",
    ]  # fmt: skip
    assert [row["seeds"] for row in (one, level, other, paired)] == [1, 1, 1, 5]
    sentence = method_sentence([one, level, paired])
    assert sentence.startswith("ours is better than base in 2, worse in 0 and open in 1 of 3 ")
    assert "(paired seeds: 1 and 5; open: " in sentence and method_sentence([]) == ""


def test_the_moons_are_compared_number_by_number_and_way_by_way(store):
    shown = study_view("moons_score_mismatch", store)
    gain = {"base": 0.0, "ours": 0.02}

    def values_of(cell, quantity):
        own = gain.get(cell.column, 0.0)
        if "at the input" in cell.row:
            return [b + 0.1 * own * (-1) ** i for i, b in enumerate(BASE)]
        return [b - own * (1 + 0.1 * i) for i, b in enumerate(BASE)]

    known = with_values(shown, values_of)
    found = method_rows([cell for cell in known.cells if cell.measured])
    # Two classes and two networks, each with D_P, D_L, precision and recall.
    outcomes = {row[""]: row["ours is"] for row in found}
    assert len(found) == 16 == len(outcomes)
    late = [measure for measure in outcomes if "at the input" not in measure]
    errors = [measure for measure in late if "score errors" in measure]
    assert {measure.split(", ")[-1] for measure in errors} == {
        f"D_{x} class {c}" for x in "PL" for c in (1, 2)
    }
    assert [outcomes[measure] for measure in errors] == ["better"] * 4
    assert {outcomes[measure] for measure in late if measure not in errors} == {"worse"}
    assert {outcomes[measure] for measure in outcomes if measure not in late} == {"open"}
    assert answer(known)[1] == (
        "Ours is better than base in 4, worse in 4 and open in 8 of 16 comparisons (paired seeds: "
        "5; open: the 95 % confidence interval of the difference contains 0 or, with one seed, the "
        "means are equal to four digits)."
    )
    text = render(known, "markdown")
    assert "ours minus base, seed by seed" in text and text.count("| open") == 8
    assert "|  | base | ours | difference | 95 % interval | ours is |" in text
    single = with_values(shown, lambda cell, quantity: values_of(cell, quantity)[:1])
    assert "seed by seed" not in render(single, "markdown")


def test_every_alpha_is_compared_with_itself(store):
    shown = study_view("dlsm_scaling", store)
    known = with_values(shown, lambda cell, _: [1.0 + (cell.row.startswith("ours"))] * 2)
    found = [row[""] for row in method_rows([cell for cell in known.cells if cell.measured])]
    alphas = find_study("dlsm_scaling").settings("demo").alphas
    for alpha in alphas:
        own = [measure for measure in found if f"alpha = {alpha:g}" in measure.split(", ")]
        assert len(own) == 10, alpha
    assert len(found) == 10 * len(alphas) and len(set(found)) == len(found)
