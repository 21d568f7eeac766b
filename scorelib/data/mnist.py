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
from scorelib.data.files import DEFAULT_ROOT, PixelData, missing_data, one_line, require_count


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

    def n_images(self, split: Split) -> int:
        """Returns the number of images: 60,000 for training, 10,000 held out."""
        return 60_000 if split == "train" else 10_000

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels, downloading missing files; see `PixelData.pixels`."""
        from torchvision.datasets import MNIST  # imported here because it takes seconds

        root = DEFAULT_ROOT if root is None else root
        folder = root.absolute() / "MNIST" / "raw"
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
        return data.data[:, None], data.targets
