"""InstanceNorm++: instance normalisation that keeps the channel means.

Let mu_c and sd(x_c) be the mean and standard deviation of channel c over the pixels of one image.
Let mean(mu) and sd(mu) be the mean and standard deviation of the mu_c over the channels of that
image (sd(mu) with divisor n - 1). The output is

    y_c = gamma_c ((x_c - mu_c) / sd(x_c) + alpha_c (mu_c - mean(mu)) / sd(mu)) + beta_c.

The conditional normalisation has separate alpha, gamma and beta for each of L noise levels.

The output is computed as y = scale x + shift from the statistics of x, which keeps layout and type.
PyTorch's group norm with one group per channel gives the first term, too. On a GPU it returns the
contiguous layout, and float32 under autocast. On a CPU it takes one to thirteen times as long as
the whole of this layer, and its gradient 1.2 to 3 times, the more the fewer pixels there are.

References:
    Song and Ermon 2019, Generative modeling by estimating gradients of the data distribution,
    https://arxiv.org/abs/1907.05600, Appendix A.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TINY = 1e-5
"""Added to variances before division by their square root."""


class InstanceNormPlus(nn.Module):
    """InstanceNorm++ for images.

    Args:
        channels: number of channels, at least 2.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(channels).normal_(1, 0.02))
        self.gamma = nn.Parameter(torch.empty(channels).normal_(1, 0.02))
        self.beta = nn.Parameter(torch.zeros(channels))

    def forward(self, x: Tensor, level: Tensor | None = None) -> Tensor:
        """Returns the normalised x, shape (B, C, H, W); `level` is ignored."""
        return normalised(x, self.alpha, self.gamma, self.beta)


class ConditionalInstanceNormPlus(nn.Module):
    """InstanceNorm++ for images with separate scales and shifts for each noise level.

    Args:
        channels: number of channels, at least 2.
        n_levels: number of noise levels.
    """

    def __init__(self, channels: int, n_levels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(n_levels, channels).normal_(1, 0.02))
        self.gamma = nn.Parameter(torch.empty(n_levels, channels).normal_(1, 0.02))
        self.beta = nn.Parameter(torch.zeros(n_levels, channels))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """Returns the normalised x, shape (B, C, H, W).

        Args:
            x: feature maps, shape (B, C, H, W).
            level: index of the noise level of each image, shape (B,), or of all images, shape ();
                integers in [0, n_levels).
        """
        parameters = (F.embedding(level, t) for t in (self.alpha, self.gamma, self.beta))
        return normalised(x, *parameters)


def normalised(x: Tensor, alpha: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Returns InstanceNorm++ of x, computed in float32 or better, in the layout and type of x.

    Args:
        x: feature maps, shape (B, C, H, W), C at least 2.
        alpha: factor of the standardised means, shape (C,) or (B, C).
        gamma: factor of both terms, shape (C,) or (B, C).
        beta: shift, shape (C,) or (B, C).
    """
    exact = x.float() if x.dtype.itemsize < 4 else x
    var, means = _moments(exact)
    scale = gamma * torch.rsqrt(var + _TINY)
    shift = gamma * alpha * _standardised(means) + beta - means * scale
    return torch.addcmul(shift[..., None, None], exact, scale[..., None, None]).to(x.dtype)


def _moments(x: Tensor) -> tuple[Tensor, Tensor]:
    """Returns the variance and the mean of each channel over the pixels of an image, (B, C) each.

    Args:
        x: feature maps, shape (B, C, H, W).
    """
    if x.device.type != "cpu":
        return torch.var_mean(x, (2, 3), correction=0)
    # var_mean takes twelve times as long: on a CPU it reads the channels one at a time.
    means = x.mean((2, 3))
    centred = (x - means[..., None, None]).permute(0, 2, 3, 1).flatten(1, 2)
    return torch.linalg.vecdot(centred, centred, dim=1) / centred.shape[1], means


def _standardised(means: Tensor) -> Tensor:
    """Returns the channel means of each image, standardised over the channels.

    Args:
        means: means mu_c, shape (B, C), C at least 2.

    Returns:
        (mu_c - mean(mu)) / sd(mu), shape (B, C).
    """
    var, mean = torch.var_mean(means, 1, keepdim=True)
    return (means - mean) * torch.rsqrt(var + _TINY)
