r"""The Inception score: the certainty of the predicted classes and the diversity of the classes.

With p(k | x) the class probabilities of an image x and p(k) their mean over the images,

    IS = exp( mean_x KL( p(k | x) || p(k) ) ) = exp( H(mean_x p(k | x)) - mean_x H(p(k | x)) ),

where H is the entropy in nats. The score lies between 1 (the class probabilities of all images are
equal) and the number of classes K (each image certainly belongs to one class, and the classes have
equal shares). The score does not use real images, so it detects neither blur that leaves the class
recognisable nor missing variety within a class.

As in the original implementation, the score is computed for `n_splits` parts of the images, and the
result is the mean and standard deviation (divisor n_splits) over the parts. Smaller parts have
lower scores, so scores can be compared only for equal numbers of splits and images. Part i of s
contains images i N / s to (i + 1) N / s, rounded down, in the given order, as in the original
implementation and in torch-fidelity without shuffling. The order of the images therefore matters:
images generated from independent noise can be used in any order, but images sorted by class must be
shuffled first or scored in a single part.

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
    """The Inception score of a set of images.

    Scores can be compared only for equal numbers of images and splits.

    Attributes:
        mean: mean score of the splits, 1 to the number of classes.
        std: standard deviation of the scores of the splits, with divisor n_splits; 0 for one split.
        n_splits: number of splits.
        n_images: number of images.
    """

    mean: float
    std: float
    n_splits: int
    n_images: int


def inception_score(probabilities: Tensor, n_splits: int = 10) -> InceptionScore:
    """Computes the Inception score from class probabilities.

    Args:
        probabilities: class probabilities, (N, K), with rows that sum to one. The splits are
            consecutive rows.
        n_splits: number of splits, 1 to N.

    Raises:
        InputError: a row does not contain probabilities, or there are fewer images than splits.
    """
    if probabilities.ndim != 2 or not 1 <= n_splits <= len(probabilities):
        raise InputError(
            "probabilities must have shape (N, K) with 1 <= n_splits <= N, but got "
            f"{tuple(probabilities.shape)} and n_splits={n_splits}"
        )
    sums = probabilities.sum(dim=1, dtype=torch.float64)
    # Comparisons with NaN are false, so rows with NaN are rejected.
    good = (probabilities >= 0).all(dim=1) & ((sums - 1).abs() <= _SUM_TOLERANCE)
    if not good.all():
        raise InputError(
            "probabilities must be >= 0 and sum to 1 in each row, but "
            f"{(~good).sum().item()} of {len(good)} rows are not"
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
