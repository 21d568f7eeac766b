"""MNIST: 70,000 handwritten digits of 28 x 28 pixels in 256 grey levels.

References:
    Y. LeCun et al., Gradient-based learning applied to document recognition, 1998.
"""

from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import DEFAULT_ROOT, PixelData
from scorelib.data.reading.checks import (
    absent,
    is_there,
    missing_data,
    one_line,
    require_count,
    require_md5,
    require_readable,
)

_MD5 = {
    "train-images-idx3-ubyte": "6bbc9ace898e44ae57da46a324031adb",
    "train-labels-idx1-ubyte": "a25bea736e30d166cdddb491f175f624",
    "t10k-images-idx3-ubyte": "2646ac647ad5339dbf082846283269ea",
    "t10k-labels-idx1-ubyte": "27ae3e4e09519cfbb04c329615203637",
}
"""MD5 sums of the published files, unpacked; torchvision checks the packed ones it downloads."""
_PARTS = {"train": "train", "test": "t10k"}

_TRAINING_IMAGES = (5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949)
"""Number of training images of each digit."""


@dataclass(frozen=True, kw_only=True)
class Mnist(PixelData):
    """The MNIST data set: 60,000 training and 10,000 held-out images of shape (1, 28, 28)."""

    KIND = "Mnist"
    name: ClassVar[str] = "mnist"
    n_classes: ClassVar[int] = 10

    @property
    def shape(self) -> tuple[int, int, int]:
        """One channel, 28 x 28 pixels."""
        return (1, 28, 28)

    @property
    def class_shares(self) -> tuple[float, ...]:
        """Share of each digit among the 60,000 training images, 9.0 to 11.2%."""
        return tuple(n / sum(_TRAINING_IMAGES) for n in _TRAINING_IMAGES)

    def n_images(self, split: Split) -> int:
        """Returns the number of images: 60,000 for training, 10,000 held out."""
        return 60_000 if split == "train" else 10_000

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether any of the files is there; see `DataSpec.is_present`."""
        folder = _folder(root)
        return any(is_there(folder / name) for name in _MD5)

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels, downloading missing files; see `PixelData.pixels`."""
        from torchvision.datasets import MNIST  # imported here because it takes seconds

        root = DEFAULT_ROOT if root is None else root
        folder = _folder(root)
        files = [folder / name for name in _MD5]
        require_readable(*files, *(path.with_name(f"{path.name}.gz") for path in absent(files)))
        try:
            data = MNIST(root, train=split == "train", download=True)
        except (OSError, RuntimeError, ValueError, AssertionError, HTTPException) as error:
            # A file that is not in the IDX format fails an assertion or does not fit a tensor's
            # shape.
            names = ", ".join(name for name, _ in MNIST.resources)
            raise missing_data(
                f"MNIST must be in {folder} as {names}, unpacked; it can be neither read nor "
                f"downloaded ({one_line(error)}): empty that folder and put these files from "
                f"{MNIST.mirrors[0]} there"
            ) from error
        for found in (data.data, data.targets):
            require_count(len(found), self.n_images(split), f"{folder} ({split})")
        for name, md5 in _MD5.items():
            if name.startswith(_PARTS[split]):
                require_md5(folder / name, md5, "MNIST")
        return data.data[:, None], data.targets


def _folder(root: Path | None) -> Path:
    return (DEFAULT_ROOT if root is None else root).absolute() / "MNIST" / "raw"
