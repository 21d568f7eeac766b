"""FFHQ: 70,000 photographs of faces.

The images are read as published: 1024 x 1024 pixels, in folders of 1,000 images. They are resized
to `Ffhq.size` (bilinear, antialiased). The splits are the published ones: the first 60,000 images
are for training, the last 10,000 are held out. The data set must be downloaded with the authors'
script, because it has 89 GB and the host has a quota.

References:
    T. Karras, S. Laine and T. Aila, A style-based generator architecture for generative
    adversarial networks, 2019.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import DEFAULT_ROOT, PixelData
from scorelib.data.reading.checks import (
    absent,
    is_there,
    missing_data,
    read_file,
    require_dimensions,
    require_natural,
    require_size,
)
from scorelib.data.reading.decoding import decode, resize_and_crop
from scorelib.errors import InputError

_FIRST = {"train": 0, "test": 60_000}
_N_IMAGES = {"train": 60_000, "test": 10_000}
_PER_FOLDER = 1000
_SIZE = (1024, 1024)
"""Width and height of a published image in pixels."""


@dataclass(frozen=True, kw_only=True)
class Ffhq(PixelData):
    """The FFHQ data set of faces, as a single class with label 0.

    Args:
        size: height and width in pixels, at least 4.
        most_images: largest number of images of either split, at least 2; the first images are
            used. All training images at 256 x 256 take 11.8 GB as 8-bit pixels.
    """

    KIND = "Ffhq"
    n_classes: ClassVar[int] = 1

    size: int = 256
    most_images: int = 60_000

    def validate(self) -> None:
        """Raises InputError if the size or the number of images is too small."""
        require_size(self.size)
        if self.most_images < 2:
            raise InputError(f"most_images must be at least 2; got {self.most_images}")

    @property
    def name(self) -> str:
        """``ffhq`` followed by the size."""
        return f"ffhq{self.size}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, `size` x `size` pixels."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """Returns the number of images: 60,000 (10,000 held out), at most `most_images`."""
        return min(self.most_images, _N_IMAGES[split])

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether the folder of images is there; see `DataSpec.is_present`."""
        return is_there(_folder(root))

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns the images of a split, all with label 0; see `PixelData.pixels`."""
        folder = _folder(root)
        n = self.n_images(split)
        paths = [_path(folder, _FIRST[split] + i) for i in range(n)]
        missing = absent(paths)
        if missing:
            raise missing_data(
                f"FFHQ must be in {folder} as 00000/00000.png and so on; {missing[0]} and "
                f"{len(missing) - 1:,} other images are missing: fetch them with download_ffhq.py "
                f"of https://github.com/NVlabs/ffhq-dataset"
            )
        files = ((str(path), read_file(path)) for path in paths)
        images = decode(
            files, n, self.size, resize_and_crop(self.size),
            check=lambda name, image: require_dimensions(
                name, image.size, image.size == _SIZE, "1024 x 1024 pixels"
            ),
        )  # fmt: skip
        require_natural(images, "FFHQ", folder)
        return images, torch.zeros(n, dtype=torch.long)


def _folder(root: Path | None) -> Path:
    return (DEFAULT_ROOT if root is None else root).absolute() / "ffhq" / "images1024x1024"


def _path(folder: Path, number: int) -> Path:
    thousand = number // _PER_FOLDER * _PER_FOLDER
    return folder / f"{thousand:05d}" / f"{number:05d}.png"
