"""Evaluates score networks in sampling: in batches of one size and in a given precision."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scorelib.devices.precision import Precision, computing_in
from scorelib.networks.layout import channels_last
from scorelib.samplers.base import ScaledScore


def batched(
    networks: Sequence[nn.Module], precision: Precision, most_images: int | None
) -> ScaledScore:
    """Returns the scaled score of a network, evaluated in batches that fit on the device.

    Args:
        networks: one network for all batches, or one network per batch, such as guided networks
            that hold the classes of their batch. Networks map (x, sigma) to sigma * score.
        precision: precision in which the networks compute.
        most_images: largest number of examples in a batch, >= 1; None for one batch.

    Returns:
        A function from x, (B, ...), and the noise level sigma to sigma * score, of the shape and
        type of x.
    """

    def scaled_score(x: Tensor, sigma: float) -> Tensor:
        # A fill, not a copy from the host, for which the host would wait.
        level = torch.full((), sigma, dtype=x.dtype, device=x.device)
        with computing_in(precision, x.device):
            batches = parts_of_one_size(x, most_images)
            each = networks if len(networks) > 1 else [*networks] * len(batches)
            parts = [
                network(channels_last(part), level)
                for network, part in zip(each, batches, strict=True)
            ]
        return torch.cat(parts)[: len(x)].to(x.dtype)

    return scaled_score


def parts_of_one_size(x: Tensor, most: int | None) -> tuple[Tensor, ...]:
    """Splits examples into as few parts as possible, all of one size.

    A network that is compiled is compiled once for each size. The last part is filled up with
    copies of the last example, fewer than there are parts.

    Args:
        x: examples or their classes, shape (B, ...).
        most: largest number of examples in a part, >= 1; None for one part.
    """
    size = math.ceil(len(x) / math.ceil(len(x) / (most or len(x))))
    missing = -len(x) % size
    whole = torch.cat([x, x[-1:].expand(missing, *x.shape[1:])]) if missing else x
    return torch.split(whole, size)
