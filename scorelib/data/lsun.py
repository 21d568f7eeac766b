"""LSUN: photographs of one category of scenes (churches, bedrooms, towers), read from LMDB files.

The shorter side of an image is resized to `Lsun.size` (bilinear, antialiased), then the centre is
cropped. The held-out split is the validation part of LSUN. It has 300 images, too few for a Frechet
distance; papers therefore measure the distance to the training part.

The images and their order are those of torchvision's reader, but the database is read directly,
because torchvision keeps a pickled list of keys in the *working* folder, under a name derived from
the path of the data, and unpickles any file with this name. LMDB maps its file into memory, and
reading past the end of a truncated file, or from a failing disk, kills the process. The length of
the file is therefore checked first, and a process of its own reads the pages before this one does.

References:
    F. Yu et al., LSUN: Construction of a large-scale image dataset using deep learning with humans
    in the loop, 2015.
"""

import errno
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import DEFAULT_ROOT, PixelData
from scorelib.data.reading.checks import (
    is_there,
    missing_data,
    one_line,
    require_count,
    require_dimensions,
    require_natural,
    require_size,
    unreadable,
)
from scorelib.data.reading.decoding import decode, resize_and_crop
from scorelib.errors import InputError, MissingDataError

if TYPE_CHECKING:
    from lmdb import Environment

_TRAINING_IMAGES = {"bedroom": 3_033_042, "church_outdoor": 126_227, "tower": 708_264}
_HELD_OUT_IMAGES = 300
_SHORTER_SIDE = 256  # pixels, of each published image
_PARTS = {"train": "train", "test": "val"}
_TOUCH = """
import itertools, sys, lmdb
with lmdb.open(sys.argv[1], readonly=True, lock=False).begin(buffers=True) as transaction:
    for _, image in itertools.islice(transaction.cursor(), int(sys.argv[2])):
        bytes(image[::4096]), bytes(image[-1:])
"""
"""Reads a byte of each memory page of the first images of a database."""


@dataclass(frozen=True, kw_only=True)
class Lsun(PixelData):
    """One category of LSUN, as a single class with label 0.

    Args:
        category: category of scenes.
        size: height and width in pixels, at least 4.
        most_images: largest number of training images, at least 2. The first images in the order
            of the keys are used; the keys are hashes, so these are a random sample. The default
            includes all churches. At 64 x 64 and as float32, all bedrooms would take 149 GB and
            the default's 200,000 take 9.8 GB.
    """

    KIND = "Lsun"
    n_classes: ClassVar[int] = 1

    category: Literal["bedroom", "church_outdoor", "tower"] = "church_outdoor"
    size: int = 64
    most_images: int = 200_000

    def validate(self) -> None:
        """Raises InputError if the size or the number of images is too small."""
        require_size(self.size)
        if self.most_images < 2:
            raise InputError(f"most_images must be at least 2, but got {self.most_images}")

    @property
    def name(self) -> str:
        """``lsun-`` followed by the category."""
        return f"lsun-{self.category}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, `size` x `size` pixels."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """Returns the number of images: at most `most_images` for training, 300 held out."""
        return min(self._stored(split), self.most_images) if split == "train" else _HELD_OUT_IMAGES

    def _stored(self, split: Split) -> int:
        return _TRAINING_IMAGES[self.category] if split == "train" else _HELD_OUT_IMAGES

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether the training database is there; see `DataSpec.is_present`."""
        root = DEFAULT_ROOT if root is None else root
        return is_there(root / f"{self.category}_{_PARTS['train']}_lmdb")

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns the images of a split, all with label 0; see `PixelData.pixels`."""
        root = (DEFAULT_ROOT if root is None else root).absolute()
        folder, n = root / f"{self.category}_{_PARTS[split]}_lmdb", self.n_images(split)
        with _database(folder) as database:
            require_count(database.stat()["entries"], self._stored(split), str(folder))
            _require_readable_pages(folder, n)
            with database.begin() as transaction:
                items = islice(transaction.cursor(), n)
                files = ((f"image {key!r} of {folder}", value) for key, value in items)
                images = decode(
                    files, n, self.size, resize_and_crop(self.size),
                    check=lambda name, image: require_dimensions(
                        name, image.size, min(image.size) == _SHORTER_SIDE,
                        f"a shorter side of {_SHORTER_SIDE} pixels",
                    ),
                )  # fmt: skip
        require_natural(images, self.name, folder)
        return images, torch.zeros(n, dtype=torch.long)


@contextmanager
def _database(folder: Path) -> Iterator["Environment"]:
    """Opens a database for reading; raises MissingDataError if it is absent or incomplete."""
    import lmdb

    path = folder / "data.mdb"
    if is_there(path):
        _require_first_page(path)
    try:
        database = lmdb.open(
            str(folder), max_readers=1, readonly=True, lock=False, readahead=False, meminit=False
        )
    except (lmdb.Error, OSError) as error:
        raise missing_data(
            f"LSUN must be in {folder}, a folder with data.mdb, but it cannot be opened "
            f"({one_line(error)}): unpack http://dl.yf.io/lsun/scenes/{folder.name}.zip in "
            f"{folder.parent}"
        ) from error
    try:
        n_bytes = (database.info()["last_pgno"] + 1) * database.stat()["psize"]
        if path.stat().st_size < n_bytes:
            raise MissingDataError(
                f"{path} must have {n_bytes:,} bytes, but has {path.stat().st_size:,}: unpack "
                f"http://dl.yf.io/lsun/scenes/{folder.name}.zip in {folder.parent} again"
            )
        yield database
    except lmdb.Error as error:
        raise missing_data(
            f"{path} must be a sound database, but reading it failed ({one_line(error)}): unpack "
            f"http://dl.yf.io/lsun/scenes/{folder.name}.zip in {folder.parent} again"
        ) from error
    finally:
        database.close()


def _require_first_page(path: Path) -> None:
    """Raises MissingDataError if a file cannot be opened and read; LMDB would say less."""
    try:
        with path.open("rb") as file:
            file.read(1)
    except OSError as error:
        raise unreadable(path, error) from error


def _require_readable_pages(folder: Path, n: int) -> None:
    """Raises MissingDataError if the first n images of a database lie on a failing disk."""
    command = [sys.executable, "-I", "-c", _TOUCH, str(folder), str(n)]
    if subprocess.run(command, capture_output=True).returncode == -signal.SIGBUS:
        raise unreadable(folder / "data.mdb", OSError(errno.EIO, os.strerror(errno.EIO)))
