r"""Mode coverage of stacked digits: the number of modes and the divergence from equal shares.

A classifier of single images classifies the three channels of a stack (`scorelib.data.Stacked`,
`scorelib.metrics.stacked`), which assigns the stack to one of K = 10^3 modes. With q_k the share of
stacks in mode k, the metrics are the number of modes with at least one stack and

    KL(q || uniform) = sum_k q_k log(K q_k)     in nats.

The divergence of a perfect model is larger than zero because the number of stacks N is finite:
about (K - 1) / (2 N), 0.019 for the usual N = 26,000.

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
from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.metrics.class_shares import require_classes

N_IMAGES = 26_000
"""Number of stacks used in the literature."""

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
