"""LSUN: photographs of one kind of scene (churches, bedrooms, towers) from its LMDB databases.

The shorter side is resized to `Lsun.size` (bilinear, antialiased), then the centre is cropped. The
held-out split is LSUN's validation part. It has 300 images: too few for a Frechet distance, which
papers therefore measure to the training part.

The images and their order are those of torchvision's reader, but the database is read directly.
Torchvision keeps a pickled list of keys in the *working* folder, under a name made of the data's
path, and unpickles whatever it finds there. LMDB maps its file into memory, where reading past the
end of a truncated one kills the process: the length is checked before anything is read.

References:
    F. Yu et al., LSUN: Construction of a large-scale image dataset using deep learning with humans
    in the loop, 2015.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Literal

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import (
    DEFAULT_ROOT,
    PixelData,
    decode,
    missing_data,
    one_line,
    require_count,
    require_size,
    resize_and_crop,
)
from scorelib.errors import InputError, MissingDataError

if TYPE_CHECKING:
    from lmdb import Environment

_TRAINING_IMAGES = {"bedroom": 3_033_042, "church_outdoor": 126_227, "tower": 708_264}
_HELD_OUT_IMAGES = 300
_PARTS = {"train": "train", "test": "val"}


@dataclass(frozen=True, kw_only=True)
class Lsun(PixelData):
    """One category of LSUN, without labels.

    Args:
        category: which scenes.
        size: height and width in pixels, at least 4.
        most_images: of the training split, at least 2: the first ones in the order of the keys,
            which are hashes, so a fair sample. The default holds all churches; all bedrooms at 64
            x 64 would be 149 GB as float32, the default's 200,000 are 9.8 GB.
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
        """``lsun-`` and the category."""
        return f"lsun-{self.category}"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, `size` x `size` pixels."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """All training images up to `most_images`, 300 held out."""
        return min(self._stored(split), self.most_images) if split == "train" else _HELD_OUT_IMAGES

    def _stored(self, split: Split) -> int:
        return _TRAINING_IMAGES[self.category] if split == "train" else _HELD_OUT_IMAGES

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """The images of a split, all labelled 0; see `PixelData.pixels`."""
        root = (DEFAULT_ROOT if root is None else root).absolute()
        folder, n = root / f"{self.category}_{_PARTS[split]}_lmdb", self.n_images(split)
        with _database(folder) as database:
            require_count(database.stat()["entries"], self._stored(split), str(folder))
            with database.begin() as transaction:
                items = islice(transaction.cursor(), n)
                files = ((f"image {key!r} of {folder}", value) for key, value in items)
                images = decode(files, n, self.size, resize_and_crop(self.size))
        return images, torch.zeros(n, dtype=torch.long)


@contextmanager
def _database(folder: Path) -> Iterator["Environment"]:
    """Opens a database for reading; raises MissingDataError if it is absent or incomplete."""
    import lmdb

    path = folder / "data.mdb"
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
    finally:
        database.close()
