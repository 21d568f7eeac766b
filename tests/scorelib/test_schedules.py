"""Noise schedules against the paper's and Song and Ermon's numbers."""

import itertools
import math

import pytest
import torch
from scipy.spatial.distance import pdist

from scorelib.errors import InputError
from scorelib.samplers import Als
from scorelib.schedules import (
    GeometricSchedule,
    coverage,
    largest_pairwise_distance,
    n_levels_for_coverage,
)

CIFAR = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=232)


@pytest.mark.parametrize("n_sigma", [1, 2, 5, 100])
@pytest.mark.parametrize("schedule", [CIFAR, GeometricSchedule(sigma_1=2, sigma_L=1, n_levels=2)])
def test_dilation_keeps_the_ends_and_every_trained_level(schedule, n_sigma):
    dilated = schedule.dilated(n_sigma)
    assert dilated.n_levels == (schedule.n_levels - 1) * n_sigma + 1
    assert dilated.sigmas[0] == schedule.sigma_1 and dilated.sigmas[-1] == schedule.sigma_L
    assert dilated.sigmas[::n_sigma] == pytest.approx(schedule.sigmas, rel=1e-12)
    assert dilated.gamma == pytest.approx(schedule.gamma ** (1 / n_sigma), rel=1e-14)


def test_levels_strictly_decrease_by_gamma():
    ratios = [b / a for a, b in itertools.pairwise(CIFAR.sigmas)]
    assert ratios == pytest.approx([CIFAR.gamma] * 231, rel=1e-12)
    assert CIFAR.gamma < 1


@pytest.mark.parametrize(
    "wrong",
    [
        {"sigma_1": 0.01, "sigma_L": 0.01, "n_levels": 5},
        {"sigma_1": 0.01, "sigma_L": 1.0, "n_levels": 5},
        {"sigma_1": 1.0, "sigma_L": 0.0, "n_levels": 5},
        {"sigma_1": 1.0, "sigma_L": 0.1, "n_levels": 1},
    ],
)
def test_schedules_that_do_not_decrease_are_refused(wrong):
    with pytest.raises(InputError, match=r"sigmas must strictly decrease|n_levels must be"):
        GeometricSchedule(**wrong)


def test_no_dilation_below_one():
    with pytest.raises(InputError, match="n_sigma must be at least 1; got 0"):
        CIFAR.dilated(0)


def test_coverage_gives_the_known_numbers_of_levels():
    # C = 0.5 asks for 219 levels on CIFAR-10; the paper's 232 cover 0.567.
    assert n_levels_for_coverage(50, 0.01, 3072) == 219
    assert coverage(CIFAR.gamma, 3072) == pytest.approx(0.567, abs=5e-4)


@pytest.mark.parametrize("n_dimensions", [16, 64, 12288])
def test_the_chosen_number_of_levels_is_the_nearest_to_the_target(n_dimensions):
    n_levels = n_levels_for_coverage(50, 0.01, n_dimensions)

    def miss(n):
        gamma = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=n).gamma
        return abs(coverage(gamma, n_dimensions) - 0.5)

    assert all(miss(n_levels) <= 1.02 * miss(n) for n in (n_levels - 1, n_levels + 1) if n > 1)


def test_two_levels_are_enough_in_two_dimensions():
    assert n_levels_for_coverage(50, 0.01, 2) == 2
    assert coverage(0.01 / 50, 2) > 0.5


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


def test_a_schedule_may_have_a_single_level():
    single = GeometricSchedule(sigma_1=0.1, sigma_L=0.1, n_levels=1)
    assert single.sigmas == (0.1,) and single.dilated(5) == single
    still = torch.zeros(3, 2)
    walk = Als(epsilon=2e-3, n_sigma=10).walk(lambda x, _: -x, still, single, lambda: still)
    assert [state.sigma for state in walk] == [0.1] * 10
    for ask in (lambda: single.gamma, lambda: Als(epsilon=2e-3).r(single)):
        with pytest.raises(InputError, match="ratio of levels"):
            ask()
    for wrong in ({"sigma_1": 0.2}, {"n_levels": 2}, {"n_levels": 0}):
        with pytest.raises(InputError):
            single.replace(**wrong)
