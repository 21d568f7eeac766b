"""Score networks for samplers: loading, memory layout and evaluation in batches."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scorelib.devices.precision import Precision, computing_in
from scorelib.networks.layout import channels_last, laid_out
from scorelib.samplers import ScaledScore
from tuning.jobs import ExecutionContext
from tuning.stages.models.score_model import ScoreModel


def loaded(model: ScoreModel, ema: float | None, at: ExecutionContext) -> nn.Module:
    """Returns the module of a score model, ready for sampling.

    The network is frozen, in channels-last layout if its inputs are images, and compiled if the
    context says so.

    Args:
        model: the score model.
        ema: EMA decay of the weights; None if the model has none.
        at: execution context that holds the results that the model needs.

    Raises:
        MissingInputError: a result is not stored, or was found corrupt.
    """
    network = laid_out(model.score_network(at, ema), model.target.shape)
    return torch.compile(network) if at.compile else network  # type: ignore[return-value]


def batched(
    networks: Sequence[nn.Module], at: ExecutionContext, precision: Precision
) -> ScaledScore:
    """Returns the scaled score of a network, evaluated in batches that fit on the device.

    Args:
        networks: one network for all batches, or one network per batch, such as guided networks
            that hold the classes of their batch. Networks map (x, sigma) to sigma * score.
        at: execution context, which gives device and batch size.
        precision: precision in which the networks compute.

    Returns:
        A function from x, (B, ...), and the noise level sigma to sigma * score, of the shape and
        type of x.
    """

    def scaled_score(x: Tensor, sigma: float) -> Tensor:
        # A fill, not a copy from the host, for which the host would wait.
        level = torch.full((), sigma, dtype=x.dtype, device=x.device)
        with computing_in(precision, at.device):
            batches = parts_of_one_size(x, at.images_per_call(tuple(x.shape[1:])))
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
