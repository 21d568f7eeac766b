"""Tests of the Parzen oracle: brute force, autograd, an independent density, extreme points."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.neighbors import KernelDensity

from scorelib.data import Moons
from scorelib.errors import InputError
from scorelib.exact.parzen import Parzen


def drawn(*shape, seed=0, scale=1.0):
    stream = torch.Generator().manual_seed(seed)
    return scale * torch.randn(shape, generator=stream, dtype=torch.float64)


POINTS = drawn(40, 3)
LABELS = torch.arange(40) % 3 % 2  # unequal shares: 27 and 13
X = drawn(7, 3, seed=1, scale=2.0)
SIGMA = 0.7


def log_density_by_torch(x, points, sigma):
    """Returns the log density of the mixture by torch.distributions, differentiable in x."""
    kernels = torch.distributions.Normal(points, sigma)
    return kernels.log_prob(x[:, None]).sum(dim=2).logsumexp(dim=1) - math.log(len(points))


def score_by_autograd(x, points, sigma):
    x = x.clone().requires_grad_()
    return torch.autograd.grad(log_density_by_torch(x, points, sigma).sum(), x)[0]


def score_by_loops(x, points, sigma):
    """Computes Eq. 2 as printed, number by number."""
    rows = []
    for at in x.numpy():
        kernels = [math.exp(-np.sum((at - p) ** 2) / (2 * sigma**2)) for p in points.numpy()]
        pulls = [(p - at) / sigma**2 * k for p, k in zip(points.numpy(), kernels, strict=True)]
        rows.append(sum(pulls) / sum(kernels))
    return torch.tensor(np.array(rows))


def close(found, expected, rtol=1e-10):
    assert found.dtype == torch.float64
    torch.testing.assert_close(found, expected, rtol=rtol, atol=1e-12)


def test_the_scores_are_eq_2_by_brute_force():
    oracle = Parzen(POINTS, LABELS)
    prior = score_by_loops(X, POINTS, SIGMA)
    close(oracle.prior_score(X, SIGMA), prior)
    for label in (0, 1):
        posterior = score_by_loops(X, POINTS[label == LABELS], SIGMA)
        close(oracle.posterior_score(X, SIGMA, label), posterior)
        close(oracle.likelihood_score(X, SIGMA, label), posterior - prior)


@settings(max_examples=40)
@given(
    st.integers(1, 30), st.integers(1, 4), st.integers(0, 10_000), st.floats(0.05, 20),
    st.integers(1, 200),
)  # fmt: skip
def test_densities_and_scores_are_those_of_autograd_in_chunks_of_any_size(m, d, seed, sigma, pairs):
    points, x = drawn(m, d, seed=seed), drawn(5, d, seed=seed + 1, scale=3.0)
    oracle = Parzen(points, chunk_pairs=pairs)
    close(oracle.log_density(x, sigma), log_density_by_torch(x, points, sigma))
    expected = score_by_autograd(x, points, sigma)
    torch.testing.assert_close(oracle.prior_score(x, sigma), expected, rtol=1e-8, atol=1e-8)


def test_the_density_is_that_of_scikit_learn():
    points, labels = Moons(n=300).load("train")
    oracle = Parzen(points, labels)
    x = drawn(50, 2, scale=20.0)
    for sigma in (3.0, 7.5):  # below, scikit-learn's own kernels underflow at some of these x
        for label, chosen in ((None, points), (1, points[labels == 1])):
            other = KernelDensity(bandwidth=sigma, kernel="gaussian").fit(chosen.double().numpy())
            expected = torch.from_numpy(other.score_samples(x.numpy()))
            close(oracle.log_density(x, sigma, label), expected, rtol=1e-8)


def test_the_density_integrates_to_one():
    oracle = Parzen(torch.tensor([[-1.0], [0.5]]))
    grid = torch.linspace(-12, 12, 4001, dtype=torch.float64)
    density = oracle.log_density(grid[:, None], 1.3).exp()
    assert torch.trapezoid(density, grid).item() == pytest.approx(1, abs=1e-10)


def test_likelihoods_are_bayes_theorem_and_their_gradient_the_likelihood_score():
    oracle = Parzen(POINTS, LABELS)
    x = X.clone().requires_grad_()
    shares = torch.tensor([27 / 40, 13 / 40], dtype=torch.float64).log()
    bayes = (
        torch.stack(
            [log_density_by_torch(x, POINTS[y == LABELS], SIGMA) + shares[y] for y in (0, 1)], dim=1
        )
        - log_density_by_torch(x, POINTS, SIGMA)[:, None]
    )
    found = oracle.log_likelihood(X, SIGMA)
    close(found, bayes.detach())
    close(found.exp().sum(dim=1), torch.ones(7, dtype=torch.float64))
    for y in (0, 1):
        (gradient,) = torch.autograd.grad(bayes[:, y].sum(), x, retain_graph=True)
        close(oracle.likelihood_score(X, SIGMA, y), gradient, rtol=1e-8)


@pytest.mark.parametrize("sigma", [0.5, 7.5])
def test_all_scores_at_once_are_those_one_by_one(sigma):
    points, labels = Moons(n=300).load("train")
    labels = labels + (points[:, 0] > 10)  # three classes of unequal size
    oracle = Parzen(points, labels, chunk_pairs=4000)
    x = 30 * torch.randn(50, 2, generator=torch.Generator().manual_seed(0))
    prior, posteriors = oracle.all_scores(x, sigma)
    torch.testing.assert_close(prior, oracle.prior_score(x, sigma), rtol=1e-10, atol=1e-10)
    for label in range(3):
        torch.testing.assert_close(posteriors[label], oracle.posterior_score(x, sigma, label))
    assert posteriors.shape == (3, 50, 2)


def test_every_row_may_have_a_level_of_its_own():
    oracle = Parzen(POINTS, LABELS, chunk_pairs=13)
    sigmas = torch.linspace(0.1, 5, 7)
    for i, sigma in enumerate(sigmas):
        for method in ("log_density", "prior_score", "log_likelihood"):
            each = getattr(oracle, method)(X[i : i + 1], sigma.item())[0]
            close(getattr(oracle, method)(X, sigmas)[i], each)


def test_scores_stay_exact_where_every_kernel_underflows():
    # At 1e5 standard deviations the plain sum of Eq. 2 is 0 / 0.
    oracle = Parzen(torch.tensor([[0.0, 0.0], [1.0, 0.0]]), chunk_pairs=1)
    far = torch.tensor([[1000.0, 0.0]])
    close(oracle.prior_score(far, 0.01), torch.tensor([[-999e4, 0.0]]).double())
    assert oracle.log_density(far, 0.01).item() == pytest.approx(-0.5 * 999e2**2, rel=1e-4)


def test_near_a_point_the_score_is_that_of_the_point_alone():
    points, _ = Moons(n=100).load("train")
    offset = torch.tensor([[3e-4, -5e-4]], dtype=torch.float64)
    score = Parzen(points).prior_score(points[:1].double() + offset, 1e-3)
    torch.testing.assert_close(score, -offset / 1e-6, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("m", "n"), [(100_000, 3), (100, 1_000), (1, 40_000)])
def test_no_more_distances_are_held_at_once_than_allowed(m, n, monkeypatch):
    sizes, real = [], torch.cdist

    def counted(x, points, **options):
        sizes.append(len(x) * len(points))
        return real(x, points, **options)

    monkeypatch.setattr(torch, "cdist", counted)
    Parzen(torch.rand(m, 2), chunk_pairs=30_000).prior_score(torch.rand(n, 2), 0.1)
    assert max(sizes) <= 30_000 and sum(sizes) == m * n


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((torch.zeros(0, 2),), "points must be finite"),
        ((torch.full((2, 2), math.nan),), "points must be finite"),
        ((torch.zeros(3, 2), torch.zeros(2).long()), "every point must have a label"),
        ((torch.zeros(3, 2), torch.tensor([0, 2, 2])), r"labels must be 0 .. K - 1"),
    ],
)
def test_unfit_data_are_refused(arguments, message):
    with pytest.raises(InputError, match=message):
        Parzen(*arguments)


def test_unfit_questions_are_refused():
    oracle = Parzen(POINTS, LABELS)
    with pytest.raises(InputError, match=r"x must be of shape \(B, 3\)"):
        oracle.prior_score(torch.zeros(2, 2), 1.0)
    with pytest.raises(InputError, match="sigma must be positive"):
        oracle.prior_score(X, 0.0)
    with pytest.raises(InputError, match=r"label must be in 0 .. 1; got 2"):
        oracle.posterior_score(X, 1.0, 2)
