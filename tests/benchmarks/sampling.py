"""Benchmark of sampling with NCSNv2 against a plain loop: same network and images, one thread.

Run with ``python -m tests.benchmarks sampling`` (about two minutes, 2 GB). The reference is a
straightforward loop with contiguous memory and `torch.no_grad`. Our code is that of the sample
stage: channels last and `inference_mode`. The two alternate, so a slow machine slows both equally.
"""

import statistics
import time

import torch
from torch import Tensor, nn

from scorelib.networks import Ncsnv2
from scorelib.samplers import Cas
from scorelib.schedules import GeometricSchedule
from tuning.jobs import ExecutionContext
from tuning.stages.evaluation import batched, laid_out

REPEATS = 5
IMAGES = 4
SCHEDULE = GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=4)


def plain(network: nn.Module, x: Tensor) -> Tensor:
    """Samples by consistent annealed sampling in the most direct way."""
    with torch.no_grad():
        return walk(lambda y, sigma: network(y, torch.tensor(sigma)), x)


def ours(network: nn.Module, x: Tensor) -> Tensor:
    """Samples the same images through the network wrapper of the sample stage."""
    place = ExecutionContext(store=None, batch_images=IMAGES)  # type: ignore[arg-type]
    with torch.inference_mode():
        return walk(batched([network], place), x)


def walk(scaled_score, x: Tensor) -> Tensor:
    """Returns the denoised images after all levels."""
    draw = torch.Generator().manual_seed(0)
    sampler = Cas(epsilon=9.6e-5)
    *_, last = sampler.walk(scaled_score, x, SCHEDULE, lambda: torch.randn(x.shape, generator=draw))
    return last.denoised


def main() -> None:
    """Prints the seconds per image and network evaluation, and their ratio."""
    torch.set_num_threads(1)
    torch.manual_seed(0)
    network = Ncsnv2().build((3, 32, 32)).eval().requires_grad_(False)
    other = Ncsnv2().build((3, 32, 32)).eval().requires_grad_(False)
    other.load_state_dict(network.state_dict())
    other = laid_out(other, (3, 32, 32))
    x = 50 * torch.randn(IMAGES, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    gap = (plain(network, x) - ours(other, x)).abs().max().item()  # also warms both up
    seconds: dict[str, list[float]] = {"plain": [], "ours": []}
    for _ in range(REPEATS):
        for name, run, module in (("plain", plain, network), ("ours", ours, other)):
            started = time.perf_counter()
            run(module, x)
            seconds[name].append(time.perf_counter() - started)
    evaluations = IMAGES * SCHEDULE.n_levels
    medians = {name: statistics.median(values) / evaluations for name, values in seconds.items()}
    ratios = [a / b for a, b in zip(seconds["plain"], seconds["ours"], strict=True)]
    print(f"NCSNv2, 29.7 M parameters, 32x32, {IMAGES} images, 1 thread, {REPEATS} runs each")
    for name, value in medians.items():
        print(f"  {name:6} {value * 1e3:8.1f} ms per image and evaluation (median)")
    print(
        f"  ratio plain / ours: {statistics.median(ratios):.2f} "
        f"({min(ratios):.2f} to {max(ratios):.2f}); largest difference of the images {gap:.1e}"
    )


if __name__ == "__main__":
    main()
