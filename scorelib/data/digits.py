"""Scikit-learn's handwritten digits of 8 x 8 pixels, the data of the demo scale.

The data set has 1,797 real images with 17 grey levels, k / 16, and is embedded in scikit-learn.
Every third image is held out (599 images; 1,198 remain for training). The held-out split is large
because it is a baseline: the bias of a Frechet distance is inversely proportional to the number of
images, and with 300 images the bias would hide the effects of interest. Most of the file repeats
the sequence of the ten digits, so every third image (3 and 10 have no common divisor) gives both
splits nearly the same class shares. A random split would have random class shares, which would
change the distance, and would depend on a random generator that might change.

References:
    E. Alpaydin and C. Kaynak, Optical Recognition of Handwritten Digits, UCI Machine Learning
    Repository, 1998 (its test part).
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.data.files import scikit_learn_folder

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

    @property
    def class_shares(self) -> tuple[float, ...]:
        """Share of each digit among the training images, counted in the embedded file."""
        _, labels = self.load("train")
        return tuple((labels.bincount(minlength=self.n_classes).double() / len(labels)).tolist())

    def n_images(self, split: Split) -> int:
        """Returns the number of images: 1,198 for training, 599 held out."""
        held_out = _N_IMAGES // _HELD_OUT_EVERY
        return held_out if split == "test" else _N_IMAGES - held_out

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels of a split; see `DataSpec.load`."""
        images, labels = _all_digits()
        held_out = torch.arange(_N_IMAGES) % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1
        chosen = held_out if split == "test" else ~held_out
        return images[chosen], labels[chosen]  # copies


@cache
def _all_digits() -> tuple[Tensor, Tensor]:
    """Returns all images and labels of the file, which is parsed once."""
    file = scikit_learn_folder("data", "digits") / "digits.csv.gz"
    values = torch.from_numpy(np.loadtxt(file, delimiter=","))
    images = values[:, :-1].reshape(-1, 1, 8, 8).float() / _HIGHEST_LEVEL
    return images, values[:, -1].long()
