"""Benchmark of searches: trials until a search is within 2% of the best value of a curve.

It compares our sampler, TPE, a Gaussian process and random search. Run with
``python -m tests.benchmarks search`` (five minutes on one core, half of them for the Gaussian
process, which has 3 seeds instead of 20). The objective is a tabulated curve of distances over step
sizes: linear between its points in log epsilon, and equal to its worst value outside of them.

If SEARCH_CURVES is set to a directory, the curves are the CSV files of this directory, with columns
``epsilon`` and ``fid_denoised`` and names ``DATA_..._cas|als_..._nsigmaN_....csv``, where DATA is
``cifar10`` or ``church``. Otherwise the curves are thirteen synthetic ones that resemble the
published set in sampler, schedule, n_sigma, number of points and position of the optimum,

    floor (c + a exp(-wall u) + b exp(tail u)),  u = log(epsilon / optimum),

cut at a plateau, with 1% noise that is fixed in the table; a and c put the minimum, 1, at u = 0.
This differs from the shape that our sampler assumes (a cube and a square), whose walls are power
laws.

All searches begin at the same start, r = epsilon / (sigma_L^2 (1 - gamma^(1/n_sigma))) = 1.5 (CAS)
or 4.8 (ALS), propose two significant digits and are told four digits. Repeating a proposal costs
nothing. Our sampler searches the whole admissible interval, alone or in rounds of two. The others
search within a factor of 5 of the start, which helps them and contains every optimum. "Shifted"
curves are moved by six factors from 0.7 to 3 while the start and the interval stay, so the start is
wrong. A search that has not succeeded after 40 trials counts as 41.
"""

import os
import re
import statistics
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import torch
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from rich.console import Console
from rich.table import Table

from scorelib.step_size import als_interval, cas_interval, round_significant, schedule_step
from tuning.spaces import EPSILON
from tuning.spaces.step_size_sampler import propose_step_sizes
from tuning.spaces.trial import Trial

SIGMA_L = 0.01
GAMMAS = {"cifar10": (SIGMA_L / 50) ** (1 / 231), "church": (SIGMA_L / 140) ** (1 / 787)}
START_R = {"cas": 1.5, "als": 4.8}
TOLERANCE, MOST_TRIALS = 1.02, 40
REACH = 5
SHIFTS = (0.7, 0.85, 1.2, 1.5, 2.0, 3.0)


@dataclass(frozen=True, eq=False)
class Curve:
    """A tabulated objective: distances at ascending step sizes, and what a search is given."""

    name: str
    epsilons: np.ndarray
    values: np.ndarray
    start: float
    low: float
    high: float

    def __call__(self, epsilon: float, shift: float = 1.0) -> float:
        """Returns the distance at a step size, with the whole table moved by the factor `shift`."""
        worst = self.values.max()
        at, table = np.log(epsilon / shift), np.log(self.epsilons)
        return float(np.interp(at, table, self.values, left=worst, right=worst))

    def is_good(self, value: float) -> bool:
        """Returns whether a distance is within 2% of the best in the table."""
        return value <= TOLERANCE * self.values.min()


def make_curve(
    name: str, data: str, kind: str, n_sigma: int, epsilons: np.ndarray, values: np.ndarray
) -> Curve:
    """Returns a curve with the start and the interval of its sampler and schedule."""
    gamma = GAMMAS[data]
    start = START_R[kind] * schedule_step(SIGMA_L, gamma, n_sigma)
    is_cas = kind == "cas"
    interval = cas_interval(SIGMA_L, gamma ** (1 / n_sigma)) if is_cas else als_interval(SIGMA_L)
    return Curve(name, epsilons, values, start, *interval)


# data, sampler, n_sigma, points, best r, floor, from and to in units of the optimum
SYNTHETIC = (
    ("cifar10", "cas", 1, 46, 1.58, 14.3, 0.66, 5.4),
    ("cifar10", "cas", 5, 49, 1.50, 12.9, 0.68, 4.0),
    ("cifar10", "cas", 15, 38, 1.46, 12.7, 0.70, 3.0),
    ("cifar10", "als", 1, 50, 4.81, 15.0, 0.57, 2.9),
    ("cifar10", "als", 1, 30, 5.05, 15.6, 0.60, 2.5),
    ("cifar10", "cas", 1, 12, 1.50, 18.8, 0.70, 2.0),
    ("cifar10", "cas", 5, 10, 1.44, 17.8, 0.72, 2.0),
    ("cifar10", "als", 1, 10, 4.40, 18.8, 0.70, 2.0),
    ("cifar10", "als", 5, 11, 5.44, 16.9, 0.70, 1.8),
    ("church", "cas", 1, 8, 2.25, 45.2, 0.70, 1.8),
    ("church", "cas", 5, 7, 1.86, 43.4, 0.70, 1.8),
    ("church", "als", 1, 6, 4.02, 44.3, 0.75, 1.6),
    ("church", "als", 5, 8, 4.00, 43.4, 0.75, 1.6),
)
# wall, tail, b
SHAPES = {"cas": (18.0, 1.8, 0.05), "als": (12.0, 2.2, 0.3)}


def synthetic_curves(noise: float = 0.01) -> Iterator[Curve]:
    """Yields thirteen substitutes for the published curves, seeded by their list positions."""
    for i, (data, kind, n_sigma, n, best_r, floor, first, last) in enumerate(SYNTHETIC):
        wall, tail, b = SHAPES[kind]
        u = np.linspace(np.log(first), np.log(last), n)
        a = b * tail / wall
        relative = 1 - a - b + a * np.exp(-wall * u) + b * np.exp(tail * u)
        relative *= np.exp(noise * np.random.default_rng(i).standard_normal(n))
        optimum = best_r * schedule_step(SIGMA_L, GAMMAS[data], n_sigma)
        values = floor * relative.clip(max=25)
        name = f"{data} {kind} {n_sigma}: {n}"
        yield make_curve(name, data, kind, n_sigma, optimum * np.exp(u), values)


def curves_in(directory: Path) -> Iterator[Curve]:
    """Yields the curves of a directory of CSV files."""
    for path in sorted(directory.glob("*.csv")):
        parts = re.match(r"(cifar10|church)_.*?(cas|als)_.*?nsigma(\d+)", path.stem)
        if not parts:
            raise SystemExit(f"{path.name}: expected DATA_..._cas|als_..._nsigmaN_....csv")
        table = pd.read_csv(path).groupby("epsilon", as_index=False).mean()
        points = table["epsilon"].to_numpy(), table["fid_denoised"].to_numpy()
        yield make_curve(path.stem, parts[1], parts[2], int(parts[3]), *points)


def trials_of_ours(curve: Curve, shift: float, seed: int, round_size: int = 1) -> int:
    """Returns the number of evaluations of our search, with all earlier ones of the same round."""
    seen: list[Trial] = []
    while len(seen) < MOST_TRIALS:
        proposals = propose_step_sizes(
            seen,
            low=curve.low,
            high=curve.high,
            starts=[curve.start],
            n=round_size,
            seed=1000 * seed + len(seen),
        )
        for epsilon in proposals:
            value = curve(epsilon, shift)
            told = (round_significant(value, 4),)
            seen.append(Trial(len(seen), {EPSILON: epsilon}, numbers=told))
            if curve.is_good(value):
                return len(seen)
    return MOST_TRIALS + 1


def trials_of_optuna(make: Callable[[int], BaseSampler], curve: Curve, shift: float, s: int) -> int:
    """Returns the number of different step sizes that one of Optuna's samplers evaluates."""
    low, high = max(curve.low, curve.start / REACH), min(curve.high, curve.start * REACH)
    study = optuna.create_study(sampler=make(s))
    study.enqueue_trial({"epsilon": curve.start})
    seen: set[float] = set()
    for _ in range(2 * MOST_TRIALS):  # the sampler may repeat itself forever
        trial = study.ask()
        epsilon = round_significant(trial.suggest_float("epsilon", low, high, log=True))
        value = curve(epsilon, shift)
        if curve.is_good(value):
            return min(len(seen | {epsilon}), MOST_TRIALS + 1)
        seen.add(epsilon)
        study.tell(trial, round_significant(value, 4))
    return MOST_TRIALS + 1


def gp(seed: int) -> GPSampler:
    """Returns Optuna's Gaussian process without its ten random trials: the start is given."""
    return GPSampler(seed=seed, n_startup_trials=3, deterministic_objective=False)


METHODS: dict[str, tuple[Callable[[Curve, float, int], int], int]] = {
    "ours": (trials_of_ours, 20),
    "ours, by 2": (partial(trials_of_ours, round_size=2), 20),
    "TPE": (partial(trials_of_optuna, lambda seed: TPESampler(seed=seed)), 20),
    "GP": (partial(trials_of_optuna, gp), 3),
    "random": (partial(trials_of_optuna, lambda seed: RandomSampler(seed=seed)), 20),
}


def main() -> None:
    """Prints, for each curve, the median (and worst) number of trials over the seeds."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    directory = os.environ.get("SEARCH_CURVES")
    curves = list(curves_in(Path(directory)) if directory else synthetic_curves())
    for title, shifts in (("as measured", (1.0,)), (f"shifted by {SHIFTS}", SHIFTS)):
        table = Table("curve: points", *METHODS, title=f"Trials to 2%: median (worst), {title}")
        for curve in curves:
            cells = []
            for count, n_seeds in METHODS.values():
                counts = [count(curve, f, seed) for f in shifts for seed in range(n_seeds)]
                cells.append(f"{statistics.median(counts):g} ({max(counts)})")
            table.add_row(curve.name, *cells)
        Console().print(table)


if __name__ == "__main__":
    main()
