"""Tests of Langevin diffusion at one level: exact moments, mixing, refused settings."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import norm

from scorelib.data import Gaussians
from scorelib.errors import InputError
from scorelib.samplers import Langevin
from scorelib.schedules import GeometricSchedule
from scorelib.step_size import epsilon_of_langevin_step

TRAINED = GeometricSchedule(sigma_1=5.0, sigma_L=0.01, n_levels=30)


def noise_source(shape, seed=0):
    stream = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=stream, dtype=torch.float64)


def test_the_moments_of_every_step_on_a_gaussian_are_those_of_its_autoregression():
    mean, std, sigma, epsilon, n = 2.0, 0.7, 0.5, 0.08, 100_000
    wide = std**2 + sigma**2
    kept = 1 - epsilon / wide
    draw = noise_source((n,))
    sampler = Langevin(sigma=sigma, epsilon=epsilon, n_steps=60)
    states = sampler.walk(lambda x, s: s * (mean - x) / (std**2 + s**2), 3 * draw(), TRAINED, draw)
    limit = wide / (1 - epsilon / (2 * wide))
    for state in states:
        a = kept**state.step
        variance = limit + a**2 * (9 - limit)
        assert state.x.mean().item() == pytest.approx((1 - a) * mean, abs=5 * math.sqrt(9 / n))
        assert state.x.var().item() == pytest.approx(variance, rel=5 * math.sqrt(2 / n))
    assert a < 2e-3 and variance == pytest.approx(limit, rel=1e-4)


def test_it_is_the_diffusion_that_chao_et_al_write_with_the_root_of_the_step():
    e, sigma, n_steps = 3.5, 7.5, 4
    schedule = GeometricSchedule(sigma_1=10.0, sigma_L=0.001, n_levels=5)

    def score(x, level):
        return torch.tanh(3 - x) / level

    draw, x = noise_source((20,), seed=1), torch.zeros(20, dtype=torch.float64)
    sampler = Langevin(sigma=sigma, epsilon=epsilon_of_langevin_step(e**2), n_steps=n_steps)
    states = sampler.walk(lambda x, s: s * score(x, s), x, schedule, noise_source((20,), seed=1))
    for state in states:
        x = x + e**2 / 2 * score(x, sigma) + e * draw()
        assert torch.allclose(state.x, x, rtol=1e-12) and state.sigma == sigma


def shares(points):
    """Returns the shares of the 25 centres, by the nearest centre."""
    cells = (points / Gaussians.SPACING + 2).round().clamp(0, 4)
    return torch.bincount((5 * cells[:, 0] + cells[:, 1]).long(), minlength=25) / len(points)


def walked(sigma, start, share, n_steps):
    sampler = Langevin(sigma=sigma, epsilon=share * sigma**2, n_steps=n_steps)
    toy = Gaussians()
    states = sampler.walk(
        lambda x, s: s * toy.score(x, s), start, TRAINED, noise_source(start.shape)
    )
    *_, last = states
    return last


def test_a_level_that_joins_the_modes_gives_them_equal_shares_from_anywhere():
    start = Gaussians.SPACING * 2 * torch.ones(6000, 2, dtype=torch.float64)  # all in one corner
    last = walked(0.5, start, 0.1, 400)
    variance = 2 * Gaussians.SPACING**2 + Gaussians.STD**2 + 0.5**2  # of -2 .. 2: 2
    assert last.x.mean(0).numpy() == pytest.approx([0, 0], abs=0.08)
    assert last.x.var(0).numpy() == pytest.approx([variance] * 2, rel=0.06)
    # Neighbours overlap at this level: this is the part of the density in the square of each mode.
    edges = np.array([-np.inf, -1.5, -0.5, 0.5, 1.5, np.inf]) * Gaussians.SPACING
    modes = np.arange(-2, 3) * Gaussians.SPACING
    below = norm.cdf(edges[:, None], modes, math.hypot(Gaussians.STD, 0.5)).mean(1)
    exact = np.outer(np.diff(below), np.diff(below)).ravel()
    assert shares(last.x).numpy() == pytest.approx(exact, abs=0.012)


def test_a_level_that_does_not_join_them_leaves_the_shares_of_the_start():
    draw = torch.Generator().manual_seed(0)
    start = 2.5 * torch.rand(6000, 2, generator=draw, dtype=torch.float64) - 0.5  # off centre
    last = walked(0.05, start, 0.2, 100)
    assert Gaussians().distances(last.denoised).mean() < 0.03
    assert (shares(last.denoised) - shares(start)).abs().sum() < 0.05
    assert (shares(start) - 1 / 25).abs().sum() > 1


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"sigma": 0.0}, "sigma must be positive, but got 0"),
        ({"n_steps": 0}, "n_steps must be at least 1, but got 0"),
        ({"epsilon": 0.51}, r"epsilon must be in \(0, 0.5\) for langevin at sigma=0.5; got 0.51"),
        ({"epsilon": 0.0}, r"epsilon must be in \(0, 0.5\)"),
    ],
)
def test_settings_that_mean_nothing_are_refused(wrong, message):
    with pytest.raises(InputError, match=message):
        Langevin(**{"sigma": 0.5, "epsilon": 0.1, "n_steps": 5} | wrong)


def test_levels_that_were_not_trained_are_refused():
    x = torch.zeros(1)
    for sigma in (0.009, 5.1):
        sampler = Langevin(sigma=sigma, epsilon=1e-5, n_steps=1)
        with pytest.raises(InputError, match=r"sigma must be in \[0.01, 5\], the range of"):
            next(sampler.walk(lambda x, s: x, x, TRAINED, lambda: x))
    Langevin(sigma=5.0, epsilon=1e-5, n_steps=1).require_admissible(TRAINED)
