"""Patches of two colour photographs embedded in scikit-learn (a temple and a flower).

The patches are small real colour images that need no download. Each patch lies inside one vertical
band of 64 columns of its photograph, and every third band (3 of 10) is held out, so the two splits
share no pixel. The split uses bands instead of halves because the left and right half of a
photograph show different objects, whereas neighbouring bands are similar, which makes the held-out
patches a fair baseline.

Patches of the same split overlap, so there are far fewer independent images than `Photographs.n`.
"""

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import ClassVar

import numpy as np
import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.data.files import scikit_learn_folder
from scorelib.errors import InputError
from scorelib.seeds import generator_of

_HEIGHT, _WIDTH = 427, 640
_BAND = 64
_HELD_OUT_EVERY = 3


@dataclass(frozen=True, kw_only=True)
class Photographs(DataSpec):
    """Random but fixed RGB patches, labelled with the index of their photograph.

    Args:
        size: height and width of a patch in pixels, 4 to 64.
        n: number of training patches, at least 4; half as many are held out.
    """

    KIND = "Photographs"
    name: ClassVar[str] = "photographs"
    n_classes: ClassVar[int] = 2

    size: int = 16
    n: int = 3000

    def validate(self) -> None:
        """Raises InputError if a patch does not fit into a band or a split would lack a class."""
        if not 4 <= self.size <= _BAND:
            raise InputError(f"4 <= size <= {_BAND} must hold (pixels), but got {self.size}")
        if self.n < 4:
            raise InputError(f"n must be at least 4 patches, but got {self.n}")

    @property
    def shape(self) -> tuple[int, int, int]:
        """Three channels, `size` x `size` pixels."""
        return (3, self.size, self.size)

    def n_images(self, split: Split) -> int:
        """Returns the number of patches: `n` for training, half as many held out."""
        return self.n if split == "train" else self.n // 2

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all patches and labels of a split; see `DataSpec.load`."""
        photographs = _photographs()
        labels = torch.arange(self.n_images(split)) % len(photographs)
        rows, columns = self._corners(split)
        corners = zip(labels.tolist(), rows.tolist(), columns.tolist(), strict=True)
        size = self.size
        patches = [photographs[k][:, i : i + size, j : j + size] for k, i, j in corners]
        return torch.stack(patches).float() / 255, labels

    def _corners(self, split: Split) -> tuple[Tensor, Tensor]:
        """Returns the rows and columns of the upper left corners of the patches, (N,) each."""
        n, generator = self.n_images(split), generator_of("photographs", split)
        held_out = torch.arange(_WIDTH // _BAND) % _HELD_OUT_EVERY == _HELD_OUT_EVERY - 1
        bands = (held_out if split == "test" else ~held_out).nonzero().squeeze(1)
        band = bands[torch.randint(len(bands), (n,), generator=generator)]
        rows = torch.randint(_HEIGHT - self.size + 1, (n,), generator=generator)
        columns = _BAND * band + torch.randint(_BAND - self.size + 1, (n,), generator=generator)
        return rows, columns


@cache
def _photographs() -> tuple[Tensor, ...]:
    """Returns the photographs, (3, H, W) uint8 each, which are read once."""
    from PIL import Image

    folder = scikit_learn_folder("images", "photographs")
    files = (folder / f"{name}.jpg" for name in ("china", "flower"))
    return tuple(torch.tensor(np.array(Image.open(file))).permute(2, 0, 1) for file in files)
