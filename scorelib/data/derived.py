r"""Data sets made of another one: one class of it, or all of it with noise.

What a sampler that ends at noise level sigma has to meet is p_sigma, the data with that noise.
``Perturbed(of=OneClass(of=Moons(), label=0), sigma=7.5)`` is one moon so blurred; the other moon's
points get the same noise, so that differences between classes are not those of two draws.

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
    """The points of one class, in the order of the whole set; all labelled 0.

    Args:
        of: the whole set. Sets that are read from files are measured class by class by their
            labels instead.
        label: the class's label there.
    """

    KIND = "OneClass"
    n_classes: ClassVar[int] = 1

    of: Toy
    label: int

    def validate(self) -> None:
        """Raises InputError if there is no such class."""
        if not 0 <= self.label < self.of.n_classes:
            raise InputError(
                f"label must be in [0, {self.of.n_classes - 1}], a class of {self.of.name}; "
                f"got {self.label}"
            )

    @property
    def name(self) -> str:
        """The whole set's name and ``-class-`` with the label."""
        return f"{self.of.name}-class-{self.label}"

    @property
    def shape(self) -> tuple[int, ...]:
        """As the whole set's."""
        return self.of.shape

    def n_images(self, split: Split) -> int:
        """How many of the split's points are of the class; counted, they are never on a disk."""
        return _count(self.of, self.label, split)

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All points of the class; see `DataSpec.load`."""
        points, labels = self.of.load(split, root)
        chosen = points[labels == self.label]
        return chosen, torch.zeros(len(chosen), dtype=torch.long)


@cache
def _count(of: Toy, label: int, split: Split) -> int:
    return int((of.load(split)[1] == label).sum())


@dataclass(frozen=True, kw_only=True)
class Perturbed(DataSpec):
    """Vectors with Gaussian noise of one level, drawn once; labels stay.

    The noise depends on the seed, the split and the number of vectors, not on the set: sets of
    equal size, such as the two moons, get the same.

    Args:
        of: the vectors. Images with noise would leave [0, 1], which no image may.
        sigma: standard deviation of the noise, data units, > 0.
        seed: of the noise.
    """

    KIND = "Perturbed"

    of: DataSpec
    sigma: float
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError unless there are vectors and noise."""
        if len(self.of.shape) != 1:
            raise InputError(
                f"of must be vectors of shape (D,), but {self.of.name} has {self.of.shape}"
            )
        if self.sigma <= 0:
            raise InputError(f"sigma must be positive, but got {self.sigma}")

    @property
    def name(self) -> str:
        """The set's name and ``-sigma-`` with the level."""
        return f"{self.of.name}-sigma-{self.sigma:g}"

    @property
    def n_classes(self) -> int:
        """As the set's."""
        return self.of.n_classes

    @property
    def shape(self) -> tuple[int, ...]:
        """As the set's."""
        return self.of.shape

    def n_images(self, split: Split) -> int:
        """As the set's."""
        return self.of.n_images(split)

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All vectors with their noise, and labels; see `DataSpec.load`."""
        x, labels = self.of.load(split, root)
        noise = torch.randn(x.shape, generator=generator_of("perturbed", split, self.seed))
        return x + self.sigma * noise, labels
