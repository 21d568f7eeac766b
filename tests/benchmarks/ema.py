"""Benchmark of two EMA decays: their share of the time of a training step of NCSNv2.

Run with ``python -m tests.benchmarks ema`` (three to five minutes, 2 GB, one thread). One training
takes steps in turn with the averages and with an empty bank. Steps are paired and the order within
the pairs alternates, so a slow machine slows both sides equally. The times are processor seconds of
this process, so other programs are not counted. The ratio is the median over the pairs. The update
of the averages is also timed alone, inside the same steps, which shows an overhead smaller than the
scatter of the steps. The cost of the averages does not depend on the batch, so a small batch is the
hardest case.
"""

import statistics
import time

import torch

from scorelib.networks import Ncsnv2
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.training.base import DsmTraining
from scorelib.training.ema import Ema

PAIRS = 30
IMAGES = 4
DECAYS = (0.999, 0.9999)
TARGET = 1.05


class TimedEma(Ema):
    """An `Ema` that adds up the seconds of its updates."""

    seconds = 0.0

    def update(self, module: torch.nn.Module) -> None:
        """Updates like `Ema.update` and adds the time."""
        started = time.process_time()
        super().update(module)
        self.seconds += time.process_time() - started


def main() -> None:
    """Prints the seconds per step, their ratio and the share of the update."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    images = torch.randint(256, (64, 3, 32, 32), dtype=torch.uint8)
    training = DsmTraining(
        Ncsnv2().build((3, 32, 32)), images, optimizer=AdamSpec(), ema=(), batch_size=IMAGES,
        schedule=GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=232), flips=True, seed=0,
    )  # fmt: skip
    banks = {name: TimedEma(training.network, d) for name, d in (("without", ()), ("with", DECAYS))}
    seconds: dict[str, list[float]] = {name: [] for name in banks}
    steps = training.steps(2 * PAIRS + 4)
    for i in range(PAIRS + 2):
        for name in sorted(banks, reverse=i % 2 == 0):
            training.ema = banks[name]
            started = time.process_time()
            next(steps)
            seconds[name].append(time.process_time() - started)
    medians = {name: statistics.median(values[2:]) for name, values in seconds.items()}
    pairs = zip(seconds["with"][2:], seconds["without"][2:], strict=True)  # both are warm by then
    low, ratio, high = statistics.quantiles((a / b for a, b in pairs), n=4)
    print(f"NCSNv2, 29.7 M parameters, 32x32, {IMAGES} images, 1 thread, {PAIRS} pairs of steps")
    for name, value in medians.items():
        print(f"  {name:7} {value * 1e3:8.1f} ms per step (median)")
    share = banks["with"].seconds / sum(seconds["with"])
    print(f"  ratio with / without: {ratio:.3f} (quartiles {low:.3f} to {high:.3f})")
    print(f"  the update is {share:.1%} of a step with it; target of the ratio: {TARGET}")


if __name__ == "__main__":
    main()
