"""Tests of the judge of claims: intervals by scipy, exact oracles, properties, the table."""

import dataclasses
import itertools
import math

import numpy as np
import pytest
from scipy import stats

from dashboards.records.mlflow_records import _table_record
from dashboards.results.cells import CellView, Measured, StudyView
from dashboards.results.claims import COLUMNS, claim_numbers, judged_claims
from dashboards.text.answers import answer
from dashboards.text.claims import claims_table
from dashboards.text.formats import as_html
from dashboards.text.table import document, render
from scorelib.errors import InputError
from studies.registry import find_study
from tests.miniature import miniature_study
from tuning.cells import Cell, Reported
from tuning.claims import Claim, Pair, Place
from tuning.study import Study

SWAPPED = {"shows": "does not show", "does not show": "shows", "cannot tell": "cannot tell"}


def view_of(values, *claims, reported=None, failed=()):
    """Returns a made-up view: `values` by cell and quantity, lower being better.

    Args:
        values: values by seed, by (column, quantity); an empty tuple is not measured.
        claims: claims of the study.
        reported: the paper's numbers, by (column, quantity).
        failed: columns of the cells that failed.
    """
    real = next(cell for cell in miniature_study().cells if cell.is_measured)
    cells = []
    for column, found in itertools.groupby(sorted(values), key=lambda at: at[0]):
        names = tuple(quantity for _, quantity in found)
        known = {q: Reported(v, "Table") for (c, q), v in (reported or {}).items() if c == column}
        own = dataclasses.replace(
            real, row="row", column=column, quantities=names, reported=known, n_seeds=1
        )
        numbers = {q: Measured(tuple(values[column, q])) for q in names if len(values[column, q])}
        why = "a cause" if column in failed else None
        cells.append(CellView(own, measured={} if why else numbers, failed=why))
    study = Study(cells=tuple(cell.cell for cell in cells), claims=claims, title="A table")
    return StudyView(study, tuple(cells), (), {})


def pair(better, worse, quantity="q"):
    return Pair(Place("row", better, quantity), Place("row", worse, quantity))


def claim(*pairs, **fields):
    return Claim("a is better", "Table 1", pairs or (pair("a", "b"),), **fields)


def judged(a, b, **fields):
    (one,) = judged_claims(view_of({("a", "q"): a, ("b", "q"): b}, claim(**fields)))
    return one


def test_factor_and_interval_are_those_worked_out_by_hand():
    # Factors 4, 8 and 16: logarithms (2, 3, 4) ln 2, deviation ln 2, t(.975, 2) = 4.302653.
    one = judged((1.0, 1.0, 1.0), (4.0, 8.0, 16.0))
    assert one.effect == pytest.approx(3 * math.log(2)) and one.is_factor
    assert one.half == pytest.approx(4.302653 * math.log(2) / math.sqrt(3), rel=1e-6)
    assert (one.judgement, one.n_seeds, one.n_pairs) == ("shows", 3, 1)
    row = one.numbers()
    assert row["effect"] == pytest.approx(8.0)
    assert row["low"] * row["high"] == pytest.approx(64.0)
    assert row["least_visible"] == pytest.approx(row["high"] / 8.0)
    # With factors 2, 4 and 8 the interval is as wide, and begins below 1.
    assert judged((1.0, 1.0, 1.0), (2.0, 4.0, 8.0)).judgement == "cannot tell"


@pytest.mark.parametrize("seed", range(12))
def test_intervals_and_judgements_are_those_of_a_t_test_of_the_logarithms(seed):
    rng = np.random.default_rng(seed)
    n_seeds, n_pairs = int(rng.integers(2, 6)), int(rng.integers(1, 4))
    shift = rng.choice([-0.5, 0.0, 0.5])
    values = {}
    for p in range(n_pairs):
        shared = rng.normal(size=n_seeds)  # cancels
        values[f"a{p}", "q"] = np.exp(shared + rng.normal(0, 0.1, n_seeds))
        values[f"b{p}", "q"] = np.exp(shared + shift + rng.normal(0, 0.1, n_seeds))
    pairs = [pair(f"a{p}", f"b{p}") for p in range(n_pairs)]
    (one,) = judged_claims(view_of(values, claim(*pairs)))
    logs = [np.log(values[f"b{p}", "q"] / values[f"a{p}", "q"]) for p in range(n_pairs)]
    interval = stats.ttest_1samp(np.mean(logs, axis=0), 0.0).confidence_interval(0.95)
    assert one.effect - one.half == pytest.approx(interval.low, abs=1e-12)
    assert one.effect + one.half == pytest.approx(interval.high, abs=1e-12)
    expected = "shows" if interval.low > 0 else "does not show" if interval.high < 0 else None
    assert one.judgement == (expected or "cannot tell")
    assert one.n_agreeing == sum(np.mean(found) > 0 for found in logs)


@pytest.mark.parametrize("seed", range(12))
def test_swapping_turns_what_shows_round_and_scaling_changes_nothing(seed):
    rng = np.random.default_rng(seed)
    signed = seed % 3 == 0
    values = {
        (c, "q"): rng.normal(0 if signed else 9, 1, 3) + (1.5 if c == "b" else 0) * (seed % 4 - 1)
        for c in "ab"
    }
    one, other = claim(pair("a", "b")), claim(pair("b", "a"))
    forth, back = judged_claims(view_of(values, one, other))
    assert back.judgement == SWAPPED[forth.judgement]
    assert (back.effect, back.half) == (pytest.approx(-forth.effect), pytest.approx(forth.half))
    (scaled,) = judged_claims(view_of({at: 1000.0 * v for at, v in values.items()}, one))
    assert scaled.judgement == forth.judgement
    factor = 1.0 if forth.is_factor else 1000.0
    assert scaled.effect == pytest.approx(factor * forth.effect)
    assert scaled.half == pytest.approx(factor * forth.half)
    assert forth.is_factor == all(v.min() > 0 for v in values.values())


def test_numbers_that_are_not_above_zero_are_subtracted():
    for zero in (0.0, -1.0):
        one = judged((zero, 1.0), (2.0, 3.5))
        assert not one.is_factor and one.effect == pytest.approx((2.0 - zero + 2.5) / 2)
    assert "+" in claims_table(claim_numbers(view_of(
        {("a", "q"): (0.0, 1.0), ("b", "q"): (2.0, 3.1)}, claim()
    )))["factor"][0]  # fmt: skip


def test_the_direction_is_the_measure_s_unless_the_claim_gives_one():
    numbers = ((5.0, 5.1, 5.2), (1.0, 1.1, 1.2))
    assert judged(*numbers).judgement == "does not show"  # a distance
    assert judged(*numbers, lower=False).judgement == "shows"
    assert judged(*numbers, lower=False).effect == -judged(*numbers).effect


def test_one_seed_tells_nothing_unless_the_numbers_are_exact():
    assert judged((1.0,), (9.0,)).judgement == "cannot tell"
    assert judged((1.0,), (9.0,)).half is None
    assert judged((1.0,), (9.0,), is_exact=True).judgement == "shows"
    assert judged((9.0,), (1.0,), is_exact=True).judgement == "does not show"


def test_an_exact_claim_needs_every_pair():
    values = {("a", "q"): (1.0,), ("b", "q"): (9.0,), ("c", "q"): (0.9,)}
    two = claim(pair("a", "b"), pair("a", "c"), is_exact=True)
    (one,) = judged_claims(view_of(values, two))
    assert one.effect > 0 and one.judgement == "does not show" and one.n_agreeing == 1


def test_equal_numbers_show_only_a_claim_that_allows_them():
    equal = (3.0, 4.0, 5.0)
    assert judged(equal, equal).judgement == "cannot tell"
    allowed = judged(equal, equal, or_equal=True)
    assert (allowed.judgement, allowed.n_agreeing) == ("shows", 1)
    assert judged((3.0,), (3.0,), is_exact=True).judgement == "does not show"
    assert judged((3.0,), (3.0,), is_exact=True, or_equal=True).judgement == "shows"
    noisy = judged((3.0, 4.0), (3.1, 3.9), or_equal=True)
    assert noisy.judgement == "cannot tell"


def test_of_unequal_numbers_of_seeds_the_first_are_paired():
    one = judged((1.0, 1.0), (2.0, 4.0, 1e9))
    assert one.n_seeds == 2 and one.effect == pytest.approx(1.5 * math.log(2))
    # A value below 0 at a seed that is not paired does not count.
    assert judged((1.0, 1.0), (2.0, 4.0, -1.0)).is_factor


def test_pairs_that_are_not_measured_or_failed_are_left_out_and_counted():
    values = {("a", "q"): (1.0, 1.1), ("b", "q"): (2.0, 2.1), ("c", "q"): (), ("d", "q"): (7.0,)}
    three = claim(pair("a", "b"), pair("a", "c"), pair("a", "d"))
    view = view_of(values, three, claim(pair("c", "d")), failed=["d"])
    (one,) = judged_claims(view)
    assert (one.n_pairs, one.n_missing, one.n_seeds) == (1, 2, 2)
    assert claims_table(claim_numbers(view))["pairs"][0] == "1 of 1, 2 missing"
    assert judged_claims(view_of(dict.fromkeys(values, ()), three)) == []


def test_the_paper_s_own_numbers_are_counted():
    values = {(c, "q"): (1.0, 1.0) for c in "abc"}
    own = {("a", "q"): 2.0, ("b", "q"): 3.0, ("c", "q"): 2.0}
    both = claim(pair("a", "b"), pair("a", "c"))
    (one,) = judged_claims(view_of(values, both, reported=own))
    assert (one.n_papers, one.n_papers_agreeing) == (2, 1)
    (one,) = judged_claims(view_of(values, claim(*both.pairs, or_equal=True), reported=own))
    assert one.n_papers_agreeing == 2
    del own["c", "q"]
    (one,) = judged_claims(view_of(values, both, reported=own))
    assert one.n_papers == 1


def test_a_study_refuses_a_claim_about_numbers_that_it_does_not_have():
    real = miniature_study().cells[0]
    known = Place(real.row, real.column, real.quantities[0])
    silent = Cell(row="r", column="c", quantities=("x",))

    def study(*pairs):
        return Study(cells=(real, silent), claims=(Claim("it is so", "Table 1", pairs),))

    assert study(Pair(known, known)).claims
    for wrong in (known._replace(row="?"), known._replace(quantity="?"), Place("r", "c", "x")):
        with pytest.raises(InputError, match="'it is so' must name numbers that the study measure"):
            study(Pair(known, wrong))
    with pytest.raises(InputError, match="must have a pair, but has none"):
        study()
    exact = find_study("noise_consistency")
    made = exact.study("demo", exact.settings("demo"))
    undirected = dataclasses.replace(made.claims[0], lower=None)
    with pytest.raises(InputError, match="must say whether lower is better"):
        dataclasses.replace(made, claims=(undirected,))


def shown_view():
    """Returns the view of Table 1 with numbers over three seeds, in which most claims show."""
    module = find_study("cifar_sampling_eps")
    study = module.study("demo", module.settings("demo"))
    cells = []
    for number, cell in enumerate(study.cells):
        base = np.array([10.0, 10.5, 11.0]) + number
        measured = {"raw": Measured(tuple(2 * base)), "denoised": Measured(tuple(base))}
        cells.append(CellView(cell, measured=measured))
    return StudyView(study, tuple(cells), (), {})


def test_the_table_of_claims_is_printed_in_every_format():
    view = shown_view()
    texts = {style: render(view, style, width=80) for style in ("rich", "markdown", "latex")}
    narrow = [" ".join(line.split()) for line in texts["rich"].splitlines()]
    assert max(map(len, texts["rich"].splitlines()[:40])) <= 80
    at = narrow.index("denoising lowers the shows 2 [2, 2] 8 of 8")
    assert narrow[at + 1] == "distance (Section 6.1, 3 seeds visible from 1 paper's 8 of 8"
    claims = next(line for line in texts["markdown"].splitlines() if "denoising lowers" in line)
    assert claims == (
        "| denoising lowers the distance (Section 6.1, Table 1) | shows | 2 [2, 2] | 1 | 8 of 8 | "
        "8 of 8 | 3 |"
    )
    assert "denoising lowers the distance (Section 6.1, Table 1) & shows &" in texts["latex"]
    assert "{p{0.3\\linewidth}rrrrrr}" in texts["latex"]  # wrapped
    assert "<td>denoising lowers the distance (Section 6.1, Table 1)</td>" in as_html(
        document(view)
    )
    for text in texts.values():
        assert "95 \\% interval" in text or "95 % interval" in " ".join(text.split())


def test_the_judgements_are_sentences_of_the_answer_and_tags_and_metrics_of_mlflow():
    view = shown_view()
    n = [one.judgement for one in judged_claims(view)].count
    assert answer(view)[1] == (
        f'The judgement on 7 claims of the paper is "shows" for {n("shows")}, "does not show" '
        f'for {n("does not show")} and "cannot tell" for {n("cannot tell")} (95 % intervals over '
        "paired seeds: 3); the table of claims gives the intervals."
    )
    record = _table_record(view, {}, {}, {})
    assert record.tags["claim 1"] == "shows: denoising lowers the distance; 2 [2, 2]"
    assert record.metrics["claim 1/denoising lowers the distance"] == pytest.approx(2.0)
    assert [tag for tag in record.tags if tag.startswith("claim")] == [
        f"claim {number}" for number in range(1, 8)
    ]


def test_numbers_are_a_table_with_the_same_columns_however_many_claims():
    numbers = claim_numbers(shown_view())
    assert tuple(numbers) == COLUMNS and len(numbers) == 7
    assert tuple(claim_numbers(view_of({("a", "q"): (1.0,)}))) == COLUMNS
    assert (numbers["low"] <= numbers["effect"]).all()
