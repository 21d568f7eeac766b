"""Whether a GPU gives what a CPU gives: networks, samplers, trainings; and whether it waits."""

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, nn

from scorelib.devices.ahead import ahead
from scorelib.devices.precision import Precision, computing_in
from scorelib.losses import Adversarial, CrossEntropy
from scorelib.networks import (
    BigGanDiscriminator,
    DdpmUNet,
    Ncsn,
    NcsnPp,
    Ncsnv2,
    PlaneMlp,
    ResidualMlp,
    ResNetClassifier,
)
from scorelib.networks.layout import channels_last, laid_out
from scorelib.optim import AdamSpec
from scorelib.samplers import Als, Cas, Langevin, PredictorCorrector, Sampler, SamplerState
from scorelib.samplers.batches import batched
from scorelib.schedules import GeometricSchedule
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, Training
from scorelib.training.classifier import ClassifierTraining
from tests.gpu.machine import Machine, set_tf32
from tests.gpu.sizes import Sizes

SHAPE = (3, 16, 16)
LEVELS = GeometricSchedule(sigma_1=2.0, sigma_L=0.5, n_levels=5)
SAMPLERS: tuple[Sampler, ...] = (
    Als(epsilon=0.05, n_sigma=2, extra_call=True), Cas(epsilon=0.15),
    Langevin(sigma=1.0, epsilon=0.1, n_steps=6), PredictorCorrector(n_steps=5),
)  # fmt: skip
CPU = torch.device("cpu")


def check_networks(machine: Machine, sizes: Sizes) -> None:
    """Compares one pass of every network: float32 to 1e-4, bf16 to 5 %, of the norm."""
    n = sizes.width
    networks: dict[str, Callable[[], nn.Module]] = {
        "Ncsnv2": lambda: Ncsnv2(ngf=n).build(SHAPE),
        "Ncsn": lambda: Ncsn(ngf=n, schedule=LEVELS).build(SHAPE),
        "DdpmUNet": lambda: DdpmUNet(width=n, multipliers=(1, 2)).build(SHAPE),
        "NcsnPp": lambda: NcsnPp(width=n, n_blocks=1).build(SHAPE),
        "ResidualMlp": lambda: ResidualMlp(width=n).build(SHAPE),
        "PlaneMlp": lambda: PlaneMlp(width=n).build((2,)),
        "ResNetClassifier": lambda: ResNetClassifier(width=n).build(SHAPE, 10),
        "BigGanDiscriminator": lambda: BigGanDiscriminator(width=n).build(SHAPE),
    }
    for name, build in networks.items():
        shape = (2,) if name == "PlaneMlp" else SHAPE
        x = torch.rand(4, *shape, generator=torch.Generator().manual_seed(1))
        sigma = torch.tensor(LEVELS.sigmas[:4])
        arguments = (x,) if name == "BigGanDiscriminator" else (x, sigma)
        with machine.part(f"network {name}"):
            torch.manual_seed(0)
            network = laid_out(build(), shape).eval().requires_grad_(False)
            exact = _passed(network, arguments, CPU, "float32")
            for precision, limit in (("float32", 1e-4), ("bf16", 0.05)):
                found = _passed(network, arguments, machine.device, precision)
                error = (found - exact).norm() / exact.norm()
                machine.check(f"network {name}, {precision}", float(error), limit)


def _passed(
    network: nn.Module, arguments: tuple[Tensor, ...], device: torch.device, precision: Precision
) -> Tensor:
    network = network.to(device)
    with computing_in(precision, device), torch.inference_mode():
        out = network(*(channels_last(part.to(device)) for part in arguments))
    return out.float().cpu()


def check_samplers(machine: Machine, sizes: Sizes) -> None:
    """Compares the chains of every sampler, to 1e-3 of the norm."""
    torch.manual_seed(0)
    network = laid_out(Ncsnv2(ngf=sizes.width).build(SHAPE), SHAPE).eval().requires_grad_(False)
    for sampler in SAMPLERS:
        with machine.part(f"sampler {sampler.KIND}"):
            ends = [
                chain(network, sampler, device, n=6, most=4) for device in (CPU, machine.device)
            ]
            for name in ("x", "denoised"):
                exact, found = (getattr(end, name).cpu() for end in ends)
                error = float((found - exact).norm() / exact.norm())
                machine.check(f"sampler {sampler.KIND}, {name}", error, 1e-3)


def chain(
    network: nn.Module,
    sampler: Sampler,
    device: torch.device,
    *,
    n: int,
    most: int | None = None,
    precision: Precision = "float32",
    levels: GeometricSchedule = LEVELS,
    shape: tuple[int, ...] = SHAPE,
    each: Callable[[SamplerState], None] = lambda _: None,
) -> SamplerState:
    """Runs a chain as the sample stage does; returns its last state.

    Args:
        network: score network; moved to the device.
        sampler: sampler.
        device: device of the network.
        n: number of images.
        most: largest number of images in a call; None for all.
        precision: precision of the network.
        levels: schedule.
        shape: shape of one image.
        each: function that is called after each step.
    """
    draw = torch.Generator().manual_seed(2)
    x = (levels.sigma_1 * torch.randn(n, *shape, generator=draw)).to(device)

    def noises() -> Iterator[Tensor]:
        while True:
            yield torch.randn(n, *shape, generator=draw)

    score = batched([network.to(device)], precision, most)
    with contextlib.closing(ahead(noises(), device)) as drawn, torch.inference_mode():
        for state in sampler.walk(score, x, levels, lambda: next(drawn)):
            each(state)
    return state


def check_trainings(machine: Machine, sizes: Sizes) -> None:
    """Compares the losses of three updates of every training, to one per cent."""
    for name in trainings(sizes, CPU):
        with machine.part(f"training {name}"):
            exact, found = (_losses(trainings(sizes, at)[name]()) for at in (CPU, machine.device))
            for loss, value in exact.items():
                error = abs(found[loss] - value) / abs(value)
                machine.check(f"training {name}, {loss}", error, 0.01)


def _losses(run: Training) -> dict[str, float]:
    return dict([step.losses for step in run.steps(3) if step.losses][-1])


def trainings(sizes: Sizes, device: torch.device) -> dict[str, Callable[[], Training]]:
    """Returns functions that start the trainings, by name.

    Args:
        sizes: sizes of the run.
        device: device of the trainings.
    """
    draw = torch.Generator().manual_seed(3)
    pixels = torch.randint(256, (40, *SHAPE), dtype=torch.uint8, generator=draw)
    common: dict[str, Any] = {
        "schedule": LEVELS, "optimizer": AdamSpec(warmup=2, clip=1.0), "ema": (0.9,),
        "batch_size": 8, "flips": True, "seed": 0, "device": device,
    }  # fmt: skip

    def network() -> nn.Module:
        torch.manual_seed(0)
        return Ncsnv2(ngf=sizes.width).build(SHAPE)

    def classifier() -> Training:
        torch.manual_seed(0)
        made, labels = ResNetClassifier(width=sizes.width).build(SHAPE, 4), torch.arange(40) % 4
        return ClassifierTraining(made, pixels, labels, objective=CrossEntropy(), **common)

    players = Adversarial(n_d=2, discriminator=BigGanDiscriminator(width=sizes.discriminator))
    return {
        "DSM": lambda: DsmTraining(network(), pixels, **common),
        "adversarial": lambda: AdversarialTraining(network(), pixels, objective=players, **common),
        "classifier": classifier,
    }


def check_waits(machine: Machine, sizes: Sizes) -> None:
    """Lets PyTorch raise an error if an update or a step of a chain waits for the GPU."""
    if not machine.is_gpu:
        machine.skipped.append("waits for the GPU: only a GPU's own mode finds them all")
        return
    for name, start in trainings(sizes, machine.device).items():
        with machine.part(f"no wait in training {name}"), _no_waits() as begin:
            steps = start().steps(20)
            next(steps)
            begin()
            next(steps), next(steps)
            machine.check(f"no wait in training {name}", 0, 0)
    torch.manual_seed(0)
    network = laid_out(Ncsnv2(ngf=sizes.width).build(SHAPE), SHAPE).eval().requires_grad_(False)
    for sampler in SAMPLERS:
        with machine.part(f"no wait in sampler {sampler.KIND}"), _no_waits() as begin:
            chain(network, sampler, machine.device, n=6, each=lambda _, begin=begin: begin())
            machine.check(f"no wait in sampler {sampler.KIND}", 0, 0)


@contextlib.contextmanager
def _no_waits() -> Iterator[Callable[[], None]]:
    """Gives a function after which waits are errors, until the end of the context."""
    try:
        yield lambda: torch.cuda.set_sync_debug_mode("error")
    finally:
        torch.cuda.set_sync_debug_mode("default")


def check_all(machine: Machine, sizes: Sizes) -> None:
    """Makes all comparisons, in float32 without TF32 unless a comparison says otherwise."""
    set_tf32(False)
    for check in (check_networks, check_samplers, check_trainings, check_waits):
        check(machine, sizes)
    set_tf32(True)
