"""Tests of losses that equal denoising score matching: diffusion models and autoencoders.

J(sigma) is Vincent's loss of one level, 1/2 E |psi(x~) - grad log q(x~ | x)|^2. Networks here
return sigma psi, so `dsm_loss` at one level is sigma^2 J(sigma).
"""

import math

import pytest
import torch
from torch.distributions import Normal
from torch.nn.functional import softplus

from scorelib.losses import dsm_loss
from scorelib.networks import ResidualMlp

N, D = 400, 5


def draws(seed, *shape):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def vincents(psi, x, noised, sigma):
    """Returns J(sigma) with the conditional score by autograd, (N,), one term for each pair."""
    noised = noised.clone().requires_grad_()
    log_density = Normal(x, sigma * torch.ones_like(x)).log_prob(noised).sum()
    (wanted,) = torch.autograd.grad(log_density, noised)
    return 0.5 * (psi - wanted).square().sum(1)


@pytest.mark.parametrize("conditional", [False, True])
def test_the_simple_loss_of_diffusion_models_is_twice_dsm_weighted_by_sigma_squared(conditional):
    # L_simple = E_t |eps - eps_theta(x_t, t)|^2, x_t = sqrt(a) x0 + sqrt(1 - a) eps, a = abar_t.
    # x_t / sqrt(a) is data with noise of level sigma_t = sqrt((1 - a) / a); eps_theta = -s there.
    torch.manual_seed(0)
    network = ResidualMlp(width=16, depth=2, conditional=conditional).build((D,)).double()
    for p in network.parameters():
        p.data += 0.1 * torch.randn_like(p)
    betas = torch.linspace(1e-4, 0.02, 50, dtype=torch.float64)
    abar = (1 - betas).cumprod(0)
    t = torch.randint(50, (N,), generator=torch.Generator().manual_seed(1))
    x0, eps = draws(2, N, D), draws(3, N, D)
    root, rest = abar[t].sqrt()[:, None], (1 - abar[t]).sqrt()[:, None]
    sigma = ((1 - abar) / abar).sqrt()[t]

    def eps_theta(x_t, t):
        return -network(x_t / abar[t].sqrt()[:, None], ((1 - abar) / abar).sqrt()[t])

    with torch.no_grad():
        x_t = root * x0 + rest * eps
        simple = (eps - eps_theta(x_t, t)).square().sum(1).mean()
        ours = dsm_loss(network, x0, sigma, eps)
        torch.testing.assert_close(simple, 2 * ours, rtol=1e-12, atol=0)
        noised = x_t / root
        psi = network(noised, sigma) / sigma[:, None]
    weighted = torch.stack([
        s**2 * vincents(psi[i : i + 1], x0[i : i + 1], noised[i : i + 1], s)
        for i, s in enumerate(sigma)
    ])  # fmt: skip
    torch.testing.assert_close(simple, 2 * weighted.mean(), rtol=1e-10, atol=0)
    unweighted = (weighted[:, 0] / sigma**2).mean()
    assert abs(2 * unweighted / simple - 1) > 0.5  # the weights matter


def test_the_levels_of_a_diffusion_s_loss_are_those_of_its_variances():
    # At the same level, both kinds of noise have the same ratio of data to noise.
    abar = (1 - torch.linspace(1e-4, 0.02, 1000, dtype=torch.float64)).cumprod(0)
    sigma = ((1 - abar) / abar).sqrt()
    torch.testing.assert_close(1 / (1 + sigma**2), abar)
    assert sigma[0].item() == pytest.approx(0.01, rel=1e-3)
    assert sigma[-1].item() == pytest.approx(157, rel=0.01)


class Autoencoder(torch.nn.Module):
    """The network W^T sigmoid(W x + b) + c, and the energy whose negative gradient is its score."""

    def __init__(self, hidden, sigma):
        super().__init__()
        self.W = torch.nn.Parameter(draws(10, hidden, D))
        self.b = torch.nn.Parameter(draws(11, hidden))
        self.c = torch.nn.Parameter(draws(12, D))
        self.sigma = sigma

    def reconstruction(self, x):
        return torch.sigmoid(x @ self.W.T + self.b) @ self.W + self.c

    def energy(self, x):
        inner = x @ self.c - x.square().sum(1) / 2 + softplus(x @ self.W.T + self.b).sum(1)
        return -inner / self.sigma**2

    def forward(self, x, sigma):
        """Returns sigma * score, the score by autograd from the energy."""
        x = x.clone().requires_grad_()
        (gradient,) = torch.autograd.grad(self.energy(x).sum(), x, create_graph=True)
        return -sigma[:, None] * gradient


@pytest.mark.parametrize("sigma", [0.1, 0.7, 3.0])
def test_a_denoising_autoencoder_of_tied_weights_is_score_matching(sigma):
    # J_DSM = J_DAE / (2 sigma^4), and the same holds for the gradients: both train the same
    # network.
    network, x, noise = Autoencoder(7, sigma), draws(0, N, D), draws(1, N, D)
    noised = x + sigma * noise
    dae = (network.reconstruction(noised) - x).square().sum(1).mean()
    levels = torch.full((N,), sigma, dtype=torch.float64)
    dsm = dsm_loss(network, x, levels, noise) / sigma**2
    torch.testing.assert_close(dsm, dae / (2 * sigma**4), rtol=1e-10, atol=0)
    psi = (network.reconstruction(noised) - noised) / sigma**2
    torch.testing.assert_close(psi, network(noised, levels) / sigma, rtol=1e-9, atol=1e-9)
    direct = vincents(psi.detach(), x, noised, sigma).mean()
    torch.testing.assert_close(dsm.detach(), direct, rtol=1e-10, atol=0)
    for a, b in zip(
        torch.autograd.grad(dsm, list(network.parameters())),
        torch.autograd.grad(dae / (2 * sigma**4), list(network.parameters())),
        strict=True,
    ):
        torch.testing.assert_close(a, b, rtol=1e-7, atol=1e-9 * math.sqrt(N) / sigma**4)
