"""Tests of verdicts: the coverage of the prediction interval, and which cells have a verdict."""

import numpy as np
import pytest

from dashboards.results.cells import CellView
from dashboards.results.verdicts import TOLERANCE, prediction_noise, verdict, verdict_of
from tests.dashboards.seeds import measured
from tests.miniature import miniature_study
from tuning.cells import Cell, Reported


@pytest.mark.parametrize("n", [2, 3, 5, 20])
def test_one_more_measurement_is_within_the_noise_of_the_others_in_95_of_100_cases(n):
    rng = np.random.default_rng(n)
    draws = rng.normal(7.0, 2.0, size=(20_000, n + 1))
    seeds, another = draws[:, :n], draws[:, n]
    spread = seeds.std(axis=1, ddof=1)
    within = [
        abs(a - m) <= prediction_noise(s, n)
        for a, m, s in zip(another, seeds.mean(1), spread, strict=True)
    ]
    assert np.mean(within) == pytest.approx(0.95, abs=0.006)


@pytest.mark.parametrize(
    ("difference", "noise", "expected"),
    [
        (0.0, 1.0, "reproduced"),
        (4.9, 1.0, "reproduced"),  # beyond the noise, but practically the same number
        (5.1, 1.0, "differs"),
        (-5.1, 1.0, "differs"),
        (0.1, 5.1, "within noise"),  # close, but the seeds do not suffice for a decision
        (-8.0, 9.0, "within noise"),
        (9.1, 9.0, "differs"),
    ],
)
def test_each_verdict_where_it_belongs(difference, noise, expected):
    spread = noise / prediction_noise(1.0, 3)
    assert TOLERANCE * 100 == 5
    for reported in (100.0, -100.0):
        assert verdict_of(difference, spread, 3, reported) == expected


def cell_view(protocols, spread=0.1):
    own, reported = protocols
    cell = Cell(
        row="r", column="c", sample=miniature_study().cells[0].search.space.sample, protocol=own,
        n_seeds=3, quantities=("raw", "denoised"),
        reported={"raw": Reported(10.0, "Table 1", reported)},
    )  # fmt: skip
    known = measured(10.1, spread, 1 if spread is None else 3)
    return CellView(cell, measured=dict.fromkeys(cell.quantities, known))


def test_there_is_no_verdict_across_protocols_without_a_reported_number_or_on_one_seed():
    own = miniature_study().cells[0].protocol
    equal = own, own.replace(seeds="unstated")
    assert verdict(cell_view(equal), "raw") == "reproduced"
    assert verdict(cell_view(equal), "denoised") is None
    assert verdict(cell_view(equal, spread=None), "raw") is None
    for other in (None, own.replace(n_images=own.n_images + 1), own.replace(split="test")):
        assert verdict(cell_view((own, other)), "raw") is None
