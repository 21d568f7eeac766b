"""InstanceNorm++: instance normalisation that keeps what it would forget, the channel means.

With mu_c and sd(x_c) the mean and standard deviation of channel c over the pixels of one image,
and mean(mu) and sd(mu) those of the means over the image's channels (sd(mu) with n - 1),

    y_c = gamma_c ((x_c - mu_c) / sd(x_c) + alpha_c (mu_c - mean(mu)) / sd(mu)) + beta_c.

The conditional one has an alpha, a gamma and a beta for each of L noise levels.

References:
    Song and Ermon 2019, Generative modeling by estimating gradients of the data distribution,
    https://arxiv.org/abs/1907.05600, Appendix A.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

_TINY = 1e-5
"""Added to variances before they divide."""


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
        """The normalised x, (B, C, H, W); the level is ignored."""
        # A group norm with a group per channel is an instance norm, with a faster kernel.
        h = F.group_norm(x, x.shape[1], self.gamma, self.beta, _TINY)
        return h + (self.gamma * self.alpha * _standardised_means(x))[..., None, None]


class ConditionalInstanceNormPlus(nn.Module):
    """InstanceNorm++ with scales and shifts for each noise level.

    Args:
        channels: number of channels, at least 2.
        n_levels: number of levels.
    """

    def __init__(self, channels: int, n_levels: int) -> None:
        super().__init__()
        self.alpha = nn.Parameter(torch.empty(n_levels, channels).normal_(1, 0.02))
        self.gamma = nn.Parameter(torch.empty(n_levels, channels).normal_(1, 0.02))
        self.beta = nn.Parameter(torch.zeros(n_levels, channels))

    def forward(self, x: Tensor, level: Tensor) -> Tensor:
        """The normalised x, (B, C, H, W), given its level's number, (B,) or ()."""
        alpha, gamma, beta = (F.embedding(level, t) for t in (self.alpha, self.gamma, self.beta))
        shift = gamma * alpha * _standardised_means(x) + beta
        h = F.group_norm(x, x.shape[1], eps=_TINY)
        return gamma.reshape(-1, x.shape[1], 1, 1) * h + shift[..., None, None]


def _standardised_means(x: Tensor) -> Tensor:
    """Each channel's mean over the pixels, standardised over the channels of its image.

    Args:
        x: (B, C, H, W), C at least 2.

    Returns:
        (mu_c - mean(mu)) / sd(mu), shape (B, C).
    """
    means = x.mean((2, 3))
    var, mean = torch.var_mean(means, 1, keepdim=True)
    return (means - mean) * torch.rsqrt(var + _TINY)
