"""A data set of the user's own images, in a folder; `scorelib.data.own.listing` shows the layouts.

The name of a published data set identifies its images. The name of a folder does not, and the
images of a folder may change between two runs. The spec therefore contains a digest of all names
and contents, which is checked when the images are loaded: results with the same key come from the
same images. `ImageFolder.of` creates the spec of a folder.
"""

import hashlib
import unicodedata
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Self

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.own.folders import OwnFolder
from scorelib.data.own.listing import SPLITS, Listing, list_images
from scorelib.data.own.splitting import chosen, n_held_out
from scorelib.data.reading.checks import missing_data, read_file, require_size
from scorelib.data.reading.decoding import (
    UNREADABLE,
    decode,
    opened,
    remarks_on,
    resize_and_crop,
)
from scorelib.errors import InputError, MissingDataError
from scorelib.spec import added_later
from scorelib.unicode_forms import known_form

Form = Literal["NFC", "NFD"]
_FORMS: tuple[Form, ...] = ("NFC", "NFD")


@dataclass(frozen=True, kw_only=True)
class ImageFolder(OwnFolder):
    """A data set of images in a folder; use `of` to create it.

    The shorter side of an image is resized to `size` (bilinear, antialiased), then the centre is
    cropped. `scorelib.data.reading.decoding` says how deep, turned and transparent images are
    read. The labels number the classes in the order of their names.

    Args:
        folder: name of the folder, without a path.
        digest: SHA-256 sum of the names and contents of the images, 64 hexadecimal digits.
        n_train: number of training images, at least 2.
        n_test: number of held-out images, at least 2.
        n_classes: number of classes.
        size: height and width in pixels, at least 4.
        channels: 3 for colours (grey images get three equal channels), 1 for grey.
        split_seed: seed of the split; None where the folder has folders ``train`` and ``test``.
    """

    KIND = "ImageFolder"
    VERSION: ClassVar[int] = 2  # 2: EXIF, transparency, profiles and 16 bits by stated rules

    n_classes: int
    size: int = 64
    channels: Literal[1, 3] = added_later(3)
    split_seed: int | None = added_later(None)

    def validate(self) -> None:
        """Raises InputError if `folder` is a path, `digest` is invalid or images are too few."""
        require_size(self.size)
        super().validate()

    @classmethod
    def of(
        cls,
        path: Path,
        *,
        size: int = 64,
        channels: Literal[1, 3] = 3,
        n_test: int | None = None,
        split_seed: int = 0,
    ) -> Self:
        """Creates the spec of the folder at `path`; reads all its files for the digest.

        Args:
            path: the folder.
            size: height and width in pixels, at least 4.
            channels: 3 for colours, 1 for grey.
            n_test: number of held-out images where a seed splits the folder; None for a fifth.
            split_seed: seed of that split.

        Raises:
            MissingDataError: the folder is missing, holds too few images, or ``test`` has a class
                that ``train`` lacks.
            InputError: an argument is out of range.
        """
        listing = list_images(path)
        is_split = "" not in listing.images
        n = {split: len(found) for split, found in listing.images.items()}
        if min(n.values()) < 2:
            raise _too_few(path, listing)
        if not is_split:
            n_test = n_held_out(n[""]) if n_test is None else n_test
            chosen("test", torch.zeros(n[""], dtype=torch.long), n_test, split_seed)
        elif n_test is not None:
            raise InputError(
                f"n_test must not be given for {path}, whose folder test holds {n['test']} images"
            )
        classes = {split: {name for name, _ in found} for split, found in listing.images.items()}
        if is_split and (unknown := classes["test"] - classes["train"]):
            raise MissingDataError(_unknown_class(path, min(unknown), classes["train"]))
        return cls(
            folder=path.absolute().name,
            digest=_digest(path, listing),
            n_train=n["train"] if is_split else n[""] - (n_test or 0),
            n_test=n["test"] if is_split else n_test or 0,
            n_classes=len(classes["train" if is_split else ""]),
            size=size,
            channels=channels,
            split_seed=None if is_split else split_seed,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Channels, and `size` x `size` pixels."""
        return (self.channels, self.size, self.size)

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels of a split; see `PixelData.pixels`."""
        path = self.path(root)
        self._require_same_content(path)
        files, labels = self._of_split(list_images(path), split)
        images = decode(
            ((str(path / file), read_file(path / file)) for file in files),
            len(files),
            self.size,
            resize_and_crop(self.size),
            mode="RGB" if self.channels == 3 else "L",
        )
        return images, labels

    def left_out(self, root: Path | None = None) -> str:
        """Returns which files and folders are no images of the data set; see `OwnFolder`."""
        return list_images(self.path(root)).account()

    def remarks(self, root: Path | None = None) -> list[str]:
        """Returns what was taken and left out, and which rules of decoding the images needed."""
        path = self.path(root)
        files = [path / file for found in list_images(path).images.values() for _, file in found]
        counts = Counter(remark for file in files for remark in remarks_on(file))
        lines = [f"{n:,} of {len(files):,} images {what}" for what, n in sorted(counts.items())]
        small = sum(min(_size_of(file)) < self.size for file in files)
        if small:
            lines.append(f"{small:,} of {len(files):,} images enlarged to {self.size} pixels")
        return super().remarks(root) + lines

    def _require_same_content(self, path: Path) -> None:
        """Raises MissingDataError if the folder holds other images than the spec describes."""
        of_split = {} if self.split_seed is None else {"n_test": self.n_test}
        found = type(self).of(
            path,
            size=self.size,
            channels=self.channels,
            split_seed=self.split_seed or 0,
            **of_split,
        )
        if found != self:
            for form in _FORMS:
                if _digest(path, list_images(path), form) == self.digest:
                    raise MissingDataError(
                        f"{path} must hold its images under the names that they had, but the same "
                        f"images have the same letters in another Unicode form than {form}: rename "
                        f"them, for example with convmv"
                    )
            raise MissingDataError(
                f"{path} must hold the images of digest {self.digest[:12]}... ({self.n_train:,} "
                f"and {self.n_test:,}), but holds {found.digest[:12]}... ({found.n_train:,} and "
                f"{found.n_test:,}): put the old images back, or make a new spec"
            )

    def _of_split(self, listing: Listing, split: Split) -> tuple[list[Path], Tensor]:
        """Returns the files of a split, relative to the folder, and their labels."""
        found = listing.images[split if self.split_seed is None else ""]
        every = found if self.split_seed is not None else listing.images[SPLITS[0]]
        numbers = {name: i for i, name in enumerate(sorted({name for name, _ in every}))}
        labels = torch.tensor([numbers[name] for name, _ in found])
        files = [file for _, file in found]
        if self.split_seed is None:
            return files, labels
        own = chosen(split, labels, self.n_test, self.split_seed)
        return [files[i] for i in own.tolist()], labels[own]


def _digest(path: Path, listing: Listing, form: Form | None = None) -> str:
    """Returns the digest of all names and contents; a form converts the names first."""
    digest = hashlib.sha256()
    for found in listing.images.values():
        named = {file.as_posix(): file for _, file in found}
        if form is not None:
            named = {unicodedata.normalize(form, name): file for name, file in named.items()}
        names = named if form is None else sorted(named, key=lambda name: Path(name).parts)
        for name in names:
            content = hashlib.sha256(read_file(path / named[name])).hexdigest()
            digest.update(f"{content} {name!r}\n".encode(errors="surrogateescape"))
    return digest.hexdigest()


def _unknown_class(path: Path, name: str, known: set[str]) -> str:
    """Returns the message for a class that ``test`` has and ``train`` lacks."""
    same = known_form(name, known)
    if same == name:
        return f"{path}/train must have a folder {name}, as test does"
    return (
        f"the folders train and test of {path} must have equal names, but {name!a} in test and "
        f"{same!a} in train are {name!r} in two Unicode forms: rename one of them"
    )


def _too_few(path: Path, listing: Listing) -> MissingDataError:
    held = " and ".join(
        f"{len(found)} in {split}" if split else f"{len(found)}"
        for split, found in listing.images.items()
    )
    account = f" (left out: {listing.account()})" if listing.left_out else ""
    return missing_data(
        f"{path} must hold at least 2 images for training and 2 held out, in a format of "
        f"docs/your_data.md, but {held} were found{account}"
    )


def _size_of(file: Path) -> tuple[int, int]:
    """Returns width and height from an image file's header; (large, large) if unreadable."""
    from PIL import Image

    try:
        with opened(file) as image:
            return image.size
    except (*UNREADABLE, Image.DecompressionBombError):
        return (1 << 30, 1 << 30)  # decoding refuses the file with its name
