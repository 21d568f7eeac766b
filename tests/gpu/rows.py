"""The table of times: our code beside plain references, on one device."""

import copy
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from scorelib.losses import Adversarial
from scorelib.networks import BigGanDiscriminator, multiply_adds
from scorelib.networks.layout import laid_out
from scorelib.optim import AdamSpec
from scorelib.samplers import Cas
from scorelib.samplers.batches import batched
from scorelib.schedules import GeometricSchedule
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
from tests.gpu.equality import chain
from tests.gpu.machine import Machine
from tests.gpu.sizes import Case, Sizes

Run = Callable[[], object]
Row = dict[str, Any]
N_TRAINED = 256
"""Number of images of the timed trainings."""


class Table:
    """The rows that were measured so far.

    Args:
        machine: machine to measure on.
        sizes: sizes of the run.
    """

    def __init__(self, machine: Machine, sizes: Sizes) -> None:
        self.rows: list[Row] = []
        self._machine, self._sizes = machine, sizes
        self._peaks = {
            "float32": machine.peak(sizes.product, torch.float32),
            "bf16": machine.peak(sizes.product, torch.bfloat16),
        }

    def measure_all(self) -> None:
        """Measures every case, one after another, and the compiled networks last."""
        for case in self._sizes.cases:
            for n in case.forward:
                self._add(f"{case.name}, forward, {n} images", lambda c=case, n=n: self._pass(c, n))
            name = f"{case.name}, DSM step, batch {case.training}"
            self._add(name, lambda c=case: self._dsm(c))
            if case.adversarial:
                n = max(case.forward)
                name = f"{case.name}, CAS, {self._sizes.levels} levels, {n} images"
                self._add(name, lambda c=case, n=n: self._chain(c, n))
                name = f"{case.name}, adversarial step, n_D = 2, batch {case.training}"
                self._add(name, lambda c=case: self._adversarial(c))
        for case in self._sizes.cases:
            if case.compiled:
                n = max(case.forward)
                name = f"{case.name}, compiled forward, {n} images"
                self._add(name, lambda c=case, n=n: self._pass(c, n, compiled=True))

    def _add(self, name: str, measure: Callable[[], Row]) -> None:
        with self._machine.part(name):
            self._machine.require(15)
            self.rows.append({"name": name, **measure()})

    def _pass(self, case: Case, n: int, *, compiled: bool = False) -> Row:
        network, device = _built(case), self._machine.device
        x = torch.rand(n, *case.shape, device=device)
        sigma = torch.ones((), device=device)
        ours = laid_out(copy.deepcopy(network), case.shape).to(device)
        reference = _reference(network.to(device))
        if compiled:
            self._machine.require(120)
            ours = torch.compile(ours)  # type: ignore[assignment]

        def plainly() -> Tensor:
            with torch.no_grad():
                return reference(x, sigma)

        def in_the_stage(precision: Any = "float32") -> Tensor:
            with torch.inference_mode():
                return batched([ours], precision, n)(x, 1.0)

        macs = n * multiply_adds(network, case.shape)
        return self._row(plainly, in_the_stage, lambda: in_the_stage("bf16"), n, macs)

    def _chain(self, case: Case, n: int) -> Row:
        network, device, n_levels = _built(case), self._machine.device, self._sizes.levels
        levels = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=n_levels)
        low, high = Cas(epsilon=1e-4).interval(levels)
        sampler = Cas(epsilon=(low * high) ** 0.5)
        ours = laid_out(copy.deepcopy(network), case.shape).to(device)
        reference = _reference(network.to(device))
        start = 50 * torch.rand(n, *case.shape, device=device)

        def plainly() -> None:
            def score(x: Tensor, sigma: float) -> Tensor:
                return reference(x, torch.tensor(sigma, device=device))

            with torch.no_grad():
                for state in sampler.walk(score, start, levels, lambda: torch.randn_like(start)):
                    if not torch.isfinite(state.x).all():
                        raise ArithmeticError("the chain diverged")

        def ours_in(precision: Any) -> object:
            return chain(
                ours, sampler, device, n=n, precision=precision, levels=levels, shape=case.shape
            )

        macs = n * n_levels * multiply_adds(network, case.shape)
        return self._row(plainly, lambda: ours_in("float32"), lambda: ours_in("bf16"), n, macs)

    def _dsm(self, case: Case) -> Row:
        network, images = _built(case).requires_grad_(), self._images(case)
        ours = [
            self._repeated(
                DsmTraining(copy.deepcopy(network), images, **self._settings(case, precision))
            )
            for precision in ("float32", "bf16")
        ]
        network = network.to(self._machine.device)
        reference = _reference(network)
        owner = reference if isinstance(reference, nn.Module) else network
        floats = images.to(self._machine.device).float() / 255
        theirs = PlainTraining(reference, owner, case.training, floats)
        n = case.training * self._sizes.updates
        macs = 3 * n * multiply_adds(network, case.shape)
        return self._row(self._updates(theirs), ours[0], ours[1], n, macs)

    def _adversarial(self, case: Case) -> Row:
        network, images = _built(case).requires_grad_(), self._images(case)
        spec, device = BigGanDiscriminator(width=self._sizes.discriminator), self._machine.device
        objective = Adversarial(discriminator=spec, n_d=2)
        ours = [
            self._repeated(
                AdversarialTraining(
                    copy.deepcopy(network), images, objective=objective,
                    **self._settings(case, precision),
                )
            )
            for precision in ("float32", "bf16")
        ]  # fmt: skip
        network = network.to(device)
        theirs = PlainAdversarialTraining(
            _reference(network), network, case.training, images.to(device).float() / 255,
            spec.build(case.shape).to(device),
        )  # fmt: skip
        n = case.training * self._sizes.updates
        of_one = objective.update_multiply_adds(multiply_adds(network, case.shape), case.shape)
        return self._row(self._updates(theirs), ours[0], ours[1], n, n * of_one)

    def _images(self, case: Case) -> Tensor:
        draw = torch.Generator().manual_seed(1)
        return torch.randint(256, (N_TRAINED, *case.shape), dtype=torch.uint8, generator=draw)

    def _settings(self, case: Case, precision: str) -> dict[str, Any]:
        return {
            "schedule": SCHEDULE, "optimizer": AdamSpec(), "ema": (EMA,), "flips": False,
            "batch_size": case.training, "seed": 0, "device": self._machine.device,
            "precision": precision,
        }  # fmt: skip

    def _repeated(self, training: Training) -> Run:
        """Returns a run of some updates; the draws go on between the runs."""
        steps = training.steps(10**9)

        def run() -> None:
            for _ in range(self._sizes.updates):
                next(steps)

        return run

    def _updates(self, training: PlainTraining) -> Run:
        def run() -> None:
            for _ in range(self._sizes.updates):
                training.update()

        return run

    def _row(self, theirs: Run, ours: Run, coarse: Run, n: int, macs: float) -> Row:
        """Returns the times of two alternating sides, and of ours in bf16.

        Args:
            theirs: run of the reference.
            ours: our run, in float32.
            coarse: our run, in bf16.
            n: number of images of a run.
            macs: number of multiply-adds of a run.
        """
        machine, times = self._machine, []
        for number in range(self._sizes.rounds + 1):
            both = machine.time(theirs), machine.time(ours)
            if number > 0:  # the first round warms both up
                times.append(both)
        ratios = statistics.quantiles([b / a for a, b in times], n=4)
        plain_s, ours_s = (statistics.median(column) for column in zip(*times, strict=True))
        row = {
            "plain_seconds": plain_s, "ours_seconds": ours_s, "ratio": ratios[1],
            "quartiles": [ratios[0], ratios[2]], "images_per_second": n / ours_s,
            "multiply_adds_per_second": macs / ours_s,
            "share_of_peak": macs / ours_s / self._peaks["float32"], "busy": machine.busy(ours),
        }  # fmt: skip
        machine.time(coarse)
        coarse_s = statistics.median(machine.time(coarse) for _ in range(self._sizes.rounds))
        return row | {
            "bf16_seconds": coarse_s, "bf16_ratio": coarse_s / plain_s,
            "bf16_images_per_second": n / coarse_s,
            "bf16_share_of_peak": macs / coarse_s / self._peaks["bf16"],
        }  # fmt: skip

    @property
    def peaks(self) -> dict[str, float]:
        """Multiply-adds per second of a matrix product, by precision."""
        return self._peaks


def _built(case: Case) -> nn.Module:
    torch.manual_seed(0)
    return case.spec.build(case.shape).requires_grad_(False)


def _reference(network: nn.Module) -> Any:
    """Returns the plain reference of a network, with the same parameters on the same device."""
    return plain(network) if hasattr(network, "refinements") else as_published(network)


TABLE_1 = {"train": 3.6135e18, "sample": 7.1285e18}
"""Multiply-adds of the trainings and of the sampling of Table 1 of the paper, by its forecast."""


def hours_of_table_1(rows: list[Row]) -> dict[str, float]:
    """Returns the hours on one device that Table 1 of the paper would take at the measured rates.

    All trainings are counted at the rate of the DSM step and all sampling at the rate of the chain.

    Args:
        rows: rows of the table of times.
    """
    hours = {}
    for stage, name in (("train", "NCSNv2, DSM step"), ("sample", "NCSNv2, CAS")):
        for row in rows:
            if row["name"].startswith(name):
                ours = TABLE_1[stage] / row["multiply_adds_per_second"] / 3600
                of_a_second = ours / row["ours_seconds"]
                hours[stage] = ours
                hours[f"{stage}, bf16"] = of_a_second * row["bf16_seconds"]
                hours[f"{stage}, plain"] = of_a_second * row["plain_seconds"]
    return hours
