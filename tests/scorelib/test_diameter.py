"""Tests of the diameter of a data set against all pairs."""

import math

import pytest
import torch
from scipy.spatial.distance import pdist

from scorelib.diameter import largest_pairwise_distance


def test_the_largest_distance_is_exact_when_all_pairs_are_looked_at():
    points = torch.randn(300, 3, 2, generator=torch.Generator().manual_seed(0))
    found = largest_pairwise_distance(points)
    assert found.value == pytest.approx(pdist(points.flatten(1).double().numpy()).max(), rel=1e-12)
    assert found.error == 0


@pytest.mark.parametrize("seed", range(5))
def test_the_estimate_for_large_sets_brackets_the_exact_distance(seed):
    points = torch.randn(400, 5, generator=torch.Generator().manual_seed(seed))
    exact = largest_pairwise_distance(points).value
    estimate = largest_pairwise_distance(points, exact_up_to=10)
    assert 0.7 * exact < estimate.value <= exact + 1e-9 <= estimate.value + estimate.error + 2e-9
    assert math.isfinite(estimate.error)
