"""Handwritten digits, 8 x 8 pixels, embedded in scikit-learn: the data of the demo scale.

1,797 real images with 17 grey levels, k / 16. Every third image is held out (599; 1,198 stay for
training). The held-out third has to be large because it is a baseline: the bias of a Frechet
distance falls as one over the number of images, and with 300 images it would swamp the effects to
be seen. The file counts through the ten digits for the most part, so every third image (3 and 10
share no divisor) gives both splits nearly the same class shares; a random split would add the luck
of its shares to the distance. It also rests on no random generator that might change.

References:
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998 (its test part).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split

_N_IMAGES = 1797
_HIGHEST_LEVEL = 16
_HELD_OUT_EVERY = 3


@dataclass(frozen=True, kw_only=True)
class Digits(DataSpec):
    """Scikit-learn's digits: 1,198 training and 599 held-out images of shape (1, 8, 8)."""

    KIND = "Digits"
    name: ClassVar[str] = "digits"
    n_classes: ClassVar[int] = 10

    @property
    def shape(self) -> tuple[int, int, int]:
        """One channel, 8 x 8 pixels."""
        return (1, 8, 8)

    def n_images(self, split: Split) -> int:
        """1,198 for training, 599 held out."""
        held_out = _N_IMAGES // _HELD_OUT_EVERY
        return held_out if split == "test" else _N_IMAGES - held_out

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All images and labels of a split; see `DataSpec.load`."""
        images, labels = _all_digits()
        held_out = torch.arange(_N_IMAGES) % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1
        chosen = held_out if split == "test" else ~held_out
        return images[chosen], labels[chosen]  # copies


@cache
def _all_digits() -> tuple[Tensor, Tensor]:
    """The file's images and labels, parsed once."""
    from sklearn.datasets import load_digits  # here: its import takes a second

    digits = load_digits()
    images = torch.from_numpy(digits.images).float()[:, None] / _HIGHEST_LEVEL
    return images, torch.from_numpy(digits.target).long()
