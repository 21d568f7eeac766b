"""User-provided images of any size, in one folder per class.

    ROOT/FOLDER/train/CLASS/any/name.png
    ROOT/FOLDER/test/CLASS/any/name.jpg

The name of a published data set identifies its images. The name of a folder does not, and the
images of a folder may change between two runs. The spec therefore contains a digest of all names
and contents, which is checked when the images are loaded: results with the same key come from the
same images. `ImageFolder.of` creates the spec of a folder.
"""

import hashlib
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import (
    DEFAULT_ROOT,
    PixelData,
    decode,
    missing_data,
    require_size,
    resize_and_crop,
)
from scorelib.errors import InputError, MissingDataError

_SUFFIXES = {".bmp", ".jpeg", ".jpg", ".png", ".ppm", ".tif", ".tiff", ".webp"}


@dataclass(frozen=True, kw_only=True)
class ImageFolder(PixelData):
    """A data set of colour images in a folder; use `of` to create it.

    The shorter side of an image is resized to `size` (bilinear, antialiased), then the centre is
    cropped. Grey images get three equal channels, and transparency is dropped. The labels number
    the classes in the order of their names.

    Args:
        folder: name of the folder, without a path; also the name of the data set.
        digest: SHA-256 sum of the names and contents of the images, 64 hexadecimal digits.
        n_train: number of training images, at least 2.
        n_test: number of held-out images, at least 2.
        n_classes: number of classes.
        size: height and width in pixels, at least 4.
    """

    KIND = "ImageFolder"

    folder: str
    digest: str
    n_train: int
    n_test: int
    n_classes: int
    size: int = 64

    def validate(self) -> None:
        """Raises InputError if `folder` is a path, `digest` is invalid or images are too few."""
        require_size(self.size)
        if self.folder in ("", ".", "..") or Path(self.folder).name != self.folder:
            raise InputError(
                f"folder must be a name without a path, but got {self.folder!r}; "
                "name the folder that contains it as data.root",
                "data.root",
            )
        if not re.fullmatch("[0-9a-f]{64}", self.digest):
            raise InputError(f"digest must be 64 hexadecimal digits, but got {self.digest!r}")
        if min(self.n_train, self.n_test) < 2:
            raise InputError(
                f"{self.folder}/train and {self.folder}/test must each hold at least 2 images, in "
                f"a folder per class, but they hold {self.n_train} and {self.n_test}"
            )

    @classmethod
    def of(cls, path: Path, *, size: int = 64) -> Self:
        """Creates the spec of the folder at `path`; reads all its files for the digest.

        Args:
            path: the folder, which contains the folders ``train`` and ``test``.
            size: height and width in pixels, at least 4.

        Raises:
            MissingDataError: the folder is missing, or ``test`` has a class that ``train`` lacks.
            InputError: a split has fewer than two images, or `size` is too small.
        """
        files = {split: _files(path, split) for split in ("train", "test")}
        classes = {split: {_class_of(path, file) for file in files[split]} for split in files}
        if unknown := classes["test"] - classes["train"]:
            raise MissingDataError(f"{path}/train must have a folder {min(unknown)}, as test does")
        digest = hashlib.sha256()
        for file in files["train"] + files["test"]:
            name = file.relative_to(path).as_posix()
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{content} {name!r}\n".encode())
        return cls(
            folder=path.absolute().name,
            digest=digest.hexdigest(),
            n_train=len(files["train"]),
            n_test=len(files["test"]),
            n_classes=len(classes["train"]),
            size=size,
        )

    @property
    def name(self) -> str:
        """The name of the folder."""
        return self.folder

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, `size` x `size` pixels."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """Returns the number of images: `n_train` or `n_test`."""
        return self.n_train if split == "train" else self.n_test

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels of a split; see `PixelData.pixels`."""
        path = (DEFAULT_ROOT if root is None else root).absolute() / self.folder
        found = type(self).of(path, size=self.size)
        if found != self:
            raise MissingDataError(
                f"{path} must hold the images of digest {self.digest[:12]}... ({self.n_train:,} "
                f"and {self.n_test:,}), but holds {found.digest[:12]}... ({found.n_train:,} and "
                f"{found.n_test:,}): put the old images back, or make a new spec"
            )
        files = _files(path, split)
        names = sorted({_class_of(path, file) for file in _files(path, "train")})
        images = decode(
            ((str(file), file.read_bytes()) for file in files),
            len(files),
            self.size,
            resize_and_crop(self.size),
        )
        return images, torch.tensor([names.index(_class_of(path, file)) for file in files])


def _files(path: Path, split: str) -> list[Path]:
    """Returns the image files of a split, sorted by class and name."""
    if not (path / split).is_dir():
        raise missing_data(
            f"{path} must have the folders train and test, each with a folder of images per "
            f"class, but {split} is missing: make it"
        )
    files = (path / split).glob("*/**/*")
    return sorted(file for file in files if file.is_file() and file.suffix.lower() in _SUFFIXES)


def _class_of(path: Path, file: Path) -> str:
    return file.relative_to(path).parts[1]
