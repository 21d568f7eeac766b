"""Stacked digits: three grey images as the channels of an image, for counting a model's modes.

With ten classes, a stack belongs to one of 10^3 modes, which are about equally likely in the data.
A classifier of the single images determines the mode (`scorelib.metrics.modes`). With MNIST this is
the 3-Stacked MNIST data set.

Each channel passes repeatedly through the single images, in a new random order in each pass. If
`Stacked.n` equals the number of single images, each of them is used once per channel. The triples
depend on the spec only, and a larger `n` appends triples without changing the others.

References:
    L. Metz et al., Unrolled generative adversarial networks, 2017, Section 3.3.1.
    Z. Lin et al., PacGAN: The power of two samples in generative adversarial networks, 2018.
"""

import itertools
import math
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

from scorelib.data.base import DataSpec, Split
from scorelib.errors import InputError
from scorelib.seeds import generator_of

CHANNELS = 3


@dataclass(frozen=True, kw_only=True)
class Stacked(DataSpec):
    """Random but fixed triples of grey images, stacked as the channels of colour images.

    A stack of images with labels a, b, c of `k` classes has label (a k + b) k + c. The values stay
    in [0, 1]. The height and width are those of the single images: 28 x 28 for MNIST, 8 x 8 for the
    embedded digits.

    Args:
        of: data set of the single images, of shape (1, H, W).
        n: number of training stacks, >= 3. Held-out stacks consist of held-out images; their number
            is `n` times the ratio of held-out to training images and must be at least 2.
        seed: seed of the triples.
    """

    KIND = "Stacked"

    of: DataSpec
    n: int = 60_000
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError unless `of` has grey images and there are two held-out stacks."""
        if len(self.of.shape) != CHANNELS or self.of.shape[0] != 1:
            raise InputError(
                f"of must be images of shape (1, H, W), but {self.of.name} has {self.of.shape}"
            )
        if self.n_images("test") < 2:
            raise InputError(f"n must be enough for 2 held-out stacks, but got {self.n}")

    @property
    def name(self) -> str:
        """``stacked-`` followed by the name of the single images."""
        return f"stacked-{self.of.name}"

    @property
    def n_classes(self) -> int:
        """The number of classes of the single images cubed: 1,000 modes for digits."""
        return self.of.n_classes**CHANNELS

    @property
    def class_shares(self) -> tuple[float, ...] | None:
        """Share of each mode in an endless stream of stacks; None unless `of` knows its shares.

        The share of a mode is the product of the shares of its three digits.
        """
        single = self.of.class_shares
        if single is None:
            return None
        return tuple(math.prod(shares) for shares in itertools.product(single, repeat=CHANNELS))

    @property
    def shape(self) -> tuple[int, ...]:
        """Three channels, with the height and width of the single images."""
        return (CHANNELS, *self.of.shape[1:])

    def n_images(self, split: Split) -> int:
        """Returns the number of stacks: `n` for training, held out in proportion to `of`."""
        if split == "train":
            return self.n
        return self.n * self.of.n_images("test") // self.of.n_images("train")

    def is_present(self, root: Path | None = None) -> bool:
        """Returns whether the single images are there; see `DataSpec.is_present`."""
        return self.of.is_present(root)

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """Returns all stacks and labels of a split; see `DataSpec.load`."""
        images, labels = self.of.load(split, root)
        triples = self._triples(split, len(images))
        digits = labels[triples]
        k = self.of.n_classes
        return images[triples, 0], (digits[:, 0] * k + digits[:, 1]) * k + digits[:, 2]

    def _triples(self, split: Split, n_single: int) -> Tensor:
        """Returns the indices of the single images of each stack, (n, 3)."""
        n = self.n_images(split)

        def channel(c: int) -> Tensor:
            passes = range(math.ceil(n / n_single))
            stream = ("stacked", split, self.seed, c)
            orders = [torch.randperm(n_single, generator=generator_of(*stream, p)) for p in passes]
            return torch.cat(orders)[:n]

        return torch.stack([channel(c) for c in range(CHANNELS)], dim=1)
