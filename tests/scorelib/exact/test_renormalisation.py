"""Tests of powers of likelihoods: every closed form against quadrature and finite differences."""

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import norm

from scorelib.errors import InputError
from scorelib.exact.renormalisation import TwoNormals, normal_power_integral

X = np.linspace(-4, 5, 19)
CASES = [
    TwoNormals(centres=(-1.0, 1.0), alpha=alpha) for alpha in (0.2, 1.0, 10.0)
] + [TwoNormals(centres=(2.0, -0.5), std=1.3, alpha=3.0)]  # fmt: skip


def unscaled(case, y):
    """Returns p(y | x) by Bayes' theorem."""
    each = [norm.pdf(X, c, case.std) for c in case.centres]
    return each[y] / (each[0] + each[1])


@pytest.mark.parametrize("alpha", [0.3, 1.0, 4.0])
def test_the_integral_of_a_normal_to_a_power_depends_on_its_std_unless_alpha_is_one(alpha):
    stds = np.array([0.5, 1.0, 2.0])
    found = normal_power_integral(stds, alpha)
    for std, value in zip(stds, found, strict=True):
        expected, _ = quad(lambda y, s=std: norm.pdf(y, 1, s) ** alpha, -60, 60, points=[1])
        assert value == pytest.approx(expected, rel=1e-7)
    assert (np.ptp(found) < 1e-12) == (alpha == 1)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("y", [0, 1])
def test_likelihoods_are_powers_over_their_sum(case, y):
    powers = [unscaled(case, label) ** case.alpha for label in (0, 1)]
    np.testing.assert_allclose(case.normaliser(X), powers[0] + powers[1], rtol=1e-9)
    np.testing.assert_allclose(case.likelihood(X, y), powers[y] / sum(powers), rtol=1e-7)
    np.testing.assert_allclose(case.prior(X), norm.pdf(X[:, None], case.centres, case.std).mean(1))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("y", [0, 1])
def test_posteriors_integrate_to_one_and_average_to_the_prior(case, y):
    total, _ = quad(lambda x: case.posterior(x, y), -30, 30, points=[*case.centres], limit=200)
    assert total == pytest.approx(1, abs=1e-8)
    both = (case.posterior(X, 0) + case.posterior(X, 1)) / 2
    np.testing.assert_allclose(both, case.prior(X))


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("y", [0, 1])
def test_scores_are_derivatives(case, y):
    def slope(density):
        return (np.log(density(X + 1e-6)) - np.log(density(X - 1e-6))) / 2e-6

    options = {"rtol": 1e-5, "atol": 1e-7}
    np.testing.assert_allclose(case.prior_score(X), slope(case.prior), **options)
    posterior, likelihood = (lambda x: case.posterior(x, y)), (lambda x: case.likelihood(x, y))
    np.testing.assert_allclose(case.posterior_score(X, y), slope(posterior), **options)
    np.testing.assert_allclose(case.likelihood_score(X, y), slope(likelihood), **options)


@pytest.mark.parametrize("case", CASES)
def test_scaling_leaves_out_the_normalisers_gradient(case):
    slope = (np.log(case.normaliser(X + 1e-6)) - np.log(case.normaliser(X - 1e-6))) / 2e-6
    gap = case.scaled_score(X, 1) - case.posterior_score(X, 1)  # Eq. A1
    np.testing.assert_allclose(gap, slope, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("y", [0, 1])
def test_scaling_follows_a_density_of_its_own(case, y):
    followed = unscaled(case, y) ** case.alpha * case.prior(X)
    ratio = case.scaled_posterior(X, y) / followed
    np.testing.assert_allclose(ratio, ratio[0], rtol=1e-7)
    above, below = (np.log(case.scaled_posterior(X + h, y)) for h in (1e-6, -1e-6))
    slope = (above - below) / 2e-6
    np.testing.assert_allclose(case.scaled_score(X, y), slope, rtol=1e-5, atol=1e-7)


def test_alpha_one_gives_the_normals_back():
    case = TwoNormals(centres=(-1.0, 2.0), std=0.7)
    for y in (0, 1):
        np.testing.assert_allclose(case.posterior(X, y), norm.pdf(X, case.centres[y], 0.7))
        expected = (case.centres[y] - X) / 0.49
        np.testing.assert_allclose(case.posterior_score(X, y), expected, atol=1e-12)


def test_large_alpha_concentrates_and_small_alpha_disperses():
    def std(alpha):
        case = TwoNormals(centres=(-1.0, 1.0), alpha=alpha)
        mean, _ = quad(lambda x: x * case.posterior(x, 1), -30, 30)
        return np.sqrt(quad(lambda x: (x - mean) ** 2 * case.posterior(x, 1), -30, 30)[0])

    assert std(10.0) < std(1.0) < std(0.1)
    assert std(1.0) == pytest.approx(1)


@pytest.mark.parametrize("wrong", [{"std": 0.0}, {"alpha": -1.0}, {"centres": (1.0, 1.0)}])
def test_values_out_of_range_are_refused(wrong):
    with pytest.raises(InputError, match="must be > 0 and the centres must differ"):
        TwoNormals(**({"centres": (0.0, 1.0)} | wrong))
