"""The base class of data sets of 8-bit images in files, and the files of scikit-learn.

As float32, a large data set takes four times the memory of its 8-bit pixels (LSUN's churches at
64 x 64: 6.2 GB instead of 1.6 GB). `PixelData.pixels` therefore returns the 8-bit pixels, and
`PixelData.load` converts all of them to float32. Training keeps the 8-bit pixels and converts each
batch.
"""

from abc import abstractmethod
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.errors import MissingDataError

DEFAULT_ROOT = Path("data")
"""Default folder of the data files."""

_HIGHEST_LEVEL = 255


@dataclass(frozen=True, kw_only=True)
class PixelData(DataSpec):
    """A data set of 8-bit images in files; subclasses read the pixels."""

    KIND = "PixelData"

    @abstractmethod
    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels of a split as 8-bit pixels, always in the same order.

        Args:
            split: ``train`` or the held-out ``test``.
            root: folder of the data files; ``./data`` if None.

        Returns:
            Pixels, uint8 (N, C, H, W), and labels, int64 (N,).

        Raises:
            MissingDataError: the files are absent or corrupt and could not be downloaded.
        """

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns the `pixels` divided by 255, and the labels; see `DataSpec.load`."""
        pixels, labels = self.pixels(split, root)
        return as_floats(pixels), labels

    def stored(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns the `pixels` and the labels; see `DataSpec.stored`."""
        return self.pixels(split, root)


def as_floats(images: Tensor) -> Tensor:
    """Converts 8-bit pixels to float32 in [0, 1]; returns floating-point examples unchanged.

    The results are bitwise the same for batches of any size and on all devices.

    Args:
        images: uint8 pixels or floating-point examples, any shape.

    Returns:
        A new float32 tensor of the same shape, or `images` itself.
    """
    if images.dtype != torch.uint8:
        return images
    # A GPU multiplies by the reciprocal of a plain number, which rounds differently.
    highest = torch.full((), _HIGHEST_LEVEL, dtype=torch.float32, device=images.device)
    return images.float().div_(highest)


def scikit_learn_folder(kind: str, contents: str) -> Path:
    """Returns a folder with data files of scikit-learn, without its import, which takes a second.

    Args:
        kind: name of the folder, such as "images".
        contents: what the folder holds, for the error.

    Raises:
        MissingDataError: scikit-learn is missing.
    """
    package = find_spec("sklearn")
    if package is None or package.origin is None:
        raise MissingDataError(
            f"the {contents} are files of scikit-learn, but scikit-learn is missing"
        )
    return Path(package.origin).with_name("datasets") / kind
