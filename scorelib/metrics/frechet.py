r"""The Frechet distance between two sets of features, each approximated by a Gaussian.

The squared 2-Wasserstein (Frechet) distance of N(m_1, S_1) and N(m_2, S_2) is

    |m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^{1/2}.

The matrix square root is never computed. With any factors S_1 = A_1 A_1^T and S_2 = A_2 A_2^T, the
eigenvalues of S_1 S_2 are the squared singular values of A_1^T A_2, so that

    tr (S_1 S_2)^{1/2} = || A_1^T A_2 ||_*          (nuclear norm: the sum of singular values).

The nuclear norm is real, needs no jitter on the diagonal, and is exact for singular covariances.
Covariances are singular for fewer images than features; there a square root of S_1 S_2 loses half
of the digits. The factor of a set of features is computed by a QR decomposition of the centred
features, without squaring them. All computations use float64, because the terms cancel.

References:
    D. C. Dowson and B. V. Landau, The Frechet distance between multivariate normal
    distributions, J. Multivariate Analysis 12, 1982, eq. (4).
    M. Heusel et al., GANs trained by a two time-scale update rule converge to a local Nash
    equilibrium, 2017, eq. (6): on Inception features this is the FID.
"""

import math
from dataclasses import dataclass
from typing import Self

import torch
from torch import Tensor

from scorelib.errors import InputError

_SVD_LIMIT = 1024


@dataclass(frozen=True)
class Moments:
    """The mean and covariance of features, with the covariance stored as a factor; see `moments`.

    Attributes:
        mean: mean of the features, (d,) float64.
        factor: factor of the covariance, (d, r) float64, with covariance = factor @ factor.T;
            r < d if the covariance is singular.
        n_images: number of images that the moments were computed from.
    """

    mean: Tensor
    factor: Tensor
    n_images: int

    @property
    def cov(self) -> Tensor:
        """The covariance matrix, (d, d) float64."""
        return self.factor @ self.factor.T

    @classmethod
    def from_covariance(cls, mean: Tensor, cov: Tensor, n_images: int) -> Self:
        """Creates moments from published statistics.

        Args:
            mean: mean of the features, (d,), finite.
            cov: covariance, (d, d), finite, symmetric and positive semi-definite up to rounding.
            n_images: number of images that the statistics were computed from.

        Raises:
            InputError: the shapes do not match, or an entry is not finite.
        """
        if mean.ndim != 1 or cov.shape != (len(mean), len(mean)):
            raise InputError(
                f"mean must have shape (d,) and cov (d, d), but got {tuple(mean.shape)} and "
                f"{tuple(cov.shape)}"
            )
        if not (mean.isfinite().all() and cov.isfinite().all()):
            raise InputError("mean and cov must be finite, but some entries are not")
        return cls(mean.double(), _factor(cov.double()), n_images)


def moments(features: Tensor) -> Moments:
    """Computes the mean and covariance (with divisor n - 1) of features.

    Args:
        features: features, (n, d), one row per image, n >= 2, finite.

    Raises:
        InputError: there are fewer than two rows, or a feature is not finite.
    """
    mean, centred = _centred(features)
    triangle = torch.linalg.qr(centred, mode="r").R
    return Moments(mean, triangle.T / math.sqrt(len(features) - 1), len(features))


def frechet_distance(a: Moments, b: Moments) -> float:
    """Computes the squared Frechet distance of two Gaussians.

    The estimate is biased upwards by roughly (1 / n_a + 1 / n_b) times a constant of the data, so
    distances can be compared only between equal numbers of images.

    Args:
        a: moments of one set of features.
        b: moments of the other set, in the same feature space.

    Returns:
        The distance, >= 0, in squared units of the features; 0 for equal moments.

    Raises:
        InputError: the feature spaces have different dimensions.

    References:
        Dowson and Landau (1982), eq. (4).
    """
    _require_same_space(a.mean, b.mean)
    spread = a.factor.square().sum() + b.factor.square().sum()
    distance = (a.mean - b.mean).square().sum() + spread
    distance -= 2 * _nuclear_norm(a.factor.T @ b.factor)
    return max(0.0, distance.item())  # rounding can leave -1e-15 of the spread


def distances_without(reference: Moments, features: Tensor, groups: Tensor) -> Tensor:
    """Returns the distance without each group of images, to first order: for a jackknife.

    Let x_i = A u_i be the centred features of image i, with S_1 = A A^T. The derivative of the
    distance with respect to the weight of an image is, up to a constant,

        2 (m_1 - m_2)^T x_i + n / (n - 1) (|x_i|^2 - u_i^T (A^T S_2 A)^{1/2} u_i),

    because the gradient of the distance is 2 (m_1 - m_2) in m_1 and I - T in S_1, where T is the
    optimal transport map to the reference, and A^T T A = (A^T S_2 A)^{1/2}. No inverse is needed,
    so singular covariances are no exception: weights move S_1 only within its range. Without a
    group of k of n images, the distance is less by the sum of their derivatives over n - k.

    Args:
        reference: moments of the images to compare with.
        features: features, (n, d), one row per image, n >= 2, finite.
        groups: group of each image, (n,) int64, numbered from 0 without a gap, at least two.

    Returns:
        One distance for each group, (G,) float64, in squared units of the features.

    Raises:
        InputError: the features cannot be used (see `moments`), or the dimensions differ.

    References:
        L. Jaeckel, The infinitesimal jackknife, Bell Laboratories, 1972.
        B. Efron, Nonparametric estimates of standard error, Biometrika 68, 1981.
    """
    mean, centred = _centred(features)
    _require_same_space(mean, reference.mean)
    n, gap = len(centred), mean - reference.mean
    rows, triangle = torch.linalg.qr(centred)
    cross = triangle @ reference.factor / math.sqrt(n - 1)
    values, vectors = torch.linalg.eigh(cross @ cross.T)
    roots = values.clamp_min(0).sqrt()
    squares = centred.square().sum(1)
    spread = squares.sum() / (n - 1) + reference.factor.square().sum()
    distance = gap.square().sum() + spread - 2 * roots.sum()
    moved = squares / (n - 1) - (rows @ vectors).square() @ roots
    derivative = 2 * centred @ gap + n * (moved - moved.mean())
    sums, sizes = (
        torch.zeros(int(groups.max()) + 1).double().index_add_(0, groups, each)
        for each in (derivative, torch.ones_like(derivative))
    )
    return distance - sums / (n - sizes)


def _centred(features: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the mean and the centred features in float64; raises InputError, see `moments`."""
    if features.ndim != 2 or len(features) < 2:
        raise InputError(
            f"features must have shape (n_images >= 2, d), but got {tuple(features.shape)}"
        )
    bad = (~features.isfinite().all(dim=1)).sum().item()
    if bad:
        raise InputError(f"features must be finite, but those of {bad} images are not")
    features = features.double()
    mean = features.mean(dim=0)
    return mean, features - mean


def _require_same_space(mean: Tensor, other: Tensor) -> None:
    """Raises InputError if two means have different numbers of features."""
    if mean.shape != other.shape:
        raise InputError(
            f"both sets must have the same number of features, but got {len(mean)} and {len(other)}"
        )


def _nuclear_norm(matrix: Tensor) -> Tensor:
    """Returns the sum of the singular values."""
    if min(matrix.shape) <= _SVD_LIMIT:
        return torch.linalg.svdvals(matrix).sum()
    # Twice as fast for large matrices. The root of an eigenvalue near zero is accurate to only
    # half of the digits, but the contribution of such values is negligible: in practice 1e-9 of
    # the sum.
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().sum()


def _factor(cov: Tensor) -> Tensor:
    """Returns A with cov = A A^T: the Cholesky factor, or scaled eigenvectors for singular cov."""
    triangle, failure = torch.linalg.cholesky_ex(cov)
    if not failure:
        return triangle
    values, vectors = torch.linalg.eigh(cov)
    # Drop eigenvalues below the rounding error: they are noise, and their roots would be large.
    kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1]
    return vectors[:, kept] * values[kept].sqrt()
