"""The unconditional BigGAN discriminator, which distinguishes clean from denoised images.

The network is a stack of residual blocks of ReLU and convolution with spectral normalisation. The
first blocks halve the resolution. The features of the last block are summed over all pixels and
enter one linear layer. Channels of each block, sides of its output in pixels, and parameters:

    32 pixels    256, 256, 256, 256 channels         16, 8, 8, 8          4,204,801 parameters
    64 pixels    64, 128, 256, 512, 1024 channels    32, 16, 8, 4, 4     19,542,721 parameters

Images enter unscaled, in [0, 1]. There is no normalisation across examples, so each output depends
on one image only.

Spectral normalisation divides each weight by its largest singular value, which is estimated by
power iteration from a vector kept between updates. The power iteration is a separate step
(`Discriminator.refresh_norms`), made once per update as in Miyato et al., Algorithm 1. A forward
pass changes no state, so a batch may be split into any number of parts.

References:
    Brock, Donahue and Simonyan 2019, Large scale GAN training (BigGAN), Appendix B.
    Miyato et al. 2018, Spectral normalization for generative adversarial networks.
"""

from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils import parametrize
from torch.nn.utils.parametrizations import spectral_norm

from scorelib.errors import InputError
from scorelib.spec import Spec

_SMALLEST, _MEDIUM, _TOO_LARGE = 8, 64, 128


@dataclass(frozen=True, kw_only=True)
class BigGanDiscriminator(Spec):
    """Discriminator for images whose smaller side is 8 to 127 pixels.

    Images whose smaller side is at least 64 pixels get the deeper network of the module docstring.
    From 128 pixels on, the BigGAN discriminator also has attention, which is not implemented here.

    Args:
        width: factor of the channel numbers, at least 1; each block has a multiple of `width`
            channels.
    """

    KIND = "BigGanDiscriminator"

    width: int = 64

    def validate(self) -> None:
        """Raises InputError if `width` is below 1."""
        if self.width < 1:
            raise InputError(f"BigGanDiscriminator.width must be at least 1, but got {self.width}")

    def build(self, shape: tuple[int, ...]) -> "Discriminator":
        """Returns a discriminator with initial weights drawn from PyTorch's global generator.

        Args:
            shape: shape of one image, (C, H, W).

        Raises:
            InputError: the shape is not that of an image, or its smaller side is out of range.
        """
        if len(shape) != 3 or not _SMALLEST <= min(shape[1:]) < _TOO_LARGE:
            raise InputError(
                f"BigGanDiscriminator needs images (C, H, W) whose smaller side is in "
                f"[{_SMALLEST}, {_TOO_LARGE - 1}] pixels, but got {shape}"
            )
        if min(shape[1:]) < _MEDIUM:
            multipliers, n_halvings = (4, 4, 4, 4), 2
        else:
            multipliers, n_halvings = (1, 2, 4, 8, 16), 4
        return Discriminator(shape[0], tuple(self.width * m for m in multipliers), n_halvings)


class Discriminator(nn.Module):
    """The network of `BigGanDiscriminator`.

    The network stays in evaluation mode; only `refresh_norms` changes the spectral norms.

    Args:
        channels: number of channels of an image.
        widths: number of output channels of each block.
        n_halvings: number of blocks, from the first one, that halve the resolution.
    """

    def __init__(self, channels: int, widths: tuple[int, ...], n_halvings: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(
            Block(n_in, n_out, is_first=i == 0, halves=i < n_halvings)
            for i, (n_in, n_out) in enumerate(zip((channels, *widths), widths, strict=False))
        )
        self.last = _normed(nn.Linear(widths[-1], 1))
        self.eval()

    def forward(self, x: Tensor) -> Tensor:
        """Returns one number per image, shape (B,), high for images that look clean.

        Args:
            x: images in [0, 1], shape (B, C, H, W).
        """
        for block in self.blocks:
            x = block(x)
        return self.last(F.relu(x).sum((2, 3))).squeeze(1)

    @torch.no_grad()
    def refresh_norms(self) -> None:
        """Makes one power iteration in every layer; the caller must call it before each update."""
        self.train()
        for module in self.modules():
            if parametrize.is_parametrized(module, "weight"):
                _ = module.weight  # access in training mode runs the power iteration
        self.eval()


class Block(nn.Module):
    """Residual block: two pairs of ReLU and convolution, a shortcut and optional pooling.

    The input of the first block is the image, so that block starts with a convolution.

    Args:
        n_in: number of input channels.
        n_out: number of output channels.
        is_first: whether the block omits the first ReLU.
        halves: whether the output is average-pooled 2x2.
    """

    def __init__(self, n_in: int, n_out: int, *, is_first: bool, halves: bool) -> None:
        super().__init__()
        self.is_first, self.halves = is_first, halves
        self.conv1 = _normed(nn.Conv2d(n_in, n_out, 3, padding=1))
        self.conv2 = _normed(nn.Conv2d(n_out, n_out, 3, padding=1))
        plain = n_in == n_out and not halves
        self.shortcut = nn.Identity() if plain else _normed(nn.Conv2d(n_in, n_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """Returns the block's output, at half the size (rounded down) if `halves` is set."""
        # Average pooling and a 1x1 convolution commute; pooling first is cheaper.
        shortcut = self.shortcut(F.avg_pool2d(x, 2) if self.halves else x)
        h = self.conv2(F.relu(self.conv1(x if self.is_first else F.relu(x))))
        return shortcut + (F.avg_pool2d(h, 2) if self.halves else h)


def _normed(layer: nn.Module) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight)
    return spectral_norm(layer)
