"""Images read from files: kept as 8-bit pixels, refused with the missing piece's name.

As float32 a large set takes four times the memory of its pixels (LSUN's churches at 64 x 64: 6.2 GB
instead of 1.6), so reading stops at the pixels, and `PixelData.load` is one division more.
Training needs them in small batches only: it keeps the pixels and divides batch by batch.
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
"""Folder of the data's files where none is named."""

_HIGHEST_LEVEL = 255


@dataclass(frozen=True, kw_only=True)
class PixelData(DataSpec):
    """A data set of 8-bit images in files; subclasses read its pixels."""

    KIND = "PixelData"

    @abstractmethod
    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All images and labels of a split as stored, in an order that never changes.

        Args:
            split: ``train`` or the held-out ``test``.
            root: folder of the files; ``./data`` if None.

        Returns:
            Pixels, uint8 (N, C, H, W), and labels, int64 (N,).

        Raises:
            MissingDataError: the files are absent or corrupt and could not be downloaded.
        """

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """The `pixels` over 255; see `DataSpec.load`."""
        pixels, labels = self.pixels(split, root)
        return as_floats(pixels), labels

    def stored(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """The `pixels`."""
        return self.pixels(split, root)


def as_floats(images: Tensor) -> Tensor:
    """8-bit pixels as float32 in [0, 1], a new tensor; examples in floating point as they are.

    On the CPU the same pixels give the same bits in batches of any size. A GPU multiplies by the
    reciprocal instead, which rounds differently: divide before moving there.
    """
    if images.dtype != torch.uint8:
        return images
    return images.float().div_(_HIGHEST_LEVEL)


def decode(
    files: Iterable[tuple[str, bytes]], n: int, size: int, prepare: Callable[["Image"], "Image"]
) -> Tensor:
    """Decodes and prepares image files one by one, so that only the small results are kept.

    Args:
        files: name, for messages, and content of each image, in any format of Pillow.
        n: how many there must be.
        size: height and width of a prepared image in pixels.
        prepare: from an RGB image of any size to one of `size` x `size` pixels.

    Returns:
        Pixels, uint8 (n, 3, size, size).

    Raises:
        MissingDataError: a file that is no image, or another number of them.
    """
    from PIL import Image
    from torchvision.transforms.functional import pil_to_tensor  # here: its import takes seconds

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
    """Resizes the shorter side to `size` (bilinear, antialiased), then crops the centre."""
    from torchvision.transforms.functional import center_crop, resize

    return lambda image: center_crop(resize(image, size), size)


def require_size(size: int) -> None:
    """Raises InputError unless images of `size` x `size` pixels can be trained on."""
    if size < 4:
        raise InputError(f"size must be at least 4 pixels, but got {size}")


def require_count(found: int, expected: int, where: str) -> None:
    """Raises MissingDataError unless as many images were found as the data set has."""
    if found != expected:
        raise missing_data(
            f"{where} must hold {expected:,} images, but {found:,} were found: "
            "fetch the whole again"
        )


def missing_data(message: str) -> MissingDataError:
    """The error of files that are absent or corrupt, which another folder may have."""
    return MissingDataError(f"{message}, or name another folder as data.root", "data.root")


def one_line(error: Exception) -> str:
    """The error's message without line breaks, or its kind where it has none."""
    return " ".join(str(error).split()) or type(error).__name__
