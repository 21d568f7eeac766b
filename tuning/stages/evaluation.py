"""Networks as samplers see them: loaded, laid out, evaluated in batches that a device holds."""

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from scorelib.samplers import ScaledScore
from tuning.jobs import ExecutionContext
from tuning.stages.training.score_network import Snapshot


def loaded(model: Snapshot, ema: float, at: ExecutionContext) -> nn.Module:
    """A finished snapshot's network as it is sampled from: frozen, laid out, perhaps compiled."""
    network = laid_out(model.network(at, ema), model.train.data.shape)
    return torch.compile(network) if at.compile else network  # type: ignore[return-value]


def laid_out(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """The network with its weights in channels-last memory, if its inputs are images."""
    if len(shape) != 3:
        return network
    return network.to(memory_format=torch.channels_last)


def batched(networks: Sequence[nn.Module], at: ExecutionContext) -> ScaledScore:
    """A network as samplers see it, evaluated in batches the device can hold.

    Args:
        networks: one for all batches, or one for each: guidance knows its images' classes.
        at: where.
    """
    device_type = torch.device(at.device).type

    def scaled_score(x: Tensor, sigma: float) -> Tensor:
        level = torch.tensor(sigma, dtype=x.dtype, device=x.device)
        with torch.autocast(device_type, torch.bfloat16, enabled=at.autocast):
            batches = torch.split(x, at.images_per_call(tuple(x.shape[1:])) or len(x))
            each = networks if len(networks) > 1 else [*networks] * len(batches)
            parts = [
                network(_channels_last(part), level)
                for network, part in zip(each, batches, strict=True)
            ]
        return torch.cat(parts).to(x.dtype)

    return scaled_score


def _channels_last(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
