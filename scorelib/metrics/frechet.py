r"""The Frechet distance between two sets of features, each taken for a Gaussian.

For N(m_1, S_1) and N(m_2, S_2) the squared 2-Wasserstein (Frechet) distance is

    |m_1 - m_2|^2 + tr S_1 + tr S_2 - 2 tr (S_1 S_2)^{1/2}.

The matrix root is never formed. With any factors S_1 = A_1 A_1^T and S_2 = A_2 A_2^T, the
eigenvalues of S_1 S_2 are the squared singular values of A_1^T A_2, so that

    tr (S_1 S_2)^{1/2} = || A_1^T A_2 ||_*          (nuclear norm: the sum of singular values).

This is real, needs no jitter on the diagonal, and is exact for singular covariances, thus also for
fewer images than features, where a root of S_1 S_2 loses half of the digits. The factor of a
set of features comes from a QR decomposition of the centred features, without squaring them.
All is in float64: the terms cancel.

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
    """Mean and covariance of features, the covariance as a factor; made by `moments`.

    Attributes:
        mean: (d,) float64.
        factor: (d, r) float64 with covariance = factor @ factor.T; r < d where it is singular.
        n_images: number of images they were measured on.
    """

    mean: Tensor
    factor: Tensor
    n_images: int

    @property
    def cov(self) -> Tensor:
        """The covariance, (d, d) float64."""
        return self.factor @ self.factor.T

    @classmethod
    def from_covariance(cls, mean: Tensor, cov: Tensor, n_images: int) -> Self:
        """Moments from published statistics.

        Args:
            mean: (d,).
            cov: (d, d), symmetric and positive semi-definite up to rounding.
            n_images: number of images they were measured on.

        Raises:
            InputError: shapes that do not match, or entries that are not finite.
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
    """Mean and covariance (divisor n - 1) of features.

    Args:
        features: (n, d), one row per image, n >= 2, finite.

    Raises:
        InputError: fewer than two rows, or features that are not finite.
    """
    if features.ndim != 2 or len(features) < 2:
        raise InputError(
            f"features must have shape (n_images >= 2, d), but got {tuple(features.shape)}"
        )
    bad = (~features.isfinite().all(dim=1)).sum().item()
    if bad:
        raise InputError(f"features must be finite, but those of {bad} images are not")
    features = features.double()
    mean = features.mean(dim=0)
    triangle = torch.linalg.qr(features - mean, mode="r").R
    return Moments(mean, triangle.T / math.sqrt(len(features) - 1), len(features))


def frechet_distance(a: Moments, b: Moments) -> float:
    """The squared Frechet distance of two Gaussians: zero for equal ones, never negative.

    It is biased upwards by roughly (1 / n_a + 1 / n_b) times a constant of the data, so values
    of different numbers of images do not compare.

    Args:
        a: moments of one set of features.
        b: moments of the other, in the same feature space.

    Returns:
        The distance, in squared units of the features.

    Raises:
        InputError: feature spaces of different dimension.
    """
    if a.mean.shape != b.mean.shape:
        raise InputError(
            f"both sets must have as many features, but got {len(a.mean)} and {len(b.mean)}"
        )
    spread = a.factor.square().sum() + b.factor.square().sum()
    distance = (a.mean - b.mean).square().sum() + spread
    distance -= 2 * _nuclear_norm(a.factor.T @ b.factor)
    return max(0.0, distance.item())  # rounding can leave -1e-15 of the spread


def _nuclear_norm(matrix: Tensor) -> Tensor:
    """Sum of the singular values."""
    if min(matrix.shape) <= _SVD_LIMIT:
        return torch.linalg.svdvals(matrix).sum()
    # Twice as fast for large matrices. The root of an eigenvalue near zero has half the digits
    # only, but next to a thousand others such values do not weigh: 1e-9 of the sum in practice.
    gram = matrix @ matrix.T if len(matrix) <= matrix.shape[1] else matrix.T @ matrix
    return torch.linalg.eigvalsh(gram).clamp_min(0).sqrt().sum()


def _factor(cov: Tensor) -> Tensor:
    """A with cov = A A^T: Cholesky's, or the scaled eigenvectors where cov is singular."""
    triangle, failure = torch.linalg.cholesky_ex(cov)
    if not failure:
        return triangle
    values, vectors = torch.linalg.eigh(cov)
    # Eigenvalues below rounding are noise, and their roots would be large: drop them.
    kept = values > len(values) * torch.finfo(values.dtype).eps * values[-1]
    return vectors[:, kept] * values[kept].sqrt()
