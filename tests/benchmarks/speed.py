"""Benchmark of networks and trainings against plain references, with one thread each.

Run with ``python -m tests.benchmarks speed`` (about ten minutes, 3 GB). Both sides have the same
weights and images and alternate, so a slow machine slows both equally. The ratio is that of our
time to the reference's: below 1, ours is faster.

The references are those of `tests.benchmarks.plain`, with `no_grad` in sampling. Ours is the code
of the sample and training stages.
"""

import copy
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorelib.devices.precision import Precision
from scorelib.losses import Adversarial
from scorelib.networks import BigGanDiscriminator, DdpmUNet, NcsnPp, Ncsnv2, NetworkSpec
from scorelib.networks.layout import laid_out
from scorelib.optim import AdamSpec
from scorelib.samplers import Cas
from scorelib.samplers.batches import batched
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, Training
from tests.benchmarks.plain import (
    EMA,
    SCHEDULE,
    PlainAdversarialTraining,
    PlainTraining,
    as_published,
    plain,
)

ROUNDS = 9
SHAPE = (3, 32, 32)
Run = Callable[[], object]


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
    network, n_images = built(Ncsnv2(ngf=ngf)), 16
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
        with torch.inference_mode():
            return chain(batched([ours], "float32", len(x)))

    torch.testing.assert_close(in_the_stage(), plainly(), rtol=1e-4, atol=1e-3)
    return Row(f"NCSNv2, ngf {ngf}, {n_images} images: CAS, 4 levels", plainly, in_the_stage)


def forward(of: tuple[str, NetworkSpec]) -> Row:
    """Returns the row of one pass of a network whose reference is the contiguous module."""
    name, spec = of
    network, x, sigma = built(spec), images(8), torch.tensor(1.0)
    reference, ours = as_published(network), laid_out(copy.deepcopy(network), SHAPE)

    def plainly() -> Tensor:
        with torch.no_grad():
            return reference(x, sigma)

    def in_the_stage() -> Tensor:
        with torch.inference_mode():
            return batched([ours], "float32", len(x))(x, 1.0)

    torch.testing.assert_close(in_the_stage(), plainly(), rtol=1e-4, atol=1e-4)
    return Row(f"{name}, {len(x)} images: forward", plainly, in_the_stage)


def bf16(ngf: int) -> Row:
    """Returns the row of our pass of NCSNv2 in bfloat16 over our pass in float32."""
    network, x = laid_out(built(Ncsnv2(ngf=ngf)), SHAPE), images(8)

    def passed(precision: Precision) -> Tensor:
        with torch.inference_mode():
            return batched([network], precision, len(x))(x, 1.0)

    name = f"NCSNv2, ngf {ngf}, {len(x)} images: bfloat16 over our float32"
    return Row(name, lambda: passed("float32"), lambda: passed("bf16"))


def training(ngf: int, batch_size: int) -> Row:
    """Returns the row of an update of NCSNv2 by denoising score matching."""
    network = built(Ncsnv2(ngf=ngf)).requires_grad_()
    reference = PlainTraining(plain(network), network, batch_size, images(256))
    ours = DsmTraining(copy.deepcopy(network), images(256), **settings(batch_size))
    name = f"NCSNv2, ngf {ngf}, batch {batch_size}: update"
    return Row(name, reference.update, lambda: update(ours))


def training_of(of: tuple[str, NetworkSpec]) -> Row:
    """Returns the row of an update of a network whose reference is the contiguous module."""
    name, spec = of
    network = built(spec).requires_grad_()
    published = as_published(network)
    reference = PlainTraining(published, published, 8, images(256))
    ours = DsmTraining(network, images(256), **settings(8))
    return Row(f"{name}, batch 8: update", reference.update, lambda: update(ours))


def adversarial() -> Row:
    """Returns the row of an adversarial update with two updates of the discriminator."""
    network = built(Ncsnv2(ngf=32)).requires_grad_()
    spec = BigGanDiscriminator(width=16)
    torch.manual_seed(1)
    reference = PlainAdversarialTraining(
        plain(network), network, 16, images(256), spec.build(SHAPE)
    )
    ours = AdversarialTraining(
        copy.deepcopy(network), images(256), objective=Adversarial(discriminator=spec, n_d=2),
        **settings(16),
    )  # fmt: skip
    name = "NCSNv2, ngf 32, discriminator width 16, n_d 2, batch 16: update"
    return Row(name, reference.update, lambda: update(ours))


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
