"""CIFAR-10: 60,000 colour images of 32 x 32 pixels in ten classes, the data of the paper scale.

References:
    A. Krizhevsky, Learning multiple layers of features from tiny images, 2009.
"""

from dataclasses import dataclass
from http.client import HTTPException
from pathlib import Path
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.errors import MissingDataError

_DEFAULT_ROOT = Path("data")


@dataclass(frozen=True, kw_only=True)
class Cifar10(DataSpec):
    """CIFAR-10: 50,000 training and 10,000 held-out images of shape (3, 32, 32)."""

    name: ClassVar[str] = "cifar10"
    n_classes: ClassVar[int] = 10
    flips: ClassVar[bool] = True

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, 32 x 32 pixels."""
        return (3, 32, 32)

    def n_images(self, split: Split) -> int:
        """50,000 for training, 10,000 held out."""
        return 50_000 if split == "train" else 10_000

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All images and labels of a split, downloaded first where they are missing.

        Args:
            split: ``train`` or the held-out ``test``.
            root: folder with ``cifar-10-batches-py`` or its archive; ``./data`` if None.

        Returns:
            Images, float32 (N, 3, 32, 32) in [0, 1], and labels, int64 (N,).

        Raises:
            MissingDataError: absent or corrupt files that could not be downloaded.
        """
        from torchvision.datasets import CIFAR10  # here: its import takes seconds

        root = _DEFAULT_ROOT if root is None else root
        try:
            # The batches are pickles. torchvision unpickles one only after its MD5 sum has been
            # found equal to the published one, so no foreign pickle is ever opened.
            data = CIFAR10(root, train=split == "train", download=True)
        except (OSError, RuntimeError, HTTPException) as error:
            raise MissingDataError(
                f"CIFAR-10 must be in {root.absolute()} as cifar-10-batches-py or "
                f"{CIFAR10.filename}, with the published MD5 sums; it is missing or corrupt and "
                f"the download failed ({_one_line(error)}): put {CIFAR10.filename} from "
                f"{CIFAR10.url} there, or name another folder with --set data.root=FOLDER"
            ) from error
        images = torch.from_numpy(data.data).permute(0, 3, 1, 2).float()
        return images.div_(255), torch.tensor(data.targets)


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
