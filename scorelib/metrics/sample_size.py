r"""The part of a Frechet distance that is due to the number of images alone.

The estimated distance falls with the number n of images although the images stay the same. From
about as many images as features on, the bias is nearly linear in 1 / n,

    E FID(n) = FID_infinity + c / n,

so a line through the distances of subsets gives FID_infinity, the distance of infinitely many
images, and the distance at any other n. The interval comes from the jackknife over groups of
images, since subsets of the same images are no independent measurements.

With fewer images than features, sample covariances are nearly singular, the line does not hold, and
its intercept is far too low. `perfect_distance` then gives the distance of as many *perfect*
samples: samples of a normal distribution with the mean and covariance of the reference. Bartlett's
decomposition draws the covariance of such samples directly.

References:
    Chong and Forsyth (2020), Effectively unbiased FID and inception score and where to find them,
    https://arxiv.org/abs/1911.07023 (FID-infinity: 15 subsets, a line in 1 / n).
    M. S. Bartlett, On the theory of statistical regression, 1933 (the factor of a Wishart matrix).
"""

import math
import statistics
from dataclasses import dataclass

import numpy as np
import torch
from scipy.special import stdtrit
from torch import Tensor

from scorelib.errors import InputError
from scorelib.metrics.frechet import Moments, frechet_distance, moments
from scorelib.seeds import generator_of

LEAST_RATIO = 2
"""Images per feature from which the line in 1 / n is trusted: subsets have half of the images."""

_SHARES = (1 / 2, 2 / 3, 5 / 6, 1.0)
_N_GROUPS = 10
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Extrapolation:
    """The line of a distance over 1 / n, for the images measured.

    Attributes:
        infinite: FID-infinity, the distance of infinitely many such images.
        half_width: half of its 95% interval.
        slope: slope of the line, c.
    """

    infinite: float
    half_width: float
    slope: float

    def at(self, n_images: int) -> float:
        """Returns the expected distance of a given number of such images."""
        return self.infinite + self.slope / n_images


def is_extrapolated(n_images: int, n_features: int) -> bool:
    """Returns whether there are enough images for a line in 1 / n: `LEAST_RATIO` per feature."""
    return n_images >= LEAST_RATIO * n_features


def extrapolated(reference: Moments, features: Tensor, seed: int = 0) -> Extrapolation:
    """Fits the line of the distance over 1 / n.

    Args:
        reference: moments of the reference.
        features: features of the images, (n, d), n at least `LEAST_RATIO` d.
        seed: seed of the order in which the images are taken.

    Raises:
        InputError: there are fewer images.
    """
    n, d = features.shape
    if not is_extrapolated(n, d):
        raise InputError(
            f"FID-infinity needs at least {LEAST_RATIO} images per feature, {LEAST_RATIO * d:,}, "
            f"but got {n:,}: measure more images"
        )
    shuffled = features[torch.randperm(n, generator=generator_of("extrapolation", seed))]
    infinite, slope = _line(reference, shuffled)
    groups = torch.arange(n) % _N_GROUPS
    without = [_line(reference, shuffled[groups != g])[0] for g in range(_N_GROUPS)]
    variance = (_N_GROUPS - 1) ** 2 / _N_GROUPS * statistics.variance(without)
    quantile = float(stdtrit(_N_GROUPS - 1, (1 + _CONFIDENCE) / 2))
    return Extrapolation(infinite, quantile * math.sqrt(variance), slope)


def _line(reference: Moments, features: Tensor) -> tuple[float, float]:
    """Returns intercept and slope of the distance over 1 / n; subsets end at different images."""
    sizes = [round(share * len(features)) for share in _SHARES]
    distances = [
        statistics.fmean(
            frechet_distance(reference, moments(part)) for part in (features[:m], features[-m:])
        )
        if m < len(features)
        else frechet_distance(reference, moments(features))
        for m in sizes
    ]
    slope, intercept = np.polyfit([1 / m for m in sizes], distances, 1)
    return float(intercept), float(slope)


def perfect_distance(reference: Moments, n_images: int, n_draws: int = 3, seed: int = 0) -> float:
    """Returns the mean distance that perfect samples have to the reference.

    Args:
        reference: moments of the reference.
        n_images: number of perfect samples, at least 2.
        n_draws: number of sets of samples averaged over.
        seed: seed of the draws.
    """
    draw = generator_of("perfect samples", seed)
    return statistics.fmean(
        frechet_distance(reference, _drawn(reference, n_images, draw)) for _ in range(n_draws)
    )


def _drawn(reference: Moments, n: int, draw: torch.Generator) -> Moments:
    """Returns the moments of n samples of the reference's normal distribution."""
    rank = reference.factor.shape[1]
    spread = torch.randn(rank, dtype=torch.float64, generator=draw) / math.sqrt(n)
    if n - 1 <= rank:
        factor = torch.randn(rank, n - 1, dtype=torch.float64, generator=draw)
    else:
        factor = torch.randn(rank, rank, dtype=torch.float64, generator=draw).tril(-1)
        freedom = torch.arange(n - 1, n - 1 - rank, -1, dtype=torch.float64)
        # A chi square of k degrees of freedom is twice a gamma variable of shape k / 2.
        gammas = np.random.default_rng(int(torch.randint(2**62, (), generator=draw)))
        factor += torch.from_numpy(gammas.gamma(freedom.numpy() / 2, 2.0)).sqrt().diag()
    mean = reference.mean + reference.factor @ spread
    return Moments(mean, reference.factor @ factor / math.sqrt(n - 1), n)
