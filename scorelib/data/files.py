"""The base class of data sets of 8-bit images in files, with functions to read and check files.

As float32, a large data set takes four times the memory of its 8-bit pixels (LSUN's churches at
64 x 64: 6.2 GB instead of 1.6 GB). `PixelData.pixels` therefore returns the 8-bit pixels, and
`PixelData.load` converts all of them to float32. Training keeps the 8-bit pixels and converts each
batch.
"""

from abc import abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.errors import InputError, MissingDataError

if TYPE_CHECKING:
    from PIL.Image import Image

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

    On the CPU the results are bitwise the same for batches of any size. A GPU multiplies by the
    reciprocal instead of dividing, which rounds differently: convert pixels before moving them to a
    GPU.

    Args:
        images: uint8 pixels or floating-point examples, any shape.

    Returns:
        A new float32 tensor of the same shape, or `images` itself.
    """
    if images.dtype != torch.uint8:
        return images
    return images.float().div_(_HIGHEST_LEVEL)


def decode(
    files: Iterable[tuple[str, bytes]], n: int, size: int, prepare: Callable[["Image"], "Image"]
) -> Tensor:
    """Decodes and resizes image files one by one, so that only the small results are kept.

    Args:
        files: name (for error messages) and content of each image, in any format that Pillow reads.
        n: expected number of files.
        size: height and width of a prepared image in pixels.
        prepare: function that converts an RGB image of any size to `size` x `size` pixels.

    Returns:
        Pixels, uint8 (n, 3, size, size).

    Raises:
        MissingDataError: a file is not an image, or the number of files is not `n`.
    """
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor  # imported here: takes seconds

    pixels = torch.empty(n, 3, size, size, dtype=torch.uint8)
    i = 0
    for name, content in files:
        try:
            with Image.open(BytesIO(content)) as image:
                prepared = prepare(image.convert("RGB"))
        except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
            raise MissingDataError(
                f"{name} must be an image, but cannot be read ({one_line(error)}): fetch it again"
            ) from error
        if i < n:
            pixels[i] = pil_to_tensor(prepared)
        i += 1
    require_count(i, n, "the files")
    return pixels


def resize_and_crop(size: int) -> Callable[["Image"], "Image"]:
    """Returns a function that resizes the shorter side to `size`, then crops the centre.

    Args:
        size: height and width of the result in pixels. Resizing is bilinear and antialiased.
    """
    from torchvision.transforms.functional import center_crop, resize

    return lambda image: center_crop(resize(image, size), size)


def require_size(size: int) -> None:
    """Raises InputError unless `size` is at least 4 pixels, the smallest size for training."""
    if size < 4:
        raise InputError(f"size must be at least 4 pixels, but got {size}")


def require_count(found: int, expected: int, where: str) -> None:
    """Raises MissingDataError unless the expected number of images was found.

    Args:
        found: number of images found.
        expected: number of images of the data set.
        where: location of the images, for the error message.
    """
    if found != expected:
        raise missing_data(
            f"{where} must hold {expected:,} images, but {found:,} were found: "
            "fetch the whole data set again"
        )


def missing_data(message: str) -> MissingDataError:
    """Returns the error for absent or corrupt files, with a hint to name another data folder."""
    return MissingDataError(f"{message}, or name another folder as data.root", "data.root")


def one_line(error: Exception) -> str:
    """Returns the error's message without line breaks, or its class name if it has no message."""
    return " ".join(str(error).split()) or type(error).__name__
