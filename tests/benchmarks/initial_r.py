"""Study of the best step size r where the score is exact: what does it depend on?

Run with ``python -m tests.benchmarks initial_r``. The data are mixtures of Gaussians with known
scores, so that no network is trained. For each schedule and number of steps per level, both
samplers run on a grid of r from the least to the largest admissible; the best r is the one with the
least Frechet distance between the denoised chains and the data. The distance is that of `FEATURES`
random rectified projections, of which means and covariances are compared, since the mean and
covariance of the data alone say nothing of the modes.

The last table compares rules for the first r on cases that no rule has used: the excess of the
distance at the rule's r over the least distance, for the constants of
`studies.common.initial_step_sizes` and for the law r = a L^p that fits the first table best.
"""

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch
from rich.console import Console
from rich.table import Table
from torch import Tensor

from scorelib.metrics.frechet import Moments, frechet_distance, moments
from scorelib.samplers import Als, AnnealedSampler, Cas
from scorelib.schedules import GeometricSchedule
from scorelib.step_size import schedule_step
from studies.common.initial_step_sizes import START_R

CHAINS, FEATURES, POINTS = 1000, 48, 14
SAMPLERS: dict[str, type[AnnealedSampler]] = {"als": Als, "cas": Cas}
FIT = [(n, 0.1, s) for n in (10, 30, 90) for s in (1, 5)]
JUDGED = [(14, 0.1, 1), (60, 0.1, 3), (30, 0.03, 1), (60, 0.01, 1), (20, 0.3, 5)]
"""Number of levels, sigma_L in units of the data's spread, and steps per level."""


@dataclass(frozen=True)
class Mixture:
    """A mixture of Gaussians of equal width and weight; its own spread is 1.

    Attributes:
        centres: centres of the components, (K, D).
        width: standard deviation of each component.
    """

    centres: Tensor
    width: float

    def draw(self, n: int, generator: torch.Generator) -> Tensor:
        """Returns n points, (n, D)."""
        chosen = torch.randint(len(self.centres), (n,), generator=generator)
        noise = torch.randn(n, self.centres.shape[1], generator=generator)
        return self.centres[chosen] + self.width * noise

    def scaled_score(self, x: Tensor, sigma: float) -> Tensor:
        """Returns sigma times the exact score of the data with noise sigma, (B, D)."""
        variance = self.width**2 + sigma**2
        weights = (-torch.cdist(x, self.centres).square() / (2 * variance)).softmax(dim=1)
        return sigma * (weights @ self.centres - x) / variance


def mixture(n_components: int, n_dimensions: int, width: float) -> Mixture:
    """Returns a mixture with seeded centres."""
    generator = torch.Generator().manual_seed(n_components)
    centres = torch.randn(n_components, n_dimensions, generator=generator)
    return Mixture((centres - centres.mean(0)) / centres.std(), width)


def features(x: Tensor) -> Moments:
    """Returns the moments of random rectified projections of points."""
    generator = torch.Generator().manual_seed(7)
    weights = torch.randn(x.shape[1], FEATURES, generator=generator) / math.sqrt(x.shape[1])
    return moments((x @ weights + 0.5 * torch.randn(FEATURES, generator=generator)).relu())


def curve(data: Mixture, kind: str, n_levels: int, sigma_L: float, n_sigma: int) -> np.ndarray:
    """Returns r and the distance of the denoised chains at each r, (2, POINTS)."""
    schedule = GeometricSchedule(sigma_1=8.0, sigma_L=sigma_L, n_levels=n_levels)
    unit = schedule_step(schedule.sigma_L, schedule.gamma, n_sigma)
    low, high = (end / unit for end in SAMPLERS[kind].of(unit, n_sigma).interval(schedule))
    rs = np.geomspace(max(1.005 * low, 0.5), 0.99 * high, POINTS)
    target = features(data.draw(20_000, torch.Generator().manual_seed(1)))
    found = []
    for r in rs:
        draws = torch.Generator().manual_seed(2)
        x = 8.0 * torch.randn(CHAINS, data.centres.shape[1], generator=draws)
        sampler = SAMPLERS[kind].of(float(r * unit), n_sigma)
        for update in sampler.updates(schedule):
            score = data.scaled_score(x, update.sigma)
            x = update.step(x, score, partial(torch.randn, x.shape, generator=draws))
        x = x + schedule.sigma_L * data.scaled_score(x, schedule.sigma_L)
        found.append(frechet_distance(target, features(x)))
    return np.array([rs, found])


def best_r(found: np.ndarray) -> float:
    """Returns the r of the least distance."""
    return float(found[0, found[1].argmin()])


def excess(found: np.ndarray, r: float) -> float:
    """Returns the excess of the distance at r, interpolated in log r, over the least distance."""
    at = np.interp(math.log(r), np.log(found[0]), found[1])
    return float(at / found[1].min() - 1)


def main() -> None:
    """Prints the best r of each case, and the excess of each rule on other cases."""
    torch.set_num_threads(1)
    fitted, judged = (mixture(10, 6, 0.1), mixture(40, 6, 0.02)), (mixture(25, 8, 0.05),)
    table = Table("levels", "sigma_L", "n_sigma", *SAMPLERS, title="Best r, exact scores")
    laws = {}
    rows: dict[str, list[tuple[int, float]]] = {kind: [] for kind in SAMPLERS}
    for case in FIT:
        found = {k: [best_r(curve(data, k, *case)) for data in fitted] for k in SAMPLERS}
        for kind, values in found.items():
            rows[kind] += [(case[0], r) for r in values]
        table.add_row(*map(str, case), *(", ".join(f"{r:.3g}" for r in v) for v in found.values()))
    Console().print(table)
    for kind, pairs in rows.items():
        levels, best = np.log(np.array(pairs)).T
        power, constant = np.polyfit(levels, best, 1)
        laws[kind] = (math.exp(constant), power)
        print(f"{kind}: r = {laws[kind][0]:.3g} L^{power:.3g}")
    table = Table("levels", "sigma_L", "n_sigma", "sampler", "best r", "constant", "law",
                  title="Excess of the distance on cases that no rule has used")  # fmt: skip
    for case in JUDGED:
        for kind in SAMPLERS:
            found_here = curve(judged[0], kind, *case)
            factor, power = laws[kind]
            by_rule = (START_R[kind], factor * case[0] ** power)
            texts = (f"{excess(found_here, r):.0%}" for r in by_rule)
            table.add_row(*map(str, case), kind, f"{best_r(found_here):.3g}", *texts)
    Console().print(table)


if __name__ == "__main__":
    main()
