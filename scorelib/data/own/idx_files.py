"""A data set of the user's own grey images in the IDX format, the format of MNIST's files.

    FOLDER/train-images-idx3-ubyte     FOLDER/train-labels-idx1-ubyte
    FOLDER/t10k-images-idx3-ubyte      FOLDER/t10k-labels-idx1-ubyte      optional

Any number of images of any size works, so a subset of MNIST, or digits of the user's own, are a
data set with a name and a key of their own. Without the ``t10k`` files a seed splits the images.
Files may be compressed by gzip (``.gz``).

References:
    Y. LeCun et al., Gradient-based learning applied to document recognition, 1998: the format.
"""

import gzip
import hashlib
import struct
import zlib
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.own.folders import OwnFolder
from scorelib.data.own.listing import Listing, kind_of
from scorelib.data.own.splitting import chosen, n_held_out
from scorelib.data.reading.checks import (
    is_there,
    missing_data,
    one_line,
    read_file,
    require_size,
)
from scorelib.errors import InputError, MissingDataError

_PARTS = {"train": "train", "test": "t10k"}
_FILES = {"images": "images-idx3-ubyte", "labels": "labels-idx1-ubyte"}
_UNSIGNED_BYTE = 8


@dataclass(frozen=True, kw_only=True)
class IdxFiles(OwnFolder):
    """Grey images in the IDX format; use `of` to create the spec.

    Args:
        folder: name of the folder, without a path.
        digest: SHA-256 sum of the contents of the files, 64 hexadecimal digits.
        n_train: number of training images, at least 2.
        n_test: number of held-out images, at least 2.
        n_classes: number of classes: the largest label plus 1.
        height: height in pixels, at least 4.
        width: width in pixels, at least 4.
        split_seed: seed of the split; None where there are ``t10k`` files.
    """

    KIND = "IdxFiles"

    n_classes: int
    height: int
    width: int
    split_seed: int | None = None

    def validate(self) -> None:
        """Raises InputError if a size is too small, or if name, digest or numbers are invalid."""
        require_size(min(self.height, self.width))
        super().validate()

    @classmethod
    def of(cls, path: Path, *, n_test: int | None = None, split_seed: int = 0) -> Self:
        """Creates the spec of the files in the folder at `path`.

        Args:
            path: the folder.
            n_test: number of held-out images where a seed splits them; None for a fifth.
            split_seed: seed of that split.

        Raises:
            MissingDataError: a file is absent, damaged, or does not fit the other files.
            InputError: `n_test` is out of range, or given although there are ``t10k`` files.
        """
        parts = {split: _read(path, part) for split, part in _PARTS.items() if _has(path, part)}
        if "train" not in parts:
            raise missing_data(f"{path} must hold train-images-idx3-ubyte, but does not")
        images, labels = parts["train"]
        if "test" in parts:
            if n_test is not None:
                raise InputError(f"n_test must not be given for {path}, which has t10k files")
            if parts["test"][0].shape[1:] != images.shape[1:]:
                raise missing_data(f"the images of {path} must have one size, but have two")
        else:
            n_test = n_held_out(len(images)) if n_test is None else n_test
            chosen("test", labels, n_test, split_seed)
        digest = hashlib.sha256()
        for both in parts.values():
            for values in both:
                digest.update(f"{tuple(values.shape)}\n".encode() + values.numpy().tobytes())
        held_out = len(parts["test"][0]) if "test" in parts else n_test or 0
        return cls(
            folder=path.absolute().name,
            digest=digest.hexdigest(),
            n_train=len(images) - (0 if "test" in parts else held_out),
            n_test=held_out,
            n_classes=int(max(both[1].max() for both in parts.values())) + 1,
            height=images.shape[1],
            width=images.shape[2],
            split_seed=None if "test" in parts else split_seed,
        )

    @property
    def shape(self) -> tuple[int, int, int]:
        """One channel, `height` x `width` pixels."""
        return (1, self.height, self.width)

    def left_out(self, root: Path | None = None) -> str:
        """Returns which files beside those of the data set are left alone; see `OwnFolder`."""
        path = self.path(root)
        parts = [_PARTS["train"]] if self.split_seed is not None else _PARTS.values()
        taken = {_file(path, part, what).name for part in parts for what in _FILES}
        others = Counter(kind_of(entry.name) for entry in path.iterdir() if entry.name not in taken)
        return Listing({}, others).account()

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels of a split; see `PixelData.pixels`."""
        path = self.path(root)
        of_split = {} if self.split_seed is None else {"n_test": self.n_test}
        found = type(self).of(path, split_seed=self.split_seed or 0, **of_split)
        if found != self:
            raise MissingDataError(
                f"{path} must hold the images of digest {self.digest[:12]}..., but holds "
                f"{found.digest[:12]}...: put the old files back, or make a new spec"
            )
        images, labels = _read(path, _PARTS[split] if self.split_seed is None else _PARTS["train"])
        if self.split_seed is not None:
            own = chosen(split, labels, self.n_test, self.split_seed)
            images, labels = images[own], labels[own]
        return images[:, None], labels


def is_idx_folder(path: Path) -> bool:
    """Returns whether a folder holds training images in the IDX format."""
    return _file(path, _PARTS["train"], "images").exists()


def _file(path: Path, part: str, what: str) -> Path:
    plain = path / f"{part}-{_FILES[what]}"
    packed = plain.with_name(f"{plain.name}.gz")
    return plain if is_there(plain) or not is_there(packed) else packed


def _has(path: Path, part: str) -> bool:
    return any(is_there(_file(path, part, what)) for what in _FILES)


def _read(path: Path, part: str) -> tuple[Tensor, Tensor]:
    """Returns a part's images, uint8 (N, H, W), and labels, int64 (N,)."""
    images = _values(_file(path, part, "images"), axes=3)
    labels = _values(_file(path, part, "labels"), axes=1).long()
    if len(images) != len(labels):
        raise missing_data(
            f"{path} must hold one label per image in its {part} files, but holds {len(images):,} "
            f"images and {len(labels):,} labels"
        )
    return images, labels


def _values(file: Path, axes: int) -> Tensor:
    """Returns the values of a file in the IDX format as a uint8 tensor with that many axes.

    The header is two zero bytes, the type (8: unsigned byte), the number of axes and, for each
    axis, its length as a big-endian integer of 32 bits.
    """
    content = read_file(file)
    try:
        content = gzip.decompress(content) if file.suffix == ".gz" else content
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise missing_data(
            f"{file} must be whole, but unpacking it failed ({one_line(error)}): pack it again"
        ) from error
    n_header = 4 * (1 + axes)
    is_format = content[:4] == bytes([0, 0, _UNSIGNED_BYTE, axes]) and len(content) >= n_header
    lengths = struct.unpack(f">{axes}I", content[4:n_header]) if is_format else ()
    n_bytes = n_header + int(np.prod(lengths, dtype=object)) if is_format else 0
    if not is_format or len(content) != n_bytes or 0 in lengths:
        found = f"{len(content):,} bytes instead of {n_bytes:,}" if is_format else "another header"
        raise missing_data(
            f"{file} must hold unsigned bytes in the IDX format with {axes} axes, but has {found}"
        )
    values = np.frombuffer(content, dtype=np.uint8, offset=n_header).reshape(lengths)
    return torch.from_numpy(values.copy())
