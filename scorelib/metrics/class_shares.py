"""Shares of the classes among generated images, with confidence intervals.

If k of n images belong to a class, the observed share of the class is k / n. With the requested
confidence, the true share lies in Wilson's interval, which contains the shares p that differ from
the observed share by at most z standard deviations of an observed share with true share p,

    |k / n - p| <= z sqrt(p (1 - p) / n).

Wilson's interval is contained in [0, 1] and also has the requested confidence for rare classes, for
which the symmetric interval does not. Each class has its own interval: at 95%, if ten classes have
true shares of 1 / 10, on average half a class has an interval that does not contain its true share.

A class *reaches* the equal share 1 / K if its interval contains 1 / K. (An interval with its upper
end above 1 / K is not sufficient: the shares sum to one, so some class always has a share of 1 / K
or more.)

References:
    E. B. Wilson, Probable inference, the law of succession, and statistical inference, 1927.
    A. Spagnoletti, A. Ratouchniak and D. Aubakirova, Denoising score matching for diffusion models
    (a report), Figures 13 and 14.
"""

import math
from dataclasses import dataclass

import torch
from scipy.special import ndtri
from torch import Tensor

from scorelib.errors import InputError

CONFIDENCE = 0.95


@dataclass(frozen=True)
class ClassShares:
    """The observed shares of the classes and their confidence intervals.

    Attributes:
        shares: share of each class, in [0, 1], summing to one, shape (K,).
        lower: lower ends of the intervals, in [0, 1], shape (K,).
        upper: upper ends of the intervals, in [0, 1], shape (K,).
    """

    shares: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def n_reaching(self) -> int:
        """Number of classes with an interval that contains the equal share 1 / K."""
        equal = 1 / len(self.shares)
        pairs = zip(self.lower, self.upper, strict=True)
        return sum(low <= equal <= high for low, high in pairs)


def require_classes(classes: Tensor, n_classes: int, *axes: str) -> None:
    """Raises InputError unless `classes` contains valid class labels.

    Args:
        classes: tensor to check. It must have one dimension per axis, at least one entry, and
            integers in 0 .. n_classes - 1.
        n_classes: number of classes.
        *axes: names of the dimensions, for the error message.
    """
    if classes.ndim != len(axes) or classes.numel() == 0 or classes.is_floating_point():
        raise InputError(
            f"classes must be integers, at least one, of shape ({', '.join(axes)}), but got "
            f"{classes.dtype} of shape {tuple(classes.shape)}"
        )
    if classes.min() < 0 or classes.max() >= n_classes:
        raise InputError(
            f"classes must be 0 to {n_classes - 1}, but got {classes.min()} to {classes.max()}"
        )


def class_shares(classes: Tensor, n_classes: int, confidence: float = CONFIDENCE) -> ClassShares:
    """Computes the shares of the classes with confidence intervals.

    Args:
        classes: class of each image, integers in 0 .. n_classes - 1, shape (n,), n >= 1.
        n_classes: number of classes K.
        confidence: confidence level of the interval of each class, in (0, 1).

    Raises:
        InputError: there are no images, or a class or the confidence level is out of range.

    References:
        Wilson (1927).
    """
    require_classes(classes, n_classes, "images")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be in (0, 1), but got {confidence:g}")
    n = len(classes)
    shares = (torch.bincount(classes.cpu(), minlength=n_classes).double() / n).tolist()
    ends = [_interval(share, n, confidence) for share in shares]
    return ClassShares(tuple(shares), *(tuple(side) for side in zip(*ends, strict=True)))


def _interval(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Returns Wilson's interval for a share of n observations."""
    z = float(ndtri(0.5 + confidence / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    # The interval always contains the share; rounding must not exclude the share.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
