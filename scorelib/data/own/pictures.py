"""Pictures that were made elsewhere, in a folder or in an ``.npz`` file, known by their content.

    FOLDER/*.png, FOLDER/any/depth/*.jpg      files of images, in the order of their names
    FILE.npz                                  ``arr_0``, uint8 (N, H, W, 1 or 3), as in reference
                                              and sample batches of OpenAI's programs

The order of names takes digits as numbers, so 2.png comes before 10.png. Pictures are divided into
chunks of `CHUNK_IMAGES` consecutive images. A digest of its 8-bit pixels identifies a chunk, in
whatever file the pixels lie: the same images as a folder and as an ``.npz`` are the same pictures,
and pictures added behind the others leave all full chunks as they are.
"""

import hashlib
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, Self

import numpy as np
import torch
from torch import Tensor

from scorelib.data.facts import digest_of
from scorelib.data.own.listing import images_below
from scorelib.data.reading.checks import one_line, read_file, unreadable
from scorelib.data.reading.decoding import is_grey, to_8_bits
from scorelib.errors import InputError, require_input
from scorelib.spec import Spec

CHUNK_IMAGES = 500
"""Number of images of a chunk; the last chunk of some pictures may have fewer."""

ARRAY = "arr_0"
"""Name of the images in an ``.npz`` file."""


@dataclass(frozen=True, kw_only=True)
class Pictures(Spec):
    """Some 8-bit images of one size; use `of` to create the spec.

    Attributes:
        name: what a table calls the pictures; "" where only their content counts.
        shape: shape (C, H, W) of an image, C = 1 (grey) or 3.
        n_images: number of images, >= 2.
        n_distinct: number of different images, from 1 to `n_images`.
        chunks: SHA-256 sum of the pixels of each chunk, 64 hexadecimal digits each.
    """

    KIND = "Pictures"

    name: str
    shape: tuple[int, ...]
    n_images: int
    n_distinct: int
    chunks: tuple[str, ...]

    def validate(self) -> None:
        """Raises InputError unless the numbers fit together."""
        require_input(
            len(self.shape) == 3
            and 1 <= self.n_distinct <= self.n_images >= 2
            and len(self.chunks) == -(-self.n_images // CHUNK_IMAGES),
            f"pictures must be at least 2 images (C, H, W) in chunks of {CHUNK_IMAGES}, but got "
            f"{self.n_images} of shape {self.shape} in {len(self.chunks)} chunks",
        )

    @classmethod
    def of(cls, path: Path, name: str | None = None) -> Self:
        """Creates the spec of the pictures at a path; reads all of them.

        Args:
            path: a folder of image files, or an ``.npz`` file.
            name: what a table calls them; None for the name of the folder or file.

        Raises:
            InputError: there are fewer than two images, images of several sizes or in an array of
                another kind, or a file that cannot be read.
        """
        source = _source(path)
        digests, distinct, shape = [], set(), source.shape
        for first in range(0, source.n_images, CHUNK_IMAGES):
            images = source.read(first, min(CHUNK_IMAGES, source.n_images - first))
            digests.append(digest_of(images))
            distinct |= {hashlib.blake2b(image.numpy().tobytes()).digest() for image in images}
        return cls(
            name=path.absolute().stem if name is None else name,
            shape=shape,
            n_images=source.n_images,
            n_distinct=len(distinct),
            chunks=tuple(digests),
        )

    def length_of(self, index: int) -> int:
        """Returns the number of images of a chunk, given by its index."""
        return min(CHUNK_IMAGES, self.n_images - index * CHUNK_IMAGES)

    def are_at(self, path: Path) -> bool:
        """Returns whether a path seems to hold the pictures: their number and their first chunk."""
        try:
            source = _source(path)
            same = (source.n_images, source.shape) == (self.n_images, self.shape)
            return same and digest_of(source.read(0, self.length_of(0))) == self.chunks[0]
        except InputError:
            return False


def read_chunk(path: Path, first: int, n: int, digest: str) -> Tensor:
    """Returns a chunk of the pictures at a path, (n, C, H, W) uint8.

    Args:
        path: a folder of image files, or an ``.npz`` file.
        first: position of the first image.
        n: number of images, >= 1.
        digest: the chunk's digest.

    Raises:
        InputError: the pictures cannot be read, or are no longer those of the digest.
    """
    source = _source(path)
    images = source.read(first, n) if first + n <= source.n_images else None
    if images is None or digest_of(images) != digest:
        raise InputError(
            f"the images {first + 1:,} to {first + n:,} of {path} must be those that the study was "
            "started with, but have changed: run the command again"
        )
    return images


class _Source(Protocol):
    """Images in some file or folder: their number, their shape, and any of them."""

    n_images: int
    shape: tuple[int, int, int]

    def read(self, first: int, n: int) -> Tensor: ...


def _source(path: Path) -> _Source:
    if not path.exists():
        raise InputError(f"pictures must be a folder or an .npz file, but there is no {path}")
    if path.is_dir():
        try:
            return _Folder(path)
        except OSError as error:  # no permission, or a device that fails
            raise unreadable(error.filename or path, error) from error
    if path.suffix.lower() != ".npz":
        raise InputError(
            f"pictures must be a folder of image files, or an .npz file with {ARRAY}, but {path} "
            "is another file: name its folder"
        )
    return _Array(path)


class _Folder:
    """The image files of a folder and the folders below, in the order of their names."""

    def __init__(self, path: Path) -> None:
        names, left_out = images_below(path)
        account = f" (left out: {left_out})" if left_out else ""
        require_input(
            len(names) >= 2,
            f"{path} must hold at least 2 images, in a format of docs/your_data.md, but "
            f"found {len(names)}{account}",
        )
        self._files = [path / name for name in sorted(names, key=_natural)]
        self.n_images = len(self._files)
        self._mode = "L" if all(map(is_grey, self._files)) else "RGB"
        self._size: tuple[int, int] | None = None
        self.shape = tuple(self.read(0, 1).shape[1:])

    def read(self, first: int, n: int) -> Tensor:
        """Returns n images as (n, C, H, W) uint8."""
        return torch.stack([self._decoded(file) for file in self._files[first : first + n]])

    def _decoded(self, file: Path) -> Tensor:
        image = to_8_bits(str(file), read_file(file), self._mode)
        self._size = self._size or image.size
        if image.size != self._size:
            raise InputError(
                "pictures must have one size, but {} has {} x {} pixels and {} has {} x {}: resize "
                "them to one size, or move them to a folder of each size".format(
                    self._files[0], *self._size, file, *image.size
                )
            )
        pixels = torch.from_numpy(np.array(image))
        return pixels[None] if pixels.ndim == 2 else pixels.movedim(-1, 0).contiguous()


def _natural(name: Path) -> list[Any]:
    """Returns a key that sorts digits in names as numbers; text and numbers take turns in it."""
    parts = re.split(r"([0-9]+)", name.as_posix())
    return [int(part) if i % 2 else part for i, part in enumerate(parts)] + [name.as_posix()]


class _Array:
    """The array ``arr_0`` of an ``.npz`` file, of which only the needed part is held in memory."""

    def __init__(self, path: Path) -> None:
        self._path = path
        with self._opened() as file:
            self._start = file.tell()
        n, height, width, channels = self._shape
        self.n_images, self.shape = n, (channels, height, width)

    def _opened(self) -> Any:
        """Opens the array behind its header, and checks the header; nothing is unpickled."""
        try:
            with zipfile.ZipFile(self._path) as archive:
                names = archive.namelist()
                if f"{ARRAY}.npy" not in names:
                    raise InputError(self._without_array(names))
                file = archive.open(f"{ARRAY}.npy")
            version = np.lib.format.read_magic(file)
            read = getattr(np.lib.format, f"read_array_header_{version[0]}_0")
            shape, is_fortran, dtype = read(file)
        except InputError:  # a ValueError, too
            raise
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, AttributeError) as error:
            raise _unreadable(self._path, error) from error
        self._require_images(shape, is_fortran, dtype)
        self._shape = shape
        return file

    def _without_array(self, names: list[str]) -> str:
        held = ", ".join(name.removesuffix(".npy") for name in names) or "nothing"
        hint = "name it as the reference" if {"mu.npy", "sigma.npy"} <= set(names) else "save them"
        kind = "statistics" if hint.startswith("name") else "other arrays"
        return (
            f"{self._path} must hold images as {ARRAY}, uint8 (N, H, W, 3), but holds {kind} "
            f"({held}): {hint}" + (" so: numpy.savez(FILE, images)" if kind[0] == "o" else "")
        )

    def _require_images(self, shape: tuple[int, ...], is_fortran: bool, dtype: Any) -> None:
        want = f"{ARRAY} of {self._path} must be uint8 (N, H, W, 3) or (N, H, W, 1), at least 2"
        if dtype.hasobject:
            raise InputError(f"{want} images, but holds objects, which would run code: save pixels")
        if dtype != np.uint8:
            raise InputError(
                f"{want} images, but is {dtype.name}: round them to 0..255 and save them as uint8"
            )
        if len(shape) == 4 and shape[3] not in (1, 3) and shape[1] in (1, 3):
            raise InputError(
                f"{want} images, but is {shape}, the channels first: save images.transpose(0, 2, "
                "3, 1)"
            )
        if (
            len(shape) != 4
            or shape[3] not in (1, 3)
            or shape[0] < 2
            or is_fortran
            or min(shape) < 1
        ):
            order = ", in Fortran's order" if is_fortran else ""
            raise InputError(f"{want} images, but is {shape}{order}")

    def read(self, first: int, n: int) -> Tensor:
        """Returns n images as (n, C, H, W) uint8."""
        _, *of_one = self._shape
        each = int(np.prod(of_one))
        try:
            with self._opened() as file:
                file.seek(self._start + first * each)
                content = file.read(n * each)
        except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error) as error:
            raise _unreadable(self._path, error) from error
        if len(content) != n * each:
            raise _unreadable(self._path, EOFError("the array ends early"))
        pixels = np.frombuffer(content, np.uint8).reshape(n, *of_one)
        return torch.from_numpy(pixels.transpose(0, 3, 1, 2).copy())


def _unreadable(path: Path, error: Exception) -> InputError:
    return InputError(
        f"{path} must be a whole .npz file, but reading failed ({one_line(error)}): save it again"
    )


def chunks_of(pictures: Pictures, n_images: int) -> Iterator[tuple[str, int]]:
    """Yields digest and number of images of each chunk that holds some of the first images.

    Args:
        pictures: the pictures.
        n_images: number of images, at most `pictures.n_images`.
    """
    for index in range(-(-n_images // CHUNK_IMAGES)):
        yield pictures.chunks[index], pictures.length_of(index)
