"""Group normalisation that keeps layout and type on a GPU.

Let mu_g and var_g be the mean and variance of the channels of group g over the pixels of one image.
The output is y_c = weight_c (x_c - mu_g) / sqrt(var_g + eps) + bias_c for channel c of group g.

On a GPU, PyTorch's group norm returns the contiguous layout, and float32 under autocast. There, x
is read twice, for the statistics and for y = scale x + shift, as in
`scorelib.networks.layers.instance_norm`.

References:
    Wu and He 2018, Group normalization, https://arxiv.org/abs/1803.08494.
"""

import torch
from torch import Tensor, nn


class GroupNorm(nn.GroupNorm):
    """Group normalisation of feature maps, with a scale and a shift for each channel.

    Args:
        num_groups: number of groups, a divisor of `num_channels`.
        num_channels: number of channels.
        eps: number added to the variances.
    """

    def forward(self, x: Tensor) -> Tensor:
        """Returns the normalised x, shape (B, C, H, W)."""
        return fused_group_norm(x, self) if uses_fused(x) else super().forward(x)


def uses_fused(x: Tensor) -> bool:
    """Returns whether feature maps, (B, C, H, W), are normalised by `fused_group_norm`."""
    return x.device.type != "cpu"


def fused_group_norm(x: Tensor, norm: nn.GroupNorm) -> Tensor:
    """Returns the group normalisation of x as scale x + shift, in the layout and type of x.

    Statistics, scale and shift are computed in float32 or better. In float32 the result differs
    from that of PyTorch's group norm by rounding.

    Args:
        x: feature maps, shape (B, C, H, W).
        norm: number of groups, scale and shift of each channel, and number added to variances.
    """
    exact = x.float() if x.dtype.itemsize < 4 else x
    grouped = exact.unflatten(1, (norm.num_groups, -1))
    var, mean = torch.var_mean(grouped, (2, 3, 4), correction=0)
    size = norm.num_channels // norm.num_groups
    scale = norm.weight * torch.rsqrt(var + norm.eps).repeat_interleave(size, 1)
    shift = norm.bias - mean.repeat_interleave(size, 1) * scale
    return torch.addcmul(shift[..., None, None], exact, scale[..., None, None]).to(x.dtype)
