"""Tests of shares of classes: scipy's interval, coverage by simulation, refused input."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import binomtest

from scorelib.errors import InputError
from scorelib.metrics.class_shares import class_shares


def of_counts(*counts):
    return torch.repeat_interleave(torch.arange(len(counts)), torch.tensor(counts))


@pytest.mark.parametrize("confidence", [0.8, 0.95, 0.999])
def test_intervals_are_wilsons(confidence):
    counts = (0, 1, 40, 260, 699)
    found = class_shares(of_counts(*counts), 5, confidence)
    for k, *own in zip(counts, found.shares, found.lower, found.upper, strict=True):
        wilson = binomtest(k, 1000).proportion_ci(confidence, method="wilson")
        np.testing.assert_allclose(own, (k / 1000, wilson.low, wilson.high), atol=1e-12)
    assert math.fsum(found.shares) == pytest.approx(1)


def test_the_order_of_the_images_and_missing_classes_change_nothing():
    classes = of_counts(3, 0, 5, 2)
    shuffled = classes[torch.randperm(10, generator=torch.Generator().manual_seed(0))]
    found = class_shares(shuffled, 6)
    assert found == class_shares(classes, 6)
    assert found.shares == (0.3, 0, 0.5, 0.2, 0, 0)


def test_a_class_reaches_the_equal_share_if_its_interval_holds_it():
    even = class_shares(of_counts(*[100] * 10), 10)
    assert even.n_reaching == 10
    # The interval has a half-width of about 1.9 points: 8% and 12.5% are outside, 9% is inside.
    uneven = class_shares(of_counts(125, 80, 90, *[100] * 6, 105), 10)
    assert uneven.n_reaching == 8
    assert uneven.upper[1] < 0.1 < uneven.lower[0]


def test_at_95_percent_half_a_class_in_ten_is_missed():
    draw = torch.Generator().manual_seed(1)
    found = [
        class_shares(torch.randint(10, (2000,), generator=draw), 10).n_reaching for _ in range(400)
    ]
    assert np.mean(found) == pytest.approx(9.5, abs=0.12)


@pytest.mark.parametrize(
    ("classes", "confidence", "message"),
    [
        (torch.tensor([], dtype=torch.long), 0.95, "shape"),
        (torch.tensor([[1]]), 0.95, r"\(1, 1\)"),
        (torch.tensor([0.5]), 0.95, "float32"),
        (torch.tensor([0, 3]), 0.95, "0 to 2, but got 0 to 3"),
        (torch.tensor([-1]), 0.95, "got -1"),
        (torch.tensor([0]), 1.0, r"confidence must be in \(0, 1\), but got 1"),
    ],
)
def test_errors_say_what_must_hold(classes, confidence, message):
    with pytest.raises(InputError, match=message):
        class_shares(classes, 3, confidence)
