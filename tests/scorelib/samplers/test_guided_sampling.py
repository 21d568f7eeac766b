"""Tests of guided sampling of a mixture of Gaussians by exact scores: moments and class shares."""

import numpy as np
import pytest
import torch
from torch import nn

from scorelib.guidance import ClassGuidance, GuidedNetwork
from scorelib.networks import NoiseClassifier
from scorelib.samplers import Langevin, PredictorCorrector
from scorelib.schedules import GeometricSchedule

SHARES = torch.tensor([0.3, 0.7], dtype=torch.float64)
CENTRES = torch.tensor([-1.0, 1.5], dtype=torch.float64)
STD = 0.8
N = 6000


def log_joint(x, sigma):
    """Returns log p_sigma(x, y) of both classes, for x (B, 1); shape (B, 2)."""
    variance = STD**2 + sigma.square().reshape(-1, 1)
    return SHARES.log() - (x - CENTRES).square() / (2 * variance) - variance.log() / 2


class Exact(NoiseClassifier):
    def forward(self, x, sigma):
        return log_joint(x, sigma)


class Prior(nn.Module):
    def forward(self, x, sigma):
        variance = STD**2 + sigma.square().reshape(-1, 1)
        weights = log_joint(x, sigma).softmax(dim=1)
        score = (weights * (CENTRES - x)).sum(dim=1, keepdim=True) / variance
        return sigma.reshape(-1, 1) * score


def guided(label, alpha):
    return GuidedNetwork(Prior(), ClassGuidance(Exact(), label, scale=alpha))


def exact_moments(sigma, label, alpha):
    """Returns mean and deviation of p_sigma(x) p_sigma(y | x)^alpha, by quadrature."""
    x = torch.linspace(-12, 12, 20_001, dtype=torch.float64)[:, None]
    joint = log_joint(x, torch.tensor(sigma, dtype=torch.float64))
    log_density = joint.logsumexp(dim=1) + alpha * joint.log_softmax(dim=1)[:, label]
    weights = log_density.softmax(dim=0).numpy()
    points = x[:, 0].numpy()
    mean = np.average(points, weights=weights)
    return mean, np.sqrt(np.average((points - mean) ** 2, weights=weights))


def walked(sampler, network, schedule, x, seed):
    stream = torch.Generator().manual_seed(seed)

    def scaled_score(at, sigma):
        return network(at, torch.tensor(sigma, dtype=at.dtype))

    for last in sampler.walk(
        scaled_score, x, schedule, lambda: torch.randn(x.shape, generator=stream, dtype=x.dtype)
    ):
        state = last
    return state


@pytest.mark.parametrize("alpha", [0.0, 1.0, 4.0])
def test_langevin_diffusion_meets_the_scaled_density_it_is_guided_by(alpha):
    schedule = GeometricSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=10)
    sampler = Langevin(sigma=1.0, epsilon=0.02, n_steps=800)
    start = 2 * torch.randn(N, 1, generator=torch.Generator().manual_seed(1), dtype=torch.float64)
    x = walked(sampler, guided(0, alpha), schedule, start, seed=2).x[:, 0].numpy()
    mean, std = exact_moments(1.0, 0, alpha)
    assert x.mean() == pytest.approx(mean, abs=4 * std / N**0.5 + 0.01)
    assert x.std() == pytest.approx(std, rel=4 / (2 * N) ** 0.5 + 0.01)


def denoised(network, seed=3):
    schedule = GeometricSchedule(sigma_1=20.0, sigma_L=0.05, n_levels=10)
    start = 20 * torch.randn(N, 1, generator=torch.Generator().manual_seed(4), dtype=torch.float64)
    sampler = PredictorCorrector(n_steps=150, snr=0.1)
    return walked(sampler, network, schedule, start, seed).denoised[:, 0]


@pytest.mark.parametrize("label", [0, 1])
def test_guided_samples_are_of_their_class(label):
    x = denoised(guided(label, 1.0)).numpy()
    assert x.mean() == pytest.approx(CENTRES[label].item(), abs=0.06)
    assert x.std() == pytest.approx(STD, rel=0.06)


def test_unguided_samples_have_the_classes_in_their_proportions():
    x = denoised(Prior())
    # The expected class of each point, by the exact posterior: the mean is the share.
    share = log_joint(x[:, None], torch.tensor(0.05)).softmax(dim=1).mean(dim=0)
    assert share[0].item() == pytest.approx(0.3, abs=0.03)
    mixed = (SHARES * CENTRES).sum().item()
    assert x.mean().item() == pytest.approx(mixed, abs=0.08)
