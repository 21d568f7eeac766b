"""Tests of the Inception score: scipy's entropies, torch-fidelity's code and known limits."""

import math

import numpy as np
import pytest
import scipy.stats
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_fidelity.metric_isc import isc_features_to_metric

from scorelib.errors import InputError
from scorelib.metrics.inception_score import inception_score


def logits(n, k, seed=0, spread=3.0):
    g = torch.Generator().manual_seed(seed)
    return spread * torch.randn(n, k, generator=g, dtype=torch.float64)


def by_divergences(rows, n_splits):
    """Computes the score by its definition: exp of the mean divergence from the mean.

    Each part of the images is computed separately.
    """
    n, scores = len(rows), []
    for i in range(n_splits):
        part = rows[i * n // n_splits : (i + 1) * n // n_splits].numpy()
        scores.append(np.exp(np.mean([scipy.stats.entropy(p, part.mean(axis=0)) for p in part])))
    return np.mean(scores), np.std(scores)


@pytest.mark.parametrize(("n", "n_splits"), [(100, 1), (100, 10), (103, 10), (7, 7), (50, 3)])
def test_agrees_with_the_definition_in_divergences(n, n_splits):
    rows = logits(n, 12).softmax(dim=1)
    score = inception_score(rows, n_splits)
    mean, std = by_divergences(rows, n_splits)
    assert score.mean == pytest.approx(mean, rel=1e-12)
    assert score.std == pytest.approx(std, rel=1e-10, abs=1e-12)
    assert (score.n_splits, score.n_images) == (n_splits, n)


@pytest.mark.parametrize("n_splits", [1, 4, 10])
def test_agrees_with_torch_fidelity_without_its_shuffling(n_splits):
    raw = logits(205, 1008)
    theirs = isc_features_to_metric(raw, splits=n_splits, shuffle=False)
    score = inception_score(raw.softmax(dim=1), n_splits)
    assert score.mean == pytest.approx(theirs["inception_score_mean"], rel=1e-11)
    assert score.std == pytest.approx(theirs["inception_score_std"], rel=1e-9, abs=1e-9)


def test_images_that_say_nothing_score_one():
    assert inception_score(torch.full((40, 8), 1 / 8), 4).mean == pytest.approx(1, abs=1e-12)
    same = logits(1, 8).softmax(dim=1).expand(40, -1)
    assert inception_score(same, 4).mean == pytest.approx(1, abs=1e-12)


def test_sure_and_balanced_classes_score_their_number():
    rows = torch.eye(8).repeat(15, 1)
    score = inception_score(rows, 5)
    assert score.mean == pytest.approx(8, rel=1e-12)
    assert score.std == pytest.approx(0, abs=1e-12)


def test_the_order_makes_the_splits():
    rows = torch.eye(10).repeat(10, 1)
    assert inception_score(rows, 10).mean == pytest.approx(10, rel=1e-12)
    sorted_rows = rows[rows.argmax(dim=1).argsort()]
    assert inception_score(sorted_rows, 10).mean == pytest.approx(1, rel=1e-12)
    assert inception_score(sorted_rows, 1).mean == pytest.approx(10, rel=1e-12)


def test_two_unequal_splits_by_hand():
    # The first part holds two images of two classes (score 2), the second three of one class (score
    # 1).
    rows = torch.tensor([[1.0, 0], [0, 1], [1, 0], [1, 0], [1, 0]])
    score = inception_score(rows, 2)
    assert score.mean == pytest.approx(1.5, rel=1e-12)
    assert score.std == pytest.approx(0.5, rel=1e-12)


@settings(max_examples=50)
@given(
    n=st.integers(2, 60), k=st.integers(2, 20), seed=st.integers(0, 999), spread=st.floats(0, 20)
)
def test_lies_between_one_and_the_number_of_classes(n, k, seed, spread):
    rows = logits(n, k, seed, spread).softmax(dim=1)
    score = inception_score(rows, 1)
    assert 1 - 1e-9 <= score.mean <= k + 1e-9
    shuffled = rows[torch.randperm(n, generator=torch.Generator().manual_seed(seed))]
    assert inception_score(shuffled, 1).mean == pytest.approx(score.mean, rel=1e-12)


def test_single_precision_costs_nothing_that_shows():
    rows = logits(2000, 1008, spread=5).softmax(dim=1)
    exact = inception_score(rows, 10).mean
    assert inception_score(rows.float(), 10).mean == pytest.approx(exact, rel=1e-6)


@pytest.mark.parametrize(
    ("rows", "n_splits", "message"),
    [
        (torch.full((4, 2), 0.5), 5, "n_splits=5"),
        (torch.full((4, 2), 0.5), 0, "n_splits=0"),
        (torch.full((4,), 0.25), 1, r"\(4,\)"),
        (torch.full((4, 2), 0.4), 1, "4 of 4"),
        (torch.tensor([[0.5, 0.5], [1.5, -0.5]]), 1, "1 of 2"),
        (torch.tensor([[0.5, 0.5], [math.nan, 1.0]]), 1, "1 of 2"),
    ],
)
def test_refuses_what_is_no_probability_or_cannot_be_split(rows, n_splits, message):
    with pytest.raises(InputError, match=message):
        inception_score(rows, n_splits)
