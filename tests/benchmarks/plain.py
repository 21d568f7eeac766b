"""Plain references of networks and trainings, written in the most direct way.

NCSNv2 is written as the published network is: contiguous memory, `torch.nn.functional.elu`,
`torch.nn.functional.instance_norm`, Adam as PyTorch configures it, an average updated parameter by
parameter. The references of the U-Net and of NCSN++ are our modules in contiguous memory; NCSN++
resamples as published there: zeros inserted, then a convolution of every pixel.
"""

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.networks.layers.resampling import Downsample, Smooth, Upsample
from scorelib.schedules import GeometricSchedule
from tests.scorelib.networks.plain_networks import refinenet

SCHEDULE = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=4)
EMA = 0.999
Score = Callable[[Tensor, Tensor], Tensor]


class PlainTraining:
    """Updates by denoising score matching, written in the most direct way."""

    def __init__(self, score: Score, network: nn.Module, batch_size: int, images: Tensor) -> None:
        self.score, self.network, self.images = score, network, images
        self.adam = torch.optim.Adam(network.parameters(), 1e-4)
        self.averages = {n: p.detach().clone() for n, p in network.named_parameters()}
        self.sigmas = torch.tensor(SCHEDULE.sigmas, device=images.device)
        self.batch_size = batch_size

    def update(self) -> None:
        """Makes one update."""
        _, _, noise, output = self.noised()
        self.step((output + noise).square().sum((1, 2, 3)).mean() / 2)

    def noised(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns images, the levels of their noise, the noise and the network's output."""
        place = self.images.device
        x = self.images[torch.randint(len(self.images), (self.batch_size,), device=place)]
        sigma = self.sigmas[torch.randint(len(self.sigmas), (len(x),), device=place)]
        noise = torch.randn_like(x)
        return x, sigma, noise, self.score(x + sigma[:, None, None, None] * noise, sigma)

    def step(self, loss: Tensor) -> None:
        """Makes a step of Adam on a loss and updates the average."""
        self.adam.zero_grad()
        loss.backward()
        self.adam.step()
        with torch.no_grad():
            for name, parameter in self.network.named_parameters():
                self.averages[name] = EMA * self.averages[name] + (1 - EMA) * parameter


class PlainAdversarialTraining(PlainTraining):
    """Updates by adversarial score matching with the least-squares losses."""

    def __init__(
        self,
        score: Score,
        network: nn.Module,
        batch_size: int,
        images: Tensor,
        discriminator: nn.Module,
    ) -> None:
        super().__init__(score, network, batch_size, images)
        self.discriminator = discriminator
        self.other_adam = torch.optim.Adam(discriminator.parameters(), 1e-4, (0.0, 0.9))

    def update(self) -> None:
        """Makes two updates of the discriminator and one of the score network."""
        for _ in range(2):
            with torch.no_grad():
                x, denoised, _ = self.denoised()
            self.discriminator.refresh_norms()
            real, fake = self.discriminator(x), self.discriminator(denoised)
            self.other_adam.zero_grad()
            ((real - 1).square().mean() + (fake + 1).square().mean()).backward()
            self.other_adam.step()
        _, denoised, dsm = self.denoised()
        self.discriminator.refresh_norms()
        self.step((self.discriminator(denoised) - 1).square().mean() + dsm)

    def denoised(self) -> tuple[Tensor, Tensor, Tensor]:
        """Returns images, the same noised and denoised, and the loss of score matching."""
        x, sigma, noise, output = self.noised()
        denoised = x + sigma[:, None, None, None] * (noise + output)
        return x, denoised.clamp(0, 1), (output + noise).square().sum((1, 2, 3)).mean() / 2


def plain(network: nn.Module) -> Score:
    """Returns NCSNv2 in plain form with the parameters of a network."""
    weights: Mapping[str, Tensor] = dict(network.named_parameters())
    return lambda x, sigma: refinenet(weights, x, published_norm)


def published_norm(x: Tensor, alpha: Tensor, gamma: Tensor, beta: Tensor) -> Tensor:
    """Computes InstanceNorm++ in the operations of the published code."""
    means = x.mean((2, 3))
    mean, var = means.mean(-1, keepdim=True), means.var(-1, keepdim=True)
    means = (means - mean) / torch.sqrt(var + 1e-5)
    h = F.instance_norm(x) + means[..., None, None] * alpha[:, None, None]
    return gamma[:, None, None] * h + beta[:, None, None]


def as_published(network: nn.Module) -> nn.Module:
    """Returns a copy of a network, in contiguous memory, with the published resampling."""
    same = copy.deepcopy(network)
    parts: list[nn.Module] = [module for module in same.modules() if hasattr(module, "taps")]
    ways = {Downsample: (1, 2, (1, 1)), Upsample: (2, 1, (2, 1)), Smooth: (1, 1, (2, 2))}
    for part in parts:
        up, down, pad = ways[type(part)]
        part.forward = _Resampling(part.taps, up, down, pad)
    return same


@dataclass(frozen=True)
class _Resampling:
    """Zeros inserted, margins added, each pixel filtered, and a part of the pixels kept."""

    taps: Tensor
    up: int
    down: int
    pad: tuple[int, int]

    def __call__(self, x: Tensor) -> Tensor:
        b, c, h, w = x.shape
        x = F.pad(x.reshape(b, c, h, 1, w, 1), (0, self.up - 1, 0, 0, 0, self.up - 1))
        x = F.pad(x.reshape(b, c, h * self.up, w * self.up), (*self.pad, *self.pad))
        x = x.reshape(b * c, 1, *x.shape[2:])
        x = F.conv2d(x, self.taps * self.up**2)
        return x.reshape(b, c, *x.shape[2:])[:, :, :: self.down, :: self.down]
