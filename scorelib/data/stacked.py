"""Stacked digits: three grey images as the channels of one, to count the modes a model covers.

With ten classes a stack is one of 10^3 modes, all about equally likely in the data; a classifier of
the single images tells which (`scorelib.metrics.modes`). On MNIST this is 3-Stacked MNIST.

Each channel goes through the images in passes, every pass a new random order: with `Stacked.n` the
number of single images, each is used once per channel. Which triples there are follows from the
spec alone, and a larger `n` only adds to them.

References:
    L. Metz et al., Unrolled generative adversarial networks, 2017, Section 3.3.1.
    Z. Lin et al., PacGAN: The power of two samples in generative adversarial networks, 2018.
"""

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
    """Random but fixed triples of grey images; the label's digits are the three labels.

    Stack (a, b, c) of `k` classes has label (a k + b) k + c. Values stay in [0, 1], the size is
    that of the single images: 28 x 28 for MNIST, 8 x 8 for the embedded digits.

    Args:
        of: the single images, of one channel.
        n: number of training stacks, at least 2; the held-out ones, of held-out images, are as
            many fewer as these.
        seed: of the triples.
    """

    KIND = "Stacked"

    of: DataSpec
    n: int = 60_000
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError unless grey images are stacked, and two of them at least."""
        if len(self.of.shape) != CHANNELS or self.of.shape[0] != 1:
            raise InputError(
                f"of must be images of shape (1, H, W), but {self.of.name} has {self.of.shape}"
            )
        if self.n_images("test") < 2:
            raise InputError(f"n must be enough for 2 held-out stacks, but got {self.n}")

    @property
    def name(self) -> str:
        """``stacked-`` and what is stacked."""
        return f"stacked-{self.of.name}"

    @property
    def n_classes(self) -> int:
        """The cube of the single images' classes: 1,000 modes of digits."""
        return self.of.n_classes**CHANNELS

    @property
    def shape(self) -> tuple[int, ...]:
        """Three channels of the single images' size."""
        return (CHANNELS, *self.of.shape[1:])

    def n_images(self, split: Split) -> int:
        """`n` for training, held out in the proportion of the single images."""
        if split == "train":
            return self.n
        return self.n * self.of.n_images("test") // self.of.n_images("train")

    def load(self, split: Split, root: Path | None = None) -> tuple[Tensor, Tensor]:
        """All stacks and labels of a split; see `DataSpec.load`."""
        images, labels = self.of.load(split, root)
        triples = self._triples(split, len(images))
        digits = labels[triples]
        k = self.of.n_classes
        return images[triples, 0], (digits[:, 0] * k + digits[:, 1]) * k + digits[:, 2]

    def _triples(self, split: Split, n_single: int) -> Tensor:
        """Which single images are stacked, (n, 3)."""
        n = self.n_images(split)

        def channel(c: int) -> Tensor:
            passes = range(math.ceil(n / n_single))
            stream = ("stacked", split, self.seed, c)
            orders = [torch.randperm(n_single, generator=generator_of(*stream, p)) for p in passes]
            return torch.cat(orders)[:n]

        return torch.stack([channel(c) for c in range(CHANNELS)], dim=1)
