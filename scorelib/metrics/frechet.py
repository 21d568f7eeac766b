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
    if a.mean.shape != b.mean.shape:
        raise InputError(
            "both sets must have the same number of features, but got "
            f"{len(a.mean)} and {len(b.mean)}"
        )
    spread = a.factor.square().sum() + b.factor.square().sum()
    distance = (a.mean - b.mean).square().sum() + spread
    distance -= 2 * _nuclear_norm(a.factor.T @ b.factor)
    return max(0.0, distance.item())  # rounding can leave -1e-15 of the spread


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
