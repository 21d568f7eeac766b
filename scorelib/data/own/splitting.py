"""Splits the examples of a data set into training and held-out examples by a seed."""

import torch
from torch import Tensor

from scorelib.data.base import Split
from scorelib.errors import InputError
from scorelib.seeds import generator_of

_SHARE_HELD_OUT = 5
"""One of this many examples is held out by default."""


def n_held_out(n: int) -> int:
    """Returns the default number of held-out examples among n: a fifth, at least 2."""
    return max(2, n // _SHARE_HELD_OUT)


def chosen(split: Split, labels: Tensor, n_test: int, seed: int) -> Tensor:
    """Returns the indices of a split's examples, in the order of the whole set.

    The held-out examples are spread evenly over all examples, sorted by class and in random order
    within a class, so each class has its share of them within one example.

    Args:
        split: which split.
        labels: labels of all examples, int64 (N,).
        n_test: number of held-out examples, at least 2.
        seed: seed of the random order.

    Returns:
        Sorted indices, int64.

    Raises:
        InputError: fewer than 2 examples would remain for training.
    """
    n = len(labels)
    if not 2 <= n_test <= n - 2:
        raise InputError(
            f"2 <= n_test <= {n - 2} must hold for {n} images, of which at least 2 are for "
            f"training and 2 held out, but got {n_test}"
        )
    order = torch.randperm(n, generator=generator_of("own-split", seed))
    order = order[labels[order].sort(stable=True).indices]
    places = ((torch.arange(n_test, dtype=torch.float64) + 0.5) * n / n_test).long()
    held_out = torch.zeros(n, dtype=torch.bool)
    held_out[order[places]] = True
    return (held_out if split == "test" else ~held_out).nonzero().squeeze(1)
