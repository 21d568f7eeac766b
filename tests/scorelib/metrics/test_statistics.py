"""Tests of published statistics: their moments, their digest, and what is refused."""

import hashlib

import numpy as np
import pytest
import scipy.linalg
import torch

from scorelib.errors import InputError
from scorelib.metrics import Pixels, frechet_distance, moments
from scorelib.metrics.statistics import Statistics, holds_statistics

RNG = np.random.default_rng(0)
FEATURES = RNG.normal(size=(50, 5)) @ RNG.normal(size=(5, 5)) + RNG.normal(size=5)
MU, SIGMA = FEATURES.mean(0), np.cov(FEATURES, rowvar=False)


def save(path, save=np.savez, **arrays):
    save(path, **arrays)
    return path


@pytest.mark.parametrize("types", [(np.float64, np.float64), (np.float32, np.float64)])
def test_the_distance_to_statistics_is_the_formula_on_them(tmp_path, types):
    mu, sigma = (array.astype(kind) for array, kind in zip((MU, SIGMA), types, strict=True))
    path = save(tmp_path / "published.npz", mu=mu, sigma=sigma, n=np.arange(3))
    found = Statistics.of(path)
    assert found.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (found.name, found.n_features, found.shape) == ("published", 5, ())
    assert holds_statistics(path) and found.are_at(path) and not found.are_at(tmp_path / "none")
    own = moments(torch.from_numpy(FEATURES[:20] + 1))
    difference = own.mean.numpy() - mu
    root = scipy.linalg.sqrtm(own.cov.numpy() @ sigma)
    by_scipy = difference @ difference + np.trace(own.cov.numpy() + sigma - 2 * root.real)
    assert frechet_distance(own, found.moments(path)) == pytest.approx(by_scipy, rel=1e-9)


def test_a_changed_file_is_refused(tmp_path):
    path = save(tmp_path / "a.npz", mu=MU, sigma=SIGMA)
    found = Statistics.of(path)
    save(path, mu=MU + 1, sigma=SIGMA)
    assert not found.are_at(path)
    with pytest.raises(InputError, match="must have the SHA-256"):
        found.moments(path)


def test_features_of_another_dimension_are_refused(tmp_path):
    found = Statistics.of(save(tmp_path / "a.npz", mu=MU, sigma=SIGMA))
    found.require_features_of(Pixels(shape=(1, 1, 5)))
    with pytest.raises(InputError, match="of the 6 features of pixels, but are of 5") as caught:
        found.require_features_of(Pixels(shape=(1, 2, 3)))
    assert caught.value.fields == ("reference", "extractor")


def test_the_rounding_of_single_precision_is_no_fault(tmp_path):
    singular = FEATURES @ RNG.normal(size=(5, 60))
    mu, sigma = singular.mean(0), np.cov(singular, rowvar=False).astype(np.float32)
    assert Statistics.of(save(tmp_path / "a.npz", mu=mu, sigma=sigma)).n_features == 60


asymmetric, indefinite = SIGMA.copy(), SIGMA.copy()
asymmetric[0, 1] *= 1.01
indefinite[0, 0] *= -1
REFUSED = {
    "an asymmetric covariance": ({"mu": MU, "sigma": asymmetric}, "sigma of .* must be symmetric"),
    "an indefinite one": ({"mu": MU, "sigma": indefinite}, "no negative eigenvalue, but has -"),
    "not finite": ({"mu": MU * np.nan, "sigma": SIGMA}, "must be finite"),
    "another shape": ({"mu": MU[:4], "sigma": SIGMA}, r"but have \(4,\) and \(5, 5\)"),
    "whole numbers": ({"mu": MU, "sigma": np.eye(5, dtype=int)}, "sigma of .* but is int64"),
    "objects": ({"mu": MU.astype(object), "sigma": SIGMA}, "read without running code"),
    "features": ({"pool_3": FEATURES}, "must hold the statistics mu and sigma, but holds pool_3"),
}


@pytest.mark.parametrize(("arrays", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_statistics_is_refused_in_one_line(tmp_path, arrays, message):
    with pytest.raises(InputError, match=message) as caught:
        Statistics.of(save(tmp_path / "a.npz", **arrays))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\3\4 cut"])
def test_damaged_files_are_refused_in_one_line(tmp_path, content):
    (tmp_path / "a.npz").write_bytes(content)
    with pytest.raises(InputError, match=r"a.npz must be") as caught:
        Statistics.of(tmp_path / "a.npz")
    assert "\n" not in str(caught.value) and not holds_statistics(tmp_path / "a.npz")
