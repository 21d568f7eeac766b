"""Tests of the Frechet distance: closed forms, scipy's matrix root and 50-digit arithmetic."""

import math

import mpmath
import numpy as np
import pytest
import scipy.linalg
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from scorelib.errors import InputError
from scorelib.metrics import frechet
from scorelib.metrics.frechet import Moments, distances_without, frechet_distance, moments


def features(n, d, seed, spread=1.0, shift=0.0):
    """Returns correlated features of unequal variances, float64."""
    g = torch.Generator().manual_seed(seed)
    mixing = torch.randn(d, d, generator=g, dtype=torch.float64)
    mixing *= torch.linspace(0, -3, d, dtype=torch.float64).exp()
    return spread * torch.randn(n, d, generator=g, dtype=torch.float64) @ mixing + shift


def distance(x, y):
    return frechet_distance(moments(x), moments(y))


def by_matrix_root(x, y):
    s, t = (np.atleast_2d(np.cov(f.numpy(), rowvar=False)) for f in (x, y))
    root = scipy.linalg.sqrtm(s @ t)
    gap = (x.mean(0) - y.mean(0)).square().sum().item()
    return gap + np.trace(s) + np.trace(t) - 2 * np.trace(root).real


def by_long_arithmetic(x, y):
    """Computes the distance with fifty digits; singular covariances cost half of them."""
    with mpmath.workdps(50):

        def fit(rows):
            rows = mpmath.matrix(rows.tolist())
            n, d = rows.rows, rows.cols
            mean = mpmath.matrix([sum(rows[i, j] for i in range(n)) / n for j in range(d)])
            centred = mpmath.matrix(n, d)
            for i in range(n):
                for j in range(d):
                    centred[i, j] = rows[i, j] - mean[j]
            return mean, centred.T * centred / (n - 1)

        def root(matrix):
            values, vectors = mpmath.eigsy(matrix)
            roots = mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values])
            return vectors * roots * vectors.T

        (m, s), (k, t) = fit(x), fit(y)
        half = root(s)
        cross = half * t * half
        traces = [sum(a[i, i] for i in range(a.rows)) for a in (s, t, root((cross + cross.T) / 2))]
        gap = sum((a - b) ** 2 for a, b in zip(m, k, strict=True))
        return float(gap + traces[0] + traces[1] - 2 * traces[2])


@pytest.mark.parametrize("d", [1, 5, 64])
def test_agrees_with_the_matrix_root(d):
    x, y = features(400, d, seed=1), features(300, d, seed=2, spread=1.3, shift=0.2)
    assert distance(x, y) == pytest.approx(by_matrix_root(x, y), rel=1e-9)


@pytest.mark.parametrize(("n", "m"), [(3, 4), (3, 30), (2, 2), (6, 7)])
def test_exact_with_fewer_images_than_features(n, m):
    x, y = features(n, 6, seed=1), features(m, 6, seed=2, shift=0.1)
    assert distance(x, y) == pytest.approx(by_long_arithmetic(x, y), rel=1e-12)


def test_closed_form_of_diagonal_gaussians():
    g = torch.Generator().manual_seed(0)
    m, k = torch.randn(2, 20, generator=g, dtype=torch.float64)
    s, t = torch.rand(2, 20, generator=g, dtype=torch.float64) + 0.01
    a = Moments.from_covariance(m, torch.diag(s), n_images=100)
    b = Moments.from_covariance(k, torch.diag(t), n_images=100)
    expected = ((m - k).square() + (s.sqrt() - t.sqrt()).square()).sum().item()
    assert frechet_distance(a, b) == pytest.approx(expected, rel=1e-13)


def test_scaling_and_shifting_one_data_set():
    x = features(200, 16, seed=3)
    variance = torch.cov(x.T).trace().item()
    centred = x - x.mean(0)
    assert distance(x, x + 0.5) == pytest.approx(16 * 0.25, rel=1e-10)
    assert distance(centred, 3 * centred) == pytest.approx(4 * variance, rel=1e-10)


def test_one_dimensional_by_hand():
    x, y = torch.tensor([[0.0], [2.0]]), torch.tensor([[1.0], [7.0]])  # variances 2 and 18
    assert distance(x, y) == pytest.approx(9 + (3 - 1) ** 2 * 2, rel=1e-14)


@given(st.integers(2, 40), st.integers(2, 40), st.integers(1, 24), st.integers(0, 10**6))
@settings(max_examples=40)
def test_is_a_distance(n, m, d, seed):
    x, y = features(n, d, seed), features(m, d, seed + 1, spread=2.0, shift=1.0)
    value = distance(x, y)
    scale = x.var(0).sum().item() + y.var(0).sum().item()
    assert distance(x, x.flip(0)) == pytest.approx(0, abs=1e-12 * scale)
    assert distance(y, x) == pytest.approx(value, rel=1e-10)
    assert distance(x + 100, y + 100) == pytest.approx(value, rel=1e-8)
    rotation = torch.linalg.qr(features(d, d, seed + 2)).Q
    assert distance(x @ rotation, y @ rotation) == pytest.approx(value, rel=1e-9)
    gap = (x.mean(0) - y.mean(0)).square().sum().item()
    assert gap * (1 - 1e-12) <= value <= gap + scale


def test_root_is_a_metric():
    x, y, z = (features(50, 8, seed=s, shift=0.3 * s) for s in range(3))
    direct, detour = distance(x, z), (distance(x, y), distance(y, z))
    assert math.sqrt(direct) <= sum(map(math.sqrt, detour))


def test_features_that_are_constant_or_repeated():
    x, y = features(100, 6, seed=5), features(80, 6, seed=6, shift=0.4)
    dead = [torch.cat([f, torch.zeros(len(f), 3)], dim=1) for f in (x, y)]
    assert distance(*dead) == pytest.approx(distance(x, y), rel=1e-12)
    twice = [torch.cat([f, f], dim=1) for f in (x, y)]
    assert distance(*twice) == pytest.approx(2 * distance(x, y), rel=1e-12)


@pytest.mark.parametrize("n", [500, 20])
def test_published_covariances_equal_features(n):
    x, y = features(n, 40, seed=1), features(500, 40, seed=2)
    a = Moments.from_covariance(x.mean(0), torch.cov(x.T), n_images=n)
    assert frechet_distance(a, moments(y)) == pytest.approx(distance(x, y), rel=1e-10)
    torch.testing.assert_close(a.cov, torch.cov(x.T), rtol=1e-9, atol=1e-12)


def test_moments_are_those_of_numpy_in_double_precision():
    x = (features(60, 8, seed=4) + 1e4).float()
    got = moments(x)
    assert got.n_images == 60 and got.mean.dtype == got.factor.dtype == torch.float64
    np.testing.assert_allclose(got.mean, x.double().numpy().mean(0), rtol=1e-14)
    expected = np.cov(x.double().numpy(), rowvar=False)
    np.testing.assert_allclose(got.cov, expected, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize(("n", "m"), [(300, 200), (40, 200), (200, 40)])
def test_the_way_for_large_matrices_agrees(monkeypatch, n, m):
    x, y = features(n, 64, seed=1), features(m, 64, seed=2)
    expected = distance(x, y)
    monkeypatch.setattr(frechet, "_SVD_LIMIT", 0)
    assert distance(x, y) == pytest.approx(expected, rel=1e-7)


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_refuses_features_that_are_not_finite(value):
    x = features(10, 3, seed=0)
    x[4, 1] = x[4, 2] = x[7, 0] = value
    with pytest.raises(InputError, match="2 images"):
        moments(x)
    with pytest.raises(InputError, match="finite"):
        Moments.from_covariance(torch.zeros(2), torch.full((2, 2), value), n_images=9)


def test_refuses_shapes_that_do_not_fit():
    with pytest.raises(InputError, match=r"\(1, 3\)"):
        moments(torch.zeros(1, 3))
    with pytest.raises(InputError, match="3 and 4"):
        frechet_distance(moments(features(9, 3, seed=0)), moments(features(9, 4, seed=0)))
    with pytest.raises(InputError, match=r"\(2, 3\)"):
        Moments.from_covariance(torch.zeros(2), torch.zeros(2, 3), n_images=9)


def weighted(x, weights):
    """Returns the moments of images with weights that sum to 1."""
    mean = weights @ x
    factor = (weights * len(x) / (len(x) - 1)).sqrt()[:, None] * (x - mean)
    return Moments(mean, factor.T, len(x))


@pytest.mark.parametrize(("n", "d", "constant"), [(30, 4, 0), (12, 20, 0), (30, 6, 2)])
def test_without_one_image_the_distance_moves_by_its_derivative(n, d, constant):
    x = features(n, d, 1, spread=1.3, shift=0.3)
    x[:, :constant] = 0.7  # such features make the covariance singular for any number of images
    reference, step = moments(features(50, d, 2)), 1e-5
    left_out = distances_without(reference, x, torch.arange(n))
    equal, whole = torch.full((n,), 1 / n).double(), frechet_distance(reference, moments(x))
    for image in range(n):
        towards = step * (torch.eye(n).double()[image] - equal)
        up, down = (
            frechet_distance(reference, weighted(x, equal + sign * towards)) for sign in (1, -1)
        )
        derivative = (up - down) / (2 * step)
        assert left_out[image] == pytest.approx(whole - derivative / (n - 1), rel=1e-6)


@pytest.mark.parametrize(
    ("n", "d", "tolerance"), [(1000, 8, 0.02), (640, 64, 0.05), (160, 64, 0.1), (48, 64, 0.4)]
)
def test_the_spread_of_groups_left_out_is_that_of_brute_force(n, d, tolerance):
    groups, reference = torch.arange(n) % 20, moments(features(4 * d + 500, d, 1))
    x = features(n, d, 2, spread=1.1, shift=0.1)
    found = distances_without(reference, x, groups)
    brute = torch.tensor(
        [frechet_distance(reference, moments(x[groups != left_out])) for left_out in range(20)]
    )
    assert found.std().item() == pytest.approx(brute.std().item(), rel=tolerance)
    assert torch.corrcoef(torch.stack([found, brute.double()]))[0, 1] > 1 - tolerance


def test_groups_may_differ_in_size():
    x, reference = features(41, 3, 1), moments(features(60, 3, 2))
    groups = torch.tensor([0] * 6 + [1] * 35)
    small, large = distances_without(reference, x, groups).tolist()
    whole = frechet_distance(reference, moments(x))
    assert 35 * (whole - small) == pytest.approx(-6 * (whole - large))  # derivatives sum to 0


def test_distances_without_groups_refuse_what_distances_refuse():
    reference, groups = moments(features(9, 2, 1)), torch.arange(9) % 3
    with pytest.raises(InputError, match="same number of features"):
        distances_without(reference, features(9, 3, 1), groups)
    with pytest.raises(InputError, match="must be finite"):
        distances_without(reference, features(9, 2, 1) / 0, groups)
