"""Tests of Appendix E: a network without sigma as input, trained on data that is one point.

For each x~ the best output is the mean of (x_0 - x~) / sigma over the levels that may have led to
x~. If all levels are equally likely, this is (x_0 - x~) divided by the harmonic mean of the sigmas,
which is the paper's formula. Under the noise of the training the levels are not equally likely,
because x~ reveals its level: the harmonic mean is then only the average over x~ of the inverses.
"""

import statistics

import pytest
import torch

from scorelib.losses import dsm_loss
from scorelib.schedules import GeometricSchedule

SIGMAS = torch.tensor(
    GeometricSchedule(sigma_1=2.0, sigma_L=0.1, n_levels=8).sigmas, dtype=torch.float64
)
HARMONIC_MEAN = statistics.harmonic_mean(SIGMAS.tolist())


class Slope(torch.nn.Module):
    """The score s(x~) = slope(|x~|) * (0 - x~) for the point x_0 = 0, without sigma as input."""

    def __init__(self, slope):
        super().__init__()
        self.slope = slope

    def forward(self, x, sigma):
        return -self.slope(x) * x


def test_at_a_point_that_all_levels_reach_alike_the_optimum_has_the_harmonic_mean():
    point, noised = torch.tensor([0.3, -0.2, 0.5]), torch.tensor([0.7, 0.1, -1.0])
    point, noised = point.double(), noised.double()
    x = point.expand(len(SIGMAS), 3)
    noise = (noised - point) / SIGMAS[:, None]  # so that x + sigma noise is the same everywhere
    answer = torch.zeros(3, dtype=torch.float64, requires_grad=True)

    def unconditional(x, sigma):
        torch.testing.assert_close(x, noised.expand_as(x))
        return answer.expand_as(x)

    (slope,) = torch.autograd.grad(dsm_loss(unconditional, x, SIGMAS, noise), answer)
    optimum = -slope  # the loss is quadratic with curvature one, and the slope starts at 0
    torch.testing.assert_close(optimum, (point - noised) / HARMONIC_MEAN)


def inverse_sigma_given(x):
    """Returns E[1 / sigma | x~] for the point 0 in one dimension and levels drawn uniformly."""
    likelihood = torch.exp(-0.5 * (x / SIGMAS) ** 2) / SIGMAS
    return (likelihood / SIGMAS).sum(1, keepdim=True) / likelihood.sum(1, keepdim=True)


def test_under_the_trainings_own_noise_the_optimum_is_the_mean_over_what_x_tells():
    draw = torch.Generator().manual_seed(0)
    n = 400_000
    sigma = SIGMAS[torch.randint(len(SIGMAS), (n,), generator=draw)]
    noise = torch.randn(n, 1, generator=draw, dtype=torch.float64)
    x = torch.zeros_like(noise)

    def loss_of(slope):
        return dsm_loss(Slope(slope), x, sigma, noise)

    factor = torch.ones((), dtype=torch.float64, requires_grad=True)
    best = loss_of(lambda x: factor * inverse_sigma_given(x))
    (by_factor,) = torch.autograd.grad(best, factor)
    assert by_factor.item() == pytest.approx(0, abs=0.005)
    assert best < loss_of(lambda x: 1.02 * inverse_sigma_given(x))
    assert best < loss_of(lambda x: 0.98 * inverse_sigma_given(x))
    inverse = inverse_sigma_given(sigma[:, None] * noise)
    assert inverse.mean().item() == pytest.approx(1 / HARMONIC_MEAN, rel=0.01)
    # The harmonic mean for all x~ is far worse: it strongly overestimates large noise.
    assert loss_of(lambda x: 1 / HARMONIC_MEAN) > 10 * best
