"""Benchmark of networks and trainings against plain references, with one thread each.

Run with ``python -m tests.benchmarks speed`` (about ten minutes, 3 GB). Both sides have the same
weights and images and alternate, so a slow machine slows both equally. The ratio is that of our
time to the reference's: below 1, ours is faster.

The reference of NCSNv2 is written as the published network is: contiguous memory,
`torch.nn.functional.elu`, `torch.nn.functional.instance_norm`, `no_grad` in sampling, Adam as
PyTorch configures it, an average updated parameter by parameter. The references of the U-Net and
of NCSN++ are our modules in contiguous memory; NCSN++ resamples as published there: zeros inserted,
then a convolution of every pixel. Ours is the code of the sample and training stages.
"""

import copy
import statistics
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from scorelib.devices.precision import Precision
from scorelib.losses import Adversarial
from scorelib.networks import BigGanDiscriminator, DdpmUNet, NcsnPp, Ncsnv2, NetworkSpec
from scorelib.networks.layers.resampling import Downsample, Smooth, Upsample
from scorelib.networks.layout import laid_out
from scorelib.optim import AdamSpec
from scorelib.samplers import Cas
from scorelib.schedules import GeometricSchedule
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, Training
from tests.scorelib.networks.plain_networks import refinenet
from tuning.jobs import ExecutionContext
from tuning.stages.evaluation import batched

ROUNDS = 9
SHAPE = (3, 32, 32)
SCHEDULE = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=4)
EMA = 0.999
Run = Callable[[], object]
Score = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class Row:
    """A line of the table: two ways to the same result.

    Attributes:
        name: what is timed.
        plain: one run of the reference.
        ours: one run of our code.
    """

    name: str
    plain: Run
    ours: Run


def main() -> None:
    """Prints a table of ratios: median and quartiles."""
    torch.set_num_threads(1)
    print(f"{'ours / reference, ' + str(ROUNDS) + ' rounds, 1 thread':58} ratio  quartiles")
    for make in (
        lambda: sampling(64), lambda: sampling(128), lambda: training(64, 16),
        lambda: training(128, 8), adversarial, lambda: forward(UNET), lambda: training_of(UNET),
        lambda: forward(NCSNPP), lambda: training_of(NCSNPP), lambda: bf16(64), lambda: bf16(128),
    ):  # fmt: skip
        row = make()
        low, median, high = quartiles(row)
        print(f"{row.name:58} {median:5.3f}  {low:.3f} to {high:.3f}", flush=True)


UNET = "U-Net, width 64", DdpmUNet(width=64)
NCSNPP = "NCSN++, width 32, 2 blocks", NcsnPp(width=32, n_blocks=2, dropout=0.0)


def quartiles(row: Row) -> tuple[float, ...]:
    """Returns the quartiles of the ratio of our time to the reference's over alternating rounds."""
    ratios = []
    for number in range(ROUNDS + 1):
        seconds = []
        for run in (row.plain, row.ours):
            started = time.perf_counter()
            run()
            seconds.append(time.perf_counter() - started)
        if number > 0:  # the first round warms both up
            ratios.append(seconds[1] / seconds[0])
    return tuple(statistics.quantiles(ratios, n=4))


def sampling(ngf: int) -> Row:
    """Returns the row of a chain of consistent annealed sampling with NCSNv2."""
    network, n_images = built(Ncsnv2(ngf=ngf)), 16 if ngf < 128 else 8
    reference, x = plain(network), 50 * images(n_images)
    ours = laid_out(copy.deepcopy(network), SHAPE)

    def chain(score: Callable[[Tensor, float], Tensor]) -> Tensor:
        draw = torch.Generator().manual_seed(0)
        walk = Cas(epsilon=9.6e-5).walk(
            score, x, SCHEDULE, lambda: torch.randn(x.shape, generator=draw)
        )
        *_, last = walk
        return last.denoised

    def plainly() -> Tensor:
        with torch.no_grad():
            return chain(lambda y, sigma: reference(y, torch.tensor(sigma)))

    def in_the_stage() -> Tensor:
        place = ExecutionContext(store=None, batch_images=n_images)  # type: ignore[arg-type]
        with torch.inference_mode():
            return chain(batched([ours], place, "float32"))

    torch.testing.assert_close(in_the_stage(), plainly(), rtol=1e-4, atol=1e-3)
    return Row(f"NCSNv2, ngf {ngf}, {n_images} images: CAS, 4 levels", plainly, in_the_stage)


def forward(of: tuple[str, NetworkSpec]) -> Row:
    """Returns the row of one pass of a network whose reference is the contiguous module."""
    name, spec = of
    network, x, sigma = built(spec), images(8), torch.tensor(1.0)
    reference, ours = as_published(network), laid_out(copy.deepcopy(network), SHAPE)
    place = ExecutionContext(store=None, batch_images=len(x))  # type: ignore[arg-type]

    def plainly() -> Tensor:
        with torch.no_grad():
            return reference(x, sigma)

    def in_the_stage() -> Tensor:
        with torch.inference_mode():
            return batched([ours], place, "float32")(x, 1.0)

    torch.testing.assert_close(in_the_stage(), plainly(), rtol=1e-4, atol=1e-4)
    return Row(f"{name}, {len(x)} images: forward", plainly, in_the_stage)


def bf16(ngf: int) -> Row:
    """Returns the row of our pass of NCSNv2 in bfloat16 over our pass in float32."""
    network, x = laid_out(built(Ncsnv2(ngf=ngf)), SHAPE), images(8)
    place = ExecutionContext(store=None, batch_images=len(x))  # type: ignore[arg-type]

    def passed(precision: Precision) -> Tensor:
        with torch.inference_mode():
            return batched([network], place, precision)(x, 1.0)

    name = f"NCSNv2, ngf {ngf}, {len(x)} images: bfloat16 over our float32"
    return Row(name, lambda: passed("float32"), lambda: passed("bf16"))


def training(ngf: int, batch_size: int) -> Row:
    """Returns the row of an update of NCSNv2 by denoising score matching."""
    network = built(Ncsnv2(ngf=ngf)).requires_grad_()
    reference = PlainTraining(plain(network), network, batch_size)
    ours = DsmTraining(copy.deepcopy(network), images(256), **settings(batch_size))
    name = f"NCSNv2, ngf {ngf}, batch {batch_size}: update"
    return Row(name, reference.update, lambda: update(ours))


def training_of(of: tuple[str, NetworkSpec]) -> Row:
    """Returns the row of an update of a network whose reference is the contiguous module."""
    name, spec = of
    network = built(spec).requires_grad_()
    published = as_published(network)
    reference = PlainTraining(published, published, batch_size=8)
    ours = DsmTraining(network, images(256), **settings(8))
    return Row(f"{name}, batch 8: update", reference.update, lambda: update(ours))


def adversarial() -> Row:
    """Returns the row of an adversarial update with two updates of the discriminator."""
    network = built(Ncsnv2(ngf=32)).requires_grad_()
    spec = BigGanDiscriminator(width=16)
    torch.manual_seed(1)
    reference = PlainAdversarialTraining(plain(network), network, 16, spec.build(SHAPE))
    ours = AdversarialTraining(
        copy.deepcopy(network), images(256), objective=Adversarial(discriminator=spec, n_d=2),
        **settings(16),
    )  # fmt: skip
    name = "NCSNv2, ngf 32, discriminator width 16, n_d 2, batch 16: update"
    return Row(name, reference.update, lambda: update(ours))


class PlainTraining:
    """Updates by denoising score matching, written in the most direct way."""

    def __init__(self, score: Score, network: nn.Module, batch_size: int) -> None:
        self.score, self.network, self.images = score, network, images(256)
        self.adam = torch.optim.Adam(network.parameters(), 1e-4)
        self.averages = {n: p.detach().clone() for n, p in network.named_parameters()}
        self.sigmas, self.batch_size = torch.tensor(SCHEDULE.sigmas), batch_size

    def update(self) -> None:
        """Makes one update."""
        _, _, noise, output = self.noised()
        self.step((output + noise).square().sum((1, 2, 3)).mean() / 2)

    def noised(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """Returns images, the levels of their noise, the noise and the network's output."""
        x = self.images[torch.randint(len(self.images), (self.batch_size,))]
        sigma = self.sigmas[torch.randint(len(self.sigmas), (len(x),))]
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
        self, score: Score, network: nn.Module, batch_size: int, discriminator: nn.Module
    ) -> None:
        super().__init__(score, network, batch_size)
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


def built(spec: NetworkSpec) -> nn.Module:
    """Returns a frozen network with seeded weights."""
    torch.manual_seed(0)
    return spec.build(SHAPE).requires_grad_(False)


def images(n: int) -> Tensor:
    """Returns seeded images, shape (n, 3, 32, 32), in [0, 1]."""
    return torch.rand(n, *SHAPE, generator=torch.Generator().manual_seed(1))


def settings(batch_size: int) -> dict[str, object]:
    """Returns the settings of our trainings."""
    return {
        "schedule": SCHEDULE, "optimizer": AdamSpec(), "ema": (EMA,), "batch_size": batch_size,
        "flips": False, "seed": 0,
    }  # fmt: skip


def update(of: Training) -> None:
    """Makes the next update of a training."""
    for _ in of.steps(of.iteration + 1):
        pass
