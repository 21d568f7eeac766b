r"""Modes covered by stacks of digits, and the divergence of their shares from equal ones.

A classifier of single images reads the three channels of a stack (`scorelib.data.Stacked`,
`scorelib.metrics.stacked`), which makes it one of K = 10^3 modes. With q_k the share of stacks in
mode k, the numbers are how many modes have any, and

    KL(q || uniform) = sum_k q_k log(K q_k)     in nats.

A perfect model scores above zero, for want of images: about (K - 1) / (2 N), 0.019 for the usual
N = 26,000.

**Reported values.** The script of Jolicoeur-Martineau et al. (2021) draws 25,000 stacks (whole
batches of 5,000), scores them twice (the second pass was meant for the denoised ones) and divides
by the 26,000 asked for. Its q sums to c = 50,000 / 26,000 = 1.923 instead of one, so it prints

    sum_k c q_k log(K c q_k) = c log c + c KL = 1.2575 + 1.923 KL,

1.30 for a perfect model. `kl_of_reported` undoes this: the 1.36 and 1.49 of that paper's Table 4
are 0.053 and 0.121. That the table came from this script is our inference; mark such values. The
number of modes is not affected.

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
"""Stacks scored in the literature."""

_SHARES_SUM = 2 * 25_000 / N_IMAGES


@dataclass(frozen=True)
class ModeCoverage:
    """How the stacks spread over the modes.

    Attributes:
        n_modes: modes with at least one stack, of `n_possible`.
        kl: KL(shares || uniform) in nats, 0 to log(n_possible).
        n_possible: number of modes there are.
        n_images: stacks counted, each once.
    """

    n_modes: int
    kl: float
    n_possible: int
    n_images: int


def mode_coverage(classes: Tensor, n_classes: int = 10) -> ModeCoverage:
    """Counts the modes.

    Args:
        classes: (N, C) integers below `n_classes`, each channel's class, as of `stack_classes`.
        n_classes: classes of one channel.

    Raises:
        InputError: no stacks, or classes out of range.
    """
    require_classes(classes, n_classes, "stacks", "channels")
    place = n_classes ** torch.arange(classes.shape[1])
    n_possible = n_classes ** classes.shape[1]
    counts = (classes.long().cpu() * place).sum(dim=1).bincount(minlength=n_possible)
    shares = counts.double() / len(classes)
    kl = torch.special.xlogy(shares, n_possible * shares).sum().item()
    # Equal shares can give minus a rounding error.
    return ModeCoverage(int((counts > 0).sum()), max(kl, 0.0), n_possible, len(classes))


def stack_classes(probabilities: Tensor, n_classes: int = 10) -> Tensor:
    """The likeliest class of each channel of each stack.

    Args:
        probabilities: (N, C n_classes), channel after channel, as of `StackedClassifierFeatures`.
        n_classes: classes of one channel.

    Returns:
        (N, C) int64.

    Raises:
        InputError: a number of columns that is no multiple of `n_classes`.
    """
    if probabilities.ndim != 2 or probabilities.shape[1] % n_classes:
        raise InputError(
            f"probabilities must have shape (N, channels * {n_classes}), but got "
            f"{tuple(probabilities.shape)}"
        )
    return probabilities.unflatten(1, (-1, n_classes)).argmax(dim=2)


def kl_of_reported(reported: float) -> float:
    """The divergence behind a value of the script described above; exact, and below 0 for noise.

    Args:
        reported: what the script prints, in nats.
    """
    return (reported - _SHARES_SUM * math.log(_SHARES_SUM)) / _SHARES_SUM
