r"""The Inception score: how sure the classes of images are, and how many there are of them.

With p(k | x) an image's class probabilities and p(k) their mean over the images,

    IS = exp( mean_x KL( p(k | x) || p(k) ) ) = exp( H(mean_x p(k | x)) - mean_x H(p(k | x)) ),

H the entropy in nats. It lies between 1 (the images say nothing about the class, or all the same)
and the number of classes K (each image surely one class, all classes alike). No real images enter:
it sees neither blur that leaves the class clear nor missing variety within a class.

Following its first implementation, the score is taken of `n_splits` parts of the images apart, and
their mean and spread (divisor n_splits) are given. Smaller parts score lower, so scores of
different numbers of splits, or of images, do not compare. Part i of s holds images i N / s up to
(i + 1) N / s, rounded down, in the order given: as in the first implementation and in
torch-fidelity without its shuffling. The order matters therefore. Images from independent noise
may be taken as they come; images sorted by class must be shuffled first, or taken in one part.

References:
    T. Salimans et al., Improved techniques for training GANs, 2016, Section 4.
    S. Barratt and R. Sharma, A note on the Inception score, 2018.
"""

from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor

from scorelib.errors import InputError

_SUM_TOLERANCE = 1e-3


@dataclass(frozen=True)
class InceptionScore:
    """The score of some images; comparable at equal numbers of images and splits only.

    Attributes:
        mean: over the splits, 1 to the number of classes.
        std: over the splits, with divisor n_splits; 0 for one split.
        n_splits: number of parts.
        n_images: number of images.
    """

    mean: float
    std: float
    n_splits: int
    n_images: int


def inception_score(probabilities: Tensor, n_splits: int = 10) -> InceptionScore:
    """The score from class probabilities.

    Args:
        probabilities: (N, K), rows that sum to one, in the order the splits are made of.
        n_splits: number of parts, 1 to N.

    Raises:
        InputError: rows that are no probabilities, or fewer images than splits.
    """
    if probabilities.ndim != 2 or not 1 <= n_splits <= len(probabilities):
        raise InputError(
            "probabilities must have shape (N, K) with 1 <= n_splits <= N, but got "
            f"{tuple(probabilities.shape)} and n_splits={n_splits}"
        )
    sums = probabilities.sum(dim=1, dtype=torch.float64)
    # Written so that NaN, which compares as false, is refused.
    good = (probabilities >= 0).all(dim=1) & ((sums - 1).abs() <= _SUM_TOLERANCE)
    if not good.all():
        raise InputError(
            "probabilities must be >= 0 and sum to 1 in each row, but "
            f"{(~good).sum().item()} of {len(good)} rows are otherwise"
        )
    n = len(probabilities)
    bounds = [i * n // n_splits for i in range(n_splits + 1)]
    parts = [probabilities[i:j] for i, j in pairwise(bounds)]
    scores = torch.tensor([_score(part) for part in parts], dtype=torch.float64)
    return InceptionScore(scores.mean().item(), scores.std(correction=0).item(), n_splits, n)


def _score(probabilities: Tensor) -> float:
    probabilities = probabilities.double()
    information = _entropy(probabilities.mean(dim=0)) - _entropy(probabilities).mean()
    return information.exp().item()


def _entropy(probabilities: Tensor) -> Tensor:
    return torch.special.entr(probabilities).sum(dim=-1)
