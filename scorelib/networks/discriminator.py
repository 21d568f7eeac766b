"""The discriminator of BigGAN, without classes: tells clean images from denoised ones.

Residual blocks of ReLU and convolution under spectral norm, most of which halve the image, then
the sum of the last features over all pixels and one linear layer:

    32 pixels    256, 256, 256, 256 channels         16, 8, 8, 8          4,204,801 parameters
    64 pixels    64, 128, 256, 512, 1024 channels    32, 16, 8, 4, 4     19,542,721 parameters

Images go in as they are, in [0, 1]. There is no normalisation across examples: each answer is a
function of its own image.

Spectral norm divides each weight by its largest singular value, estimated by power iteration from
a vector kept between updates. The iteration is a step of its own (`Discriminator.refresh_norms`),
made once per update as in Miyato et al., Algorithm 1: a pass changes nothing, so it does not
matter in how many parts a batch is passed.

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
    """Discriminator for images of 8 to 127 pixels a side; from 64 on it is the deeper one.

    From 128 pixels on BigGAN's has attention too, which is not offered here.

    Args:
        width: the unit of channels, at least 1.
    """

    KIND = "BigGanDiscriminator"

    width: int = 64

    def validate(self) -> None:
        """Checks that there are channels."""
        if self.width < 1:
            raise InputError(f"BigGanDiscriminator.width must be at least 1; got {self.width}")

    def build(self, shape: tuple[int, ...]) -> "Discriminator":
        """A discriminator with fresh weights, drawn from torch's global generator.

        Args:
            shape: shape of one image, (C, H, W).

        Raises:
            InputError: it is not for such examples.
        """
        if len(shape) != 3 or not _SMALLEST <= min(shape[1:]) < _TOO_LARGE:
            raise InputError(
                f"BigGanDiscriminator needs images (C, H, W) whose smaller side is in "
                f"[{_SMALLEST}, {_TOO_LARGE - 1}] pixels; got {shape}"
            )
        if min(shape[1:]) < _MEDIUM:
            multipliers, n_halvings = (4, 4, 4, 4), 2
        else:
            multipliers, n_halvings = (1, 2, 4, 8, 16), 4
        return Discriminator(shape[0], tuple(self.width * m for m in multipliers), n_halvings)


class Discriminator(nn.Module):
    """The network of `BigGanDiscriminator`; in evaluation mode always (see `refresh_norms`).

    Args:
        channels: channels of the image.
        widths: channels of each block.
        n_halvings: the first so many blocks halve the image.
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
        """One number per image, (B,), high for those that look clean.

        Args:
            x: images in [0, 1], (B, C, H, W).
        """
        for block in self.blocks:
            x = block(x)
        return self.last(F.relu(x).sum((2, 3))).squeeze(1)

    @torch.no_grad()
    def refresh_norms(self) -> None:
        """One power iteration in every layer: call before each update that uses the network."""
        self.train()
        for module in self.modules():
            if parametrize.is_parametrized(module, "weight"):
                _ = module.weight  # reading it in training mode iterates
        self.eval()


class Block(nn.Module):
    """ReLU and convolution twice, plus a shortcut; perhaps pooled to half the size.

    The first block sees the image itself: it starts with a convolution.

    Args:
        n_in: channels of the input.
        n_out: channels of the output.
        is_first: leave out the first ReLU.
        halves: pool 2x2 at the end.
    """

    def __init__(self, n_in: int, n_out: int, *, is_first: bool, halves: bool) -> None:
        super().__init__()
        self.is_first, self.halves = is_first, halves
        self.conv1 = _normed(nn.Conv2d(n_in, n_out, 3, padding=1))
        self.conv2 = _normed(nn.Conv2d(n_out, n_out, 3, padding=1))
        plain = n_in == n_out and not halves
        self.shortcut = nn.Identity() if plain else _normed(nn.Conv2d(n_in, n_out, 1))

    def forward(self, x: Tensor) -> Tensor:
        """The block's output, at half the size (rounded down) if it halves."""
        # A mean over pixels and a 1x1 convolution commute: pooling first is the cheaper order.
        shortcut = self.shortcut(F.avg_pool2d(x, 2) if self.halves else x)
        h = self.conv2(F.relu(self.conv1(x if self.is_first else F.relu(x))))
        return shortcut + (F.avg_pool2d(h, 2) if self.halves else h)


def _normed(layer: nn.Module) -> nn.Module:
    nn.init.xavier_uniform_(layer.weight)
    return spectral_norm(layer)
