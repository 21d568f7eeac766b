"""What a data set is: labelled examples in a training and a held-out split.

Examples are images in [0, 1] or, for the synthetic sets of `scorelib.data.toys`, vectors around
zero. Networks train on the ``train`` split only. The ``test`` split is the baseline: the Frechet
distance between the two splits is what a perfect generator of as many images would reach, since
both splits are draws of the same distribution.

Where the files lie is no field of the spec: the same images at another path give the same
results, so a path must not change a key. It is an argument of `DataSpec.load`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal

from torch import Tensor

from scorelib.spec import Spec

Split = Literal["train", "test"]


@dataclass(frozen=True, kw_only=True)
class DataSpec(Spec, ABC):
    """A data set; subclasses state its facts and load it.

    Facts that depend on a subclass's fields are properties or fields there.

    Attributes:
        name: short name, shown in tables and in the names of metrics.
        n_classes: number of labels.
    """

    KIND = "DataSpec"
    name: ClassVar[str]
    n_classes: ClassVar[int]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one example: (channels, height, width) of an image, (D,) of a vector."""

    @abstractmethod
    def n_images(self, split: Split) -> int:
        """Number of examples of a split, known without loading it."""

    @abstractmethod
    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All examples and labels of a split, in an order that never changes.

        Args:
            split: ``train`` or the held-out ``test``.
            root: folder of the data's files; embedded data sets need none and ignore it.

        Returns:
            Images, float32 (N, C, H, W) in [0, 1], or vectors, float32 (N, D), and labels, int64
            (N,).

        Raises:
            MissingDataError: the files are absent or corrupt and could not be downloaded.
        """

    def stored(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """As `load`, but for images that come as 8-bit pixels: these as uint8, a quarter as large.

        For whole sets, of which batches are made floats; see `scorelib.data.files.as_floats`.
        """
        return self.load(split, root)
