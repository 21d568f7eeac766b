"""Halving and doubling of images with a filter that avoids the aliasing of plain strides.

The filter is the outer product of (1, 3, 3, 1) / 8 with itself. Pixels outside the image are zero.
Each change of size is one convolution with the filter for each channel.

References:
    Zhang 2019, Making convolutional networks shift-invariant again.
    Song et al., Score-based generative modeling through SDEs, ICLR 2021, Appendix H.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class _Filtering(nn.Module):
    """Base of modules with the filter; the weights of a checkpoint do not include the filter."""

    taps: Tensor

    def __init__(self) -> None:
        super().__init__()
        line = torch.tensor([1.0, 3.0, 3.0, 1.0]) / 8
        self.register_buffer("taps", line.outer(line)[None, None], persistent=False)

    def _of_each_channel(self, x: Tensor) -> Tensor:
        """Returns the filter repeated for the channels of x, shape (C, 1, 4, 4)."""
        return self.taps.expand(x.shape[1], -1, -1, -1)


class Downsample(_Filtering):
    """Halves images: filters them and keeps every second pixel."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns images, (B, C, H / 2, W / 2), of images (B, C, H, W) with even H and W."""
        return F.conv2d(x, self._of_each_channel(x), stride=2, padding=1, groups=x.shape[1])


class Upsample(_Filtering):
    """Doubles images: inserts zeros between the pixels, filters, and multiplies by 4."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns images, (B, C, 2 H, 2 W), of images (B, C, H, W)."""
        taps = 4 * self._of_each_channel(x)
        return F.conv_transpose2d(x, taps, stride=2, padding=1, groups=x.shape[1])


class Smooth(_Filtering):
    """Filters images, with a margin of one more pixel in each direction for a convolution."""

    def forward(self, x: Tensor) -> Tensor:
        """Returns images, (B, C, H + 1, W + 1), of images (B, C, H, W)."""
        return F.conv2d(x, self._of_each_channel(x), padding=2, groups=x.shape[1])
