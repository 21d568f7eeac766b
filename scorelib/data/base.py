"""The base class of data sets: labelled examples in a training and a held-out split.

Examples are images in [0, 1] or, for the synthetic data sets of `scorelib.data.toys`, vectors
around zero. Networks are trained on the ``train`` split only. The ``test`` split is the baseline:
both splits are samples of the same distribution. If a perfect generator drew as many images as the
``test`` split has, their Frechet distance to the ``train`` split would be about that of the
``test`` split.

The path of the files is not a field of the spec but an argument of `DataSpec.load`: the same images
at another path give the same results, so the path must not change a key.
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
    """Base class of data sets: the properties of a data set, and methods that load the examples.

    Subclasses override ``name`` and ``n_classes`` with a property or a field where they depend on
    the fields of the subclass.

    Attributes:
        name: short name, shown in tables and in the names of metrics.
        n_classes: number of classes; labels are 0 .. n_classes - 1.
    """

    KIND = "DataSpec"
    name: ClassVar[str]
    n_classes: ClassVar[int]

    @property
    @abstractmethod
    def shape(self) -> tuple[int, ...]:
        """Shape of one example: (channels, height, width) for images, (D,) for vectors."""

    @property
    def class_shares(self) -> tuple[float, ...] | None:
        """Share of each class among the training examples; None if not known without the files."""
        return None

    @abstractmethod
    def n_images(self, split: Split) -> int:
        """Returns the number of examples of a split, without loading the split."""

    @abstractmethod
    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all examples and labels of a split, always in the same order.

        Args:
            split: ``train`` or the held-out ``test``.
            root: folder of the data files. Embedded and synthetic data sets ignore the folder.

        Returns:
            Images, float32 (N, C, H, W) in [0, 1], or vectors, float32 (N, D); and labels, int64
            (N,).

        Raises:
            MissingDataError: the files are absent or corrupt and could not be downloaded.
        """

    def stored(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns the examples and labels of `load`, but keeps 8-bit images as uint8.

        uint8 images take a quarter of the memory of float32 images. Use this method to hold a whole
        data set in memory, and convert each batch with `scorelib.data.files.as_floats`.

        Args:
            split: ``train`` or the held-out ``test``.
            root: folder of the data files.

        Returns:
            Images, uint8 (N, C, H, W) if they are stored as 8-bit pixels, else the examples of
            `load`; and labels, int64 (N,).

        Raises:
            MissingDataError: the files are absent or corrupt and could not be downloaded.
        """
        return self.load(split, root)

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether files of the data set are there, complete or not.

        Args:
            root: folder of the data files; embedded data sets ignore it.
        """
        return True

    def remarks(self, root: Path | None = None) -> list[str]:
        """Returns what was left out of the data set and how images were read, one line each.

        Args:
            root: folder of the data files; embedded data sets ignore it.
        """
        return []
