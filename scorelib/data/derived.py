r"""Data sets derived from another data set: a single class, or vectors with added noise.

A sampler that ends at noise level sigma should be compared to p_sigma, the distribution of the data
with noise of that level. ``Perturbed(of=OneClass(of=Moons(), label=0), sigma=7.5)`` is one moon
with such noise. The points of the other moon get the same noise, so that differences between the
classes do not result from different random numbers.

References:
    Chao et al. (2022), Section 3: real points of precision and recall on the moons.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.data.toys import Toy
from scorelib.errors import InputError
from scorelib.seeds import generator_of


@dataclass(frozen=True, kw_only=True)
class OneClass(DataSpec):
    """One class of a synthetic data set: its points in the original order, all with label 0.

    Data sets in files are not supported; metrics select their classes by label instead.

    Args:
        of: the whole data set.
        label: label of the class in the whole data set, in [0, of.n_classes - 1].
    """

    KIND = "OneClass"
    n_classes: ClassVar[int] = 1

    of: Toy
    label: int

    def validate(self) -> None:
        """Raises InputError if the data set has no class `label`."""
        if not 0 <= self.label < self.of.n_classes:
            raise InputError(
                f"label must be in [0, {self.of.n_classes - 1}], a class of {self.of.name}; "
                f"got {self.label}"
            )

    @property
    def name(self) -> str:
        """The name of the whole data set followed by ``-class-`` and the label."""
        return f"{self.of.name}-class-{self.label}"

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a point of the whole data set."""
        return self.of.shape

    def n_images(self, split: Split) -> int:
        """Returns the number of points of the class; counts them, since no file is read."""
        return _count(self.of, self.label, split)

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all points of the class, with label 0; see `DataSpec.load`."""
        points, labels = self.of.load(split, root)
        chosen = points[labels == self.label]
        return chosen, torch.zeros(len(chosen), dtype=torch.long)


@cache
def _count(of: Toy, label: int, split: Split) -> int:
    return int((of.load(split)[1] == label).sum())


@dataclass(frozen=True, kw_only=True)
class Perturbed(DataSpec):
    """A data set of vectors with fixed Gaussian noise added; the labels are unchanged.

    The noise depends on the seed, the split and the number of vectors, but not on the data set.
    Data sets of equal size, such as the two moons, get the same noise.

    Args:
        of: data set of vectors. Images are not allowed, because noise would move them out of
            [0, 1].
        sigma: standard deviation of the noise, data units, > 0.
        seed: seed of the noise.
    """

    KIND = "Perturbed"

    of: DataSpec
    sigma: float
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError unless `of` has vectors and `sigma` is positive."""
        if len(self.of.shape) != 1:
            raise InputError(
                f"of must be vectors of shape (D,), but {self.of.name} has {self.of.shape}"
            )
        if self.sigma <= 0:
            raise InputError(f"sigma must be positive, but got {self.sigma}")

    @property
    def name(self) -> str:
        """The name of the original data set followed by ``-sigma-`` and the noise level."""
        return f"{self.of.name}-sigma-{self.sigma:g}"

    @property
    def n_classes(self) -> int:
        """The number of classes of the original data set."""
        return self.of.n_classes

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of a vector of the original data set."""
        return self.of.shape

    def n_images(self, split: Split) -> int:
        """Returns the number of vectors of a split of the original data set."""
        return self.of.n_images(split)

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all vectors with added noise, and their labels; see `DataSpec.load`."""
        x, labels = self.of.load(split, root)
        noise = torch.randn(x.shape, generator=generator_of("perturbed", split, self.seed))
        return x + self.sigma * noise, labels
