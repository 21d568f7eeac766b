"""The memory layout of images: channels last, in which convolutions and pooling are fastest.

The layout is that of memory alone. Shapes stay (B, C, H, W), and results differ by rounding.
"""

import torch
from torch import Tensor, nn


def laid_out(network: nn.Module, shape: tuple[int, ...]) -> nn.Module:
    """Returns the network with weights in channels-last memory format, if its inputs are images.

    Args:
        network: network to convert, in place.
        shape: shape of one input: (C, H, W) for images, (D,) for vectors.
    """
    return network.to(memory_format=torch.channels_last) if len(shape) == 3 else network


def channels_last(x: Tensor) -> Tensor:
    """Returns images, (B, C, H, W), in channels-last memory format; other tensors unchanged."""
    return x.contiguous(memory_format=torch.channels_last) if x.dim() == 4 else x
