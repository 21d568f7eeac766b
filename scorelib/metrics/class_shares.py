"""How generated images spread over the classes of the data, with confidence intervals.

Of n images k fall into a class. Its share is k / n, and the true one lies, with the confidence
asked for, in Wilson's interval: the shares p that the observed one is not too far from, in units of
the standard deviation that p itself would give,

    |k / n - p| <= z sqrt(p (1 - p) / n).

It never leaves [0, 1] and holds its confidence for rare classes too, where the symmetric interval
does not. Each class has an interval of its own: at 95%, of ten classes with true shares of 1 / 10
half a class on average is left out by chance.

A class *reaches* the equal share 1 / K if its interval holds it. (Not: if its interval ends above.
The shares sum to one, so some class always is at 1 / K or above.)

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
    """Shares of the classes.

    Attributes:
        shares: of each class, in [0, 1], summing to one; shape (K,).
        lower: lower ends of their intervals, (K,).
        upper: upper ends, (K,).
    """

    shares: tuple[float, ...]
    lower: tuple[float, ...]
    upper: tuple[float, ...]

    @property
    def n_reaching(self) -> int:
        """Classes whose interval holds the equal share."""
        equal = 1 / len(self.shares)
        pairs = zip(self.lower, self.upper, strict=True)
        return sum(low <= equal <= high for low, high in pairs)


def require_classes(classes: Tensor, n_classes: int, *axes: str) -> None:
    """Raises InputError unless these are integers below `n_classes`, at least one, by the axes."""
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
    """Counts the classes.

    Args:
        classes: each image's class, integers below `n_classes`, shape (n,), n >= 1.
        n_classes: number of classes K.
        confidence: of each class's interval, in (0, 1).

    Raises:
        InputError: no images, classes out of range, or a confidence that is none.
    """
    require_classes(classes, n_classes, "images")
    if not 0 < confidence < 1:
        raise InputError(f"confidence must be in (0, 1), but got {confidence:g}")
    n = len(classes)
    shares = (torch.bincount(classes.cpu(), minlength=n_classes).double() / n).tolist()
    ends = [_interval(share, n, confidence) for share in shares]
    return ClassShares(tuple(shares), *(tuple(side) for side in zip(*ends, strict=True)))


def _interval(share: float, n: int, confidence: float) -> tuple[float, float]:
    """Wilson's interval of a share of n."""
    z = float(ndtri(0.5 + confidence / 2))
    centre = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * math.sqrt(share * (1 - share) / n + (z / (2 * n)) ** 2)
    # The share itself is always inside; rounding must not leave it out.
    return min(share, max(0.0, centre - half)), max(share, min(1.0, centre + half))
