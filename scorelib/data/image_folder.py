"""Images of one's own: a folder for each class, at any size.

    ROOT/FOLDER/train/CLASS/any/name.png
    ROOT/FOLDER/test/CLASS/any/name.jpg

A published set is known by its name; a folder is not, and its images may change between two runs.
The spec therefore holds a digest of all names and contents, and loading checks it: results that
share a key come from the same images. `ImageFolder.of` looks at a folder and fills the spec in.
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
    """Colour images from a folder, made by `of`.

    The shorter side is resized to `size` (bilinear, antialiased), then the centre is cropped. Grey
    images get three equal channels, transparency is dropped. The classes are numbered in the order
    of their names.

    Args:
        folder: its name, without a path; also the name of the data.
        digest: SHA-256 sum of the names and contents of its images, 64 hexadecimal digits.
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
        """Raises InputError for a path instead of a name, no digest, or too few images."""
        require_size(self.size)
        if self.folder in ("", ".", "..") or Path(self.folder).name != self.folder:
            raise InputError(
                f"folder must be a name without a path, but got {self.folder!r}; "
                "data.root says where it is",
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
        """The spec of the folder at `path`, all of whose files are read for the digest.

        Raises:
            MissingDataError: no such folder, or held-out classes that training does not have.
        """
        files = {split: _files(path, split) for split in ("train", "test")}
        classes = {split: {_class_of(path, file) for file in files[split]} for split in files}
        if unknown := classes["test"] - classes["train"]:
            raise MissingDataError(f"{path}/train must have a folder {min(unknown)} as test has")
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
        """The folder's."""
        return self.folder

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, `size` x `size` pixels."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """`n_train` or `n_test`."""
        return self.n_train if split == "train" else self.n_test

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All images and labels of a split; see `PixelData.pixels`."""
        path = (DEFAULT_ROOT if root is None else root).absolute() / self.folder
        found = type(self).of(path, size=self.size)
        if found != self:
            raise MissingDataError(
                f"{path} must hold the images of digest {self.digest[:12]}... ({self.n_train:,} "
                f"and {self.n_test:,}), but holds {found.digest[:12]}... ({found.n_train:,} and "
                f"{found.n_test:,}): put the old images back, or describe the new ones"
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
    """The images of a split in the order of their names, class by class."""
    if not (path / split).is_dir():
        raise missing_data(
            f"{path} must have the folders train and test, each with a folder of images per "
            f"class, but {split} is missing: make it"
        )
    files = (path / split).glob("*/**/*")
    return sorted(file for file in files if file.is_file() and file.suffix.lower() in _SUFFIXES)


def _class_of(path: Path, file: Path) -> str:
    return file.relative_to(path).parts[1]
