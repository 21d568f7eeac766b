"""Score networks for samplers: loading, memory layout and compilation."""

import torch
from torch import nn

from scorelib.networks.layout import laid_out
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
