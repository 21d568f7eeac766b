r"""Mode coverage of stacked digits: the number of modes and the divergence from equal shares.

A classifier of single images classifies the three channels of a stack (`scorelib.data.Stacked`,
`scorelib.metrics.stacked`), which assigns the stack to one of K = 10^3 modes. With q_k the share of
stacks in mode k, the metrics are the number of modes with at least one stack and

    KL(q || uniform) = sum_k q_k log(K q_k)     in nats.

**Perfect samples.** A finite number N of perfect stacks neither hits all modes nor has a divergence
of zero. With p_k the share of mode k in the data, the number of stacks in mode k is binomial,
C_k ~ B(N, p_k), so `perfect_coverage` computes the expected values exactly:

    E[modes] = sum_k 1 - (1 - p_k)^N,    E[KL] = sum_k E[C_k / N log(K C_k / N)].

With a thousand equal shares, N = 200, 1,000, 5,000 and 26,000 give 181.4, 632.3, 993.3 and 1,000.0
modes, and a KL of 1.742, .573, .105 and .019. The usual approximation (K - 1) / (2 N) holds for
large N only: for N = 200 it gives 2.498. The range of 95% of such samples is simulated.

**Reported values.** The script of Jolicoeur-Martineau et al. (2021) draws 25,000 stacks (whole
batches of 5,000), counts them twice (the second pass was intended for the denoised stacks) and
divides by the requested 26,000. Its q sums to c = 50,000 / 26,000 = 1.923 instead of one, so it
prints

    sum_k c q_k log(K c q_k) = c log c + c KL = 1.2575 + 1.923 KL,

which is 1.30 for a perfect model. `kl_of_reported` inverts this formula: the 1.36 and 1.49 of that
paper's Table 4 correspond to 0.053 and 0.121. That the table was computed by this script is our
inference; mark such values. The number of modes is not affected.

References:
    L. Metz et al., Unrolled generative adversarial networks, 2017, Section 3.3.1.
    Z. Lin et al., PacGAN, 2018: 26,000 samples.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import torch
from scipy.special import gammaln, xlog1py, xlogy
from torch import Tensor

from scorelib.errors import InputError
from scorelib.metrics.class_shares import require_classes

N_IMAGES = 26_000
"""Number of stacks used in the literature."""

_SHARES_TOLERANCE = 1e-6

N_SIMULATED = 500
"""Number of simulated perfect samples that give the range of 95% of the samples."""

_SHARES_SUM = 2 * 25_000 / N_IMAGES


@dataclass(frozen=True)
class ModeCoverage:
    """The distribution of stacks over the modes.

    Attributes:
        n_modes: number of modes with at least one stack, 1 to `n_possible`.
        kl: KL(shares || uniform) in nats, 0 to log(n_possible).
        n_possible: total number of modes, K.
        n_images: number of stacks, each counted once.
    """

    n_modes: int
    kl: float
    n_possible: int
    n_images: int


def mode_coverage(classes: Tensor, n_classes: int = 10) -> ModeCoverage:
    """Computes the number of covered modes and the divergence of their shares from equal shares.

    Args:
        classes: class of each channel of each stack, (N, C) integers in 0 .. n_classes - 1, N >= 1;
            see `stack_classes`.
        n_classes: number of classes of one channel.

    Raises:
        InputError: there are no stacks, or a class is out of range.
    """
    require_classes(classes, n_classes, "stacks", "channels")
    place = n_classes ** torch.arange(classes.shape[1])
    n_possible = n_classes ** classes.shape[1]
    counts = (classes.long().cpu() * place).sum(dim=1).bincount(minlength=n_possible)
    shares = counts.double() / len(classes)
    kl = torch.special.xlogy(shares, n_possible * shares).sum().item()
    # For equal shares, rounding can make the sum slightly negative.
    return ModeCoverage(int((counts > 0).sum()), max(kl, 0.0), n_possible, len(classes))


@dataclass(frozen=True)
class Expected:
    """A statistic of a random sample: its expected value and the range of 95% of the samples.

    Attributes:
        mean: expected value, exact.
        low: lower end of the range: 2.5% of the samples are below.
        high: upper end of the range: 2.5% of the samples are above.
    """

    mean: float
    low: float
    high: float


@dataclass(frozen=True)
class PerfectCoverage:
    """The mode coverage of perfect stacks.

    Attributes:
        n_modes: number of modes with at least one stack.
        kl: KL(shares || uniform) in nats.
        n_images: number of stacks.
    """

    n_modes: Expected
    kl: Expected
    n_images: int


@cache
def perfect_coverage(n_images: int, shares: tuple[float, ...]) -> PerfectCoverage:
    """Computes the mode coverage of stacks that are drawn from the data itself.

    The expected values are exact; the ranges come from `N_SIMULATED` samples of a fixed seed.

    Args:
        n_images: number of stacks, >= 1.
        shares: share of each mode in the data, at least one, >= 0, summing to one.

    Raises:
        InputError: there are no stacks, or the shares are no probabilities.
    """
    p = np.array(shares)
    if n_images < 1 or p.size == 0 or p.min() < 0 or abs(p.sum() - 1) > _SHARES_TOLERANCE:
        raise InputError(
            "n_images must be at least 1 and shares must be >= 0 and sum to 1, but got "
            f"{n_images} and {p.size} shares with the sum {p.sum():g}"
        )
    p /= p.sum()

    def occupied(counts: np.ndarray) -> np.ndarray:
        return (counts > 0).astype(float)

    def divergence(counts: np.ndarray) -> np.ndarray:
        return xlogy(counts / n_images, p.size * counts / n_images)

    drawn = np.random.default_rng(0).multinomial(n_images, p, size=N_SIMULATED)
    n_modes, kl = (_expected(n_images, p, drawn, of) for of in (occupied, divergence))
    return PerfectCoverage(n_modes, kl, n_images)


def _expected(
    n: int, p: np.ndarray, drawn: np.ndarray, of: Callable[[np.ndarray], np.ndarray]
) -> Expected:
    """Returns the expected sum over modes of a function of their counts, and the range.

    Args:
        n: number of stacks.
        p: share of each mode, (K,).
        drawn: counts of simulated samples, (N_SIMULATED, K).
        of: function of counts of stacks, elementwise.
    """
    mean = 0.0
    # Modes of the same digits in another order have the same share up to rounding.
    for share, n_modes in zip(*np.unique(p.round(15), return_counts=True), strict=True):
        # Larger counts have a probability below 1e-16, by Bernstein's inequality.
        most = math.ceil(n * share + 10 * math.sqrt(n * share) + 50)
        counts = np.arange(min(n, most) + 1)
        mean += int(n_modes) * float(_binomial(counts, n, float(share)) @ of(counts))
    low, high = np.quantile(of(drawn).sum(axis=1), (0.025, 0.975))
    return Expected(mean, float(low), float(high))


def _binomial(counts: np.ndarray, n: int, share: float) -> np.ndarray:
    """Returns the probabilities of counts under the binomial distribution B(n, share)."""
    ways = gammaln(n + 1) - gammaln(counts + 1) - gammaln(n - counts + 1)
    return np.exp(ways + xlogy(counts, share) + xlog1py(n - counts, -share))


def stack_classes(probabilities: Tensor, n_classes: int = 10) -> Tensor:
    """Returns the most probable class of each channel of each stack.

    Args:
        probabilities: class probabilities, (N, C n_classes), channel after channel; see
            `StackedClassifierFeatures`.
        n_classes: number of classes of one channel.

    Returns:
        Classes, (N, C) int64.

    Raises:
        InputError: the number of columns is not a multiple of `n_classes`.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] % n_classes:
        raise InputError(
            f"probabilities must have shape (N, channels * {n_classes}), but got "
            f"{tuple(probabilities.shape)}"
        )
    return probabilities.unflatten(1, (-1, n_classes)).argmax(dim=2)


def kl_of_reported(reported: float) -> float:
    """Converts a value printed by the script in the module docstring to the KL divergence.

    The conversion is exact. The result can be negative if the reported value contains noise.

    Args:
        reported: value printed by the script, in nats.

    Returns:
        KL(q || uniform), in nats.
    """
    return (reported - _SHARES_SUM * math.log(_SHARES_SUM)) / _SHARES_SUM
