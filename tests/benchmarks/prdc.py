"""Benchmark of precision, recall, density and coverage against the authors' package.

Both sides use the same data in the same run. Run with ``python -m tests.benchmarks prdc`` (two to
ten minutes). The package is not a dependency of this project: run
``pip install --no-deps prdc==0.2`` first. Peak memory is measured for our code only, at a size at
which the three distance matrices of the package would take ten gigabytes.
"""

import contextlib
import io
import multiprocessing
import os
import re
import statistics
import sys
import time
from dataclasses import astuple
from pathlib import Path

# Set before torch is imported: waiting threads must not occupy the cores of working threads.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")

import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from scorelib.metrics.prdc import prdc, working_bytes

N_THREADS = 2
K = 5
REPEATS = 3
TIMED = (10_000, 64)
HELD = (20_000, 2048)


def features(n: int, d: int) -> tuple[Tensor, Tensor]:
    """Returns real features, and generated features that are slightly shifted and less spread."""
    g = torch.Generator().manual_seed(0)
    return torch.randn(n, d, generator=g), 0.9 * torch.randn(n, d, generator=g) + 0.1


def by_package(real: Tensor, generated: Tensor) -> tuple[float, ...]:
    """Returns the four numbers of the package and suppresses its printed output."""
    from prdc import compute_prdc

    with contextlib.redirect_stdout(io.StringIO()):
        found = compute_prdc(real.numpy(), generated.numpy(), K)
    return tuple(float(found[n]) for n in ("precision", "recall", "density", "coverage"))


def peak_bytes() -> int:
    """Returns the peak memory of this process since `forget_peak`, in bytes."""
    status = Path("/proc/self/status").read_text()
    return int(re.search(r"VmHWM:\s+(\d+) kB", status)[1]) * 1024  # type: ignore[index]


def forget_peak() -> None:
    """Resets the peak: creating the features takes more memory than the code to be measured."""
    Path("/proc/self/clear_refs").write_text("5")


def measure_memory(at_start_and_end: "multiprocessing.SimpleQueue") -> None:
    """Measures the peak memory of a separate process before and after the numbers are computed."""
    torch.set_num_threads(N_THREADS)
    sets = features(*HELD)
    prdc(*(part[:100] for part in sets), K)  # loads what libraries load at their first call
    forget_peak()
    at_start_and_end.put(peak_bytes())
    prdc(*sets, K)
    at_start_and_end.put(peak_bytes())


def main() -> None:
    """Prints both times, their ratio, whether the numbers are equal, and the peak memory.

    Returns exit code 1 if our code is not twice as fast, gives other numbers or takes 2 GB.
    """
    torch.set_num_threads(N_THREADS)
    sets = features(*TIMED)
    seconds: dict[str, list[float]] = {"ours": [], "prdc": []}
    values = {}
    with threadpool_limits(N_THREADS):
        for _ in range(REPEATS):
            for name, function in (
                ("ours", lambda: astuple(prdc(*sets, K))),
                ("prdc", lambda: by_package(*sets)),
            ):
                start = time.perf_counter()
                values[name] = function()
                seconds[name].append(time.perf_counter() - start)
    print(f"{TIMED[0]:,} x {TIMED[0]:,} x {TIMED[1]}, k = {K}, {N_THREADS} threads")
    for name, of in seconds.items():
        print(f"{name}  {statistics.median(of):7.2f} s   {values[name]}")
    ratios = sorted(b / a for a, b in zip(*seconds.values(), strict=True))
    gap = max(abs(a - b) for a, b in zip(*values.values(), strict=True))
    spread = f"{ratios[0]:.1f} to {ratios[-1]:.1f}"
    print(f"ratio {statistics.median(ratios):.1f} ({spread}), gap {gap:.0e}")
    sys.stdout.flush()
    context = multiprocessing.get_context("spawn")
    queue = context.SimpleQueue()
    child = context.Process(target=measure_memory, args=(queue,))
    child.start()
    child.join()
    before, after = queue.get(), queue.get()
    beside, planned = (n / 1e6 for n in (after - before, working_bytes(HELD[1])))
    print(f"{HELD[0]:,} x {HELD[0]:,} x {HELD[1]}, {after / 1e9:.2f} GB in all:")
    print(f"{beside:.0f} MB beside the features, {planned:.0f} MB planned")
    claims = {
        "twice as fast": statistics.median(ratios) >= 2,
        "equal counts": gap * TIMED[0] < 1e-6,
        "less than 2 GB": after < 2e9,
    }
    missed = ", ".join(claim for claim, holds in claims.items() if not holds)
    sys.exit(f"does not hold: {missed}" if missed else 0)


if __name__ == "__main__":
    main()
