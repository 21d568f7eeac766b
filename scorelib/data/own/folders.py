"""The base class of data sets in a folder of the user's: known by name, numbers and content."""

import re
from abc import abstractmethod
from dataclasses import dataclass
from pathlib import Path

from scorelib.data.base import Split
from scorelib.data.files import DEFAULT_ROOT, PixelData
from scorelib.data.reading.checks import is_there
from scorelib.errors import InputError

_TAKEN = re.compile(
    r"(stacked-)?(mnist|cifar10|cifar100|celeba|lsun-\w+|ffhq\d+|digits|photographs)", re.IGNORECASE
)
"""Names of data sets of images that this program knows by their published or embedded files."""


@dataclass(frozen=True, kw_only=True)
class OwnFolder(PixelData):
    """A data set in a folder of the user's.

    Args:
        folder: name of the folder, without a path.
        digest: SHA-256 sum of the content, 64 hexadecimal digits.
        n_train: number of training images, at least 2.
        n_test: number of held-out images, at least 2.
    """

    KIND = "OwnFolder"

    folder: str
    digest: str
    n_train: int
    n_test: int

    def validate(self) -> None:
        """Raises InputError if `folder` is a path, `digest` is invalid or images are too few."""
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
                f"{self.folder} must hold at least 2 images for training and 2 held out, but holds "
                f"{self.n_train} and {self.n_test}"
            )

    @property
    def name(self) -> str:  # type: ignore[override]
        """The name of the folder; after ``own-`` if a data set of this program has that name."""
        return f"own-{self.folder}" if _TAKEN.fullmatch(self.folder) else self.folder

    def n_images(self, split: Split) -> int:
        """Returns the number of images: `n_train` or `n_test`."""
        return self.n_train if split == "train" else self.n_test

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether the folder is there; see `DataSpec.is_present`."""
        return is_there(self.path(root))

    def remarks(self, root: Path | None = None) -> list[str]:
        """Returns how many images were taken, and what was left out; see `DataSpec.remarks`."""
        taken = f"{self.n_train:,} training and {self.n_test:,} held-out images"
        classes = f"{self.n_classes:,} class{'es' if self.n_classes > 1 else ''}"
        left_out = self.left_out(root)
        return [f"{taken} of {classes} taken"] + ([f"left out: {left_out}"] if left_out else [])

    @abstractmethod
    def left_out(self, root: Path | None = None) -> str:
        """Returns what was left out of the data set, such as "3 .txt files"; "" for nothing.

        Args:
            root: folder that contains the folder; ``./data`` if None.
        """

    def path(self, root: Path | None = None) -> Path:
        """Returns the absolute path of the folder.

        Args:
            root: folder that contains the folder; ``./data`` if None.
        """
        return (DEFAULT_ROOT if root is None else root).absolute() / self.folder
