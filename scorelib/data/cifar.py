"""CIFAR-10 and CIFAR-100: 60,000 colour images of 32 x 32 pixels in 10 or 100 classes.

CIFAR-10 is the data set of the paper scale.

References:
    A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.
"""

from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.data.files import DEFAULT_ROOT, PixelData
from scorelib.data.reading.checks import absent, is_there, missing_data, one_line, require_readable


@dataclass(frozen=True, kw_only=True)
class _Cifar(PixelData):
    """Base class of both: 50,000 training and 10,000 held-out images of shape (3, 32, 32)."""

    KIND = "_Cifar"

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, 32 x 32 pixels."""
        return (3, 32, 32)

    def n_images(self, split: Split) -> int:
        """Returns the number of images: 50,000 for training, 10,000 held out."""
        return 50_000 if split == "train" else 10_000

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether the archive or its folder is there; see `DataSpec.is_present`."""
        from torchvision import datasets  # imported here because it takes seconds

        published, root = (
            getattr(datasets, self.name.upper()),
            DEFAULT_ROOT if root is None else root,
        )
        return any(is_there(root / name) for name in (published.base_folder, published.filename))

    def pixels(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all images and labels, downloading missing files; see `PixelData.pixels`."""
        from torchvision import datasets  # imported here because it takes seconds
        from torchvision.datasets.utils import check_integrity

        published = getattr(datasets, self.name.upper())
        root = DEFAULT_ROOT if root is None else root
        meta = [published.meta["filename"], published.meta["md5"]]
        sums = {
            root / published.base_folder / name: md5
            for name, md5 in [*published.train_list, *published.test_list, meta]
        }
        require_readable(*sums)
        if absent([*sums]):
            require_readable(root / published.filename)
        try:
            # The files are pickles. torchvision unpickles a file only if its MD5 sum equals the
            # published sum, so no foreign pickle is ever opened.
            data = published(root, train=split == "train", download=True)
        except (OSError, RuntimeError, HTTPException) as error:
            bad = [path.name for path, md5 in sums.items() if not check_integrity(path, md5)]
            raise missing_data(
                f"CIFAR-{self.n_classes} must be in {root.absolute()} as {published.base_folder} "
                f"or {published.filename}, with the published MD5 sums; missing or corrupt: "
                f"{', '.join(bad)}; the download failed ({one_line(error)}): put "
                f"{published.filename} from {published.url} there"
            ) from error
        pixels = torch.from_numpy(data.data).permute(0, 3, 1, 2).contiguous()
        return pixels, torch.tensor(data.targets)


@dataclass(frozen=True, kw_only=True)
class Cifar10(_Cifar):
    """The CIFAR-10 data set, with 10 classes."""

    KIND = "Cifar10"
    name: ClassVar[str] = "cifar10"
    n_classes: ClassVar[int] = 10


@dataclass(frozen=True, kw_only=True)
class Cifar100(_Cifar):
    """The CIFAR-100 data set, with its 100 fine labels."""

    KIND = "Cifar100"
    name: ClassVar[str] = "cifar100"
    n_classes: ClassVar[int] = 100
