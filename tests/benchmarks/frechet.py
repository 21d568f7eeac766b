"""Benchmark of the Frechet distance against scipy's matrix root: same data, same run, one thread.

Run with ``python -m tests.benchmarks.frechet`` (about half a minute, 1.5 GB). Both sides start
from means and covariances, as scores do. Our code factors both covariances in every call.
"""

import statistics
import time
from collections.abc import Callable

import numpy as np
import scipy
import scipy.linalg
import torch
from threadpoolctl import threadpool_limits
from torch import Tensor

from scorelib.metrics.frechet import Moments, frechet_distance

N_FEATURES = 2048
N_IMAGES = 10_000
REPEATS = 3
REPEATS_SCIPY = 1


def fit(seed: int) -> tuple[Tensor, Tensor]:
    """Returns mean and covariance of rectified, correlated features of unequal spread."""
    g = torch.Generator().manual_seed(seed)
    spread = torch.linspace(0, -3, N_FEATURES).exp()
    mixing = torch.eye(N_FEATURES) + 0.02 * torch.randn(N_FEATURES, N_FEATURES, generator=g)
    features = (spread * torch.randn(N_IMAGES, N_FEATURES, generator=g)).relu() @ mixing
    features = features.double()
    return features.mean(0), torch.cov(features.T)


def by_matrix_root(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """Computes the distance by the textbook formula, with scipy's matrix root of S_1 S_2."""
    (mean_a, cov_a), (mean_b, cov_b) = ((m.numpy(), s.numpy()) for m, s in (a, b))
    root = scipy.linalg.sqrtm(cov_a @ cov_b)
    gap = mean_a - mean_b
    return float(gap @ gap + np.trace(cov_a) + np.trace(cov_b) - 2 * np.trace(root).real)


def by_factors(a: tuple[Tensor, Tensor], b: tuple[Tensor, Tensor]) -> float:
    """Computes the distance with our code, from the same means and covariances."""
    return frechet_distance(*(Moments.from_covariance(*side, N_IMAGES) for side in (a, b)))


def timed(function: Callable[[], float], repeats: int) -> tuple[float, float]:
    """Returns the value of a function and the median of its times in seconds."""
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        value = function()
        seconds.append(time.perf_counter() - start)
    return value, statistics.median(seconds)


def main() -> None:
    """Prints both times, their ratio and the difference of the two values."""
    torch.set_num_threads(1)
    with threadpool_limits(1):
        a, b = fit(0), fit(1)
        ours, seconds = timed(lambda: by_factors(a, b), REPEATS)
        theirs, seconds_scipy = timed(lambda: by_matrix_root(a, b), REPEATS_SCIPY)
    print(f"d = {N_FEATURES}, n = {N_IMAGES:,}, 1 thread, scipy {scipy.__version__}")
    print(f"factors      {seconds:7.2f} s   {ours:.12g}")
    print(f"scipy sqrtm  {seconds_scipy:7.2f} s   {theirs:.12g}")
    print(f"ratio {seconds_scipy / seconds:.1f}, relative gap {abs(ours - theirs) / theirs:.1e}")


if __name__ == "__main__":
    main()
