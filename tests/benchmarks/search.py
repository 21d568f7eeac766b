"""Benchmark of searches: trials until a step size within 2% of the best is tried, and stops.

It compares our sampler with TPE, a Gaussian process, random search and Brent's method (scipy's
``brent``, whose parabolas and golden sections need curves without noise). Run with ``python -m
tests.benchmarks search``. The objective is a tabulated curve of distances over step sizes: linear
between its points in log epsilon, and equal to its worst value outside of them.

The curves are the CSV files of the directory SEARCH_CURVES, if that variable is set, with columns
``epsilon`` and ``fid_denoised`` and names ``DATA_..._cas|als_..._nsigmaN_....csv``, where DATA is
``cifar10`` or ``church``, and thirteen synthetic ones that resemble the published set in sampler,
schedule, n_sigma, number of points and position of the optimum,

    floor (c + a exp(-wall u) + b exp(tail u)),  u = log(epsilon / optimum),

cut at a plateau, with 1% noise that is fixed in the table; a and c put the minimum, 1, at u = 0.
This differs from the shape that our sampler assumes (a cube and a square), whose walls are power
laws.

Four more families have other shapes: a valley between *plateaus*, *two basins* of which the farther
is deeper, a valley in *steps* of a fifth of a nat, and *tables of five points* within 17% of one
epsilon, constant outside.

All searches begin at the same start, r = epsilon / (sigma_L^2 (1 - gamma^(1/n_sigma))) = 1.5 (CAS)
or 4.8 (ALS), propose two significant digits and are told four digits. Repeating a proposal costs
nothing. Our sampler searches the whole admissible interval, alone or in rounds of two; so does
Brent's method. The others search within a factor of `REACH` of the start, which helps them and
contains every optimum. Shifted curves are moved by factors while the start stays, so the start is
wrong; the interval is widened to contain the moved curve. A search that has not succeeded after 40
trials counts as 41.

With noise, each value is told with a relative error of 3%, fixed for each curve, step size and
seed. Our sampler is told the size, as in a study: the error of the ratio of two values, 4.2%. The
true value decides about success.

The last table lets our search end by its own rule: trials spent, and the excess of the best value
over the best of the curve.
"""

import math
import os
import re
import statistics
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import optuna
import pandas as pd
import torch
from optuna.samplers import BaseSampler, GPSampler, RandomSampler, TPESampler
from rich.console import Console
from rich.table import Table
from scipy.optimize import minimize_scalar

from scorelib.step_size import als_interval, cas_interval, round_significant, schedule_step
from tuning.spaces import EPSILON
from tuning.spaces.step_size_sampler import propose_step_sizes, searched_interval, standing
from tuning.spaces.trial import Trial
from tuning.spaces.valleys import ERROR

SIGMA_L = 0.01
GAMMAS = {"cifar10": (SIGMA_L / 50) ** (1 / 231), "church": (SIGMA_L / 140) ** (1 / 787)}
START_R = {"cas": 1.5, "als": 4.8}
TOLERANCE, MOST_TRIALS = 1.02, 40
REACH = 5
SHIFTS = (0.7, 0.85, 1.2, 1.5, 2.0, 3.0)
FAR = (0.1, 10.0)
NOISE = 0.03
STOP = 0.01


@dataclass(frozen=True, eq=False)
class Curve:
    """A tabulated objective: distances at ascending step sizes, and what a search is given."""

    name: str
    epsilons: np.ndarray
    values: np.ndarray
    start: float
    low: float
    high: float

    def widened(self, shift: float) -> "Curve":
        """Returns the curve with an interval that contains the optimum if the curve is moved."""
        return replace(self, low=self.low * min(shift, 1), high=self.high * max(shift, 1))

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


def other_curves() -> Iterator[Curve]:
    """Yields curves of other shapes: plateaus, two basins, steps and tables of five points."""
    u = np.linspace(-1.5, 1.8, 200)
    valley = np.where(u < 0, np.abs(u / 0.3) ** 3, (u / 0.8) ** 2)
    second = np.minimum(0.5 + (u / 0.5) ** 2, ((u - 1.5) / 0.4) ** 2)
    shapes = {
        "plateaus": valley.clip(max=1.2),
        "two basins": second.clip(max=2.5),
        "steps": np.floor(valley.clip(max=3) / 0.2) * 0.2,
    }
    optimum = {
        kind: START_R[kind] * schedule_step(SIGMA_L, GAMMAS["cifar10"], 1) for kind in SHAPES
    }
    for kind, at in optimum.items():
        for name, height in shapes.items():
            step_sizes = at * np.exp(u)
            yield make_curve(f"{name}, {kind}", "cifar10", kind, 1, step_sizes, 15 * np.exp(height))
        # About a step size of two digits: the other ones nearby are worse by more than 2%.
        table = np.array([0.86, 0.92, 1.0, 1.05, 1.17]) * round_significant(at)
        values = np.array([21.0, 17.5, 15.0, 15.6, 19.0])
        yield make_curve(f"five points, {kind}", "cifar10", kind, 1, table, values)


def curves_in(directory: Path) -> Iterator[Curve]:
    """Yields the curves of a directory of CSV files."""
    for path in sorted(directory.glob("*.csv")):
        parts = re.match(r"(cifar10|church)_.*?(cas|als)_.*?nsigma(\d+)", path.stem)
        if not parts:
            raise SystemExit(f"{path.name}: expected DATA_..._cas|als_..._nsigmaN_....csv")
        table = pd.read_csv(path).groupby("epsilon", as_index=False).mean()
        points = table["epsilon"].to_numpy(), table["fid_denoised"].to_numpy()
        yield make_curve(path.stem, parts[1], parts[2], int(parts[3]), *points)


def told(curve: Curve, shift: float, noise: float, seed: int, epsilon: float) -> float:
    """Returns a value as a search is told it: four digits, with an error of curve and step size."""
    value = curve(epsilon, shift)
    if noise:
        digest = zlib.crc32(f"{curve.name} {shift} {epsilon:.6e}".encode())
        value *= np.exp(noise * np.random.default_rng([seed, digest]).standard_normal())
    return round_significant(value, 4)


def errors_of(seen: list[Trial], noise: float) -> list[float]:
    """Returns the errors that our search is given: of the ratios to the best, of known noise."""
    best = min(range(len(seen)), key=lambda i: seen[i].numbers, default=0)
    return [ERROR if i == best else math.sqrt(2) * noise for i in range(len(seen))] if noise else []


def own_search(
    curve: Curve, shift: float, seed: int, round_size: int = 1, noise: float = 0.0
) -> Iterator[tuple[list[Trial], float]]:
    """Yields the trials of our search after each trial, and the true value of the last."""
    of, seen = curve.widened(shift), list[Trial]()
    while True:
        proposals = propose_step_sizes(
            seen,
            low=of.low,
            high=of.high,
            starts=[of.start],
            n=round_size,
            seed=1000 * seed + len(seen),
            errors=errors_of(seen, noise),
        )
        for epsilon in proposals:
            value = curve(epsilon, shift)
            number = (told(curve, shift, noise, seed, epsilon),)
            seen.append(Trial(len(seen), {EPSILON: epsilon}, numbers=number))
            yield seen, value


def trials_of_ours(
    curve: Curve, shift: float, seed: int, round_size: int = 1, noise: float = 0.0
) -> int:
    """Returns the number of evaluations of our search, with all earlier ones of the same round."""
    for seen, value in own_search(curve, shift, seed, round_size, noise):
        if curve.is_good(value):
            return len(seen)
        if len(seen) >= MOST_TRIALS:
            break
    return MOST_TRIALS + 1


def stop_of_ours(curve: Curve, shift: float, seed: int, noise: float = 0.0) -> tuple[int, float]:
    """Returns the number of trials when our search ends, and the excess of its best trial."""
    of, values = curve.widened(shift), list[float]()
    for seen, value in own_search(curve, shift, seed, noise=noise):
        values.append(value)
        at = standing(
            seen,
            low=of.low,
            high=of.high,
            starts=[of.start],
            seed=1000 * seed + len(seen),
            errors=errors_of(seen, noise),
        )
        if (at and at.is_done(STOP)) or len(seen) >= MOST_TRIALS:
            best = min(range(len(seen)), key=lambda i: seen[i].numbers)
            return len(seen), values[best] / curve.values.min() - 1
    raise AssertionError("a search has trials")


class _Good(Exception):
    """Raised by an objective as soon as its value is good."""


def trials_of_brent(curve: Curve, shift: float, seed: int, noise: float = 0.0) -> int:
    """Returns the number of different step sizes that Brent's method evaluates."""
    of, seen = curve.widened(shift), set[float]()
    low, high = searched_interval(of.low, of.high, [of.start])

    def value_at(log: float) -> float:
        epsilon = round_significant(float(np.exp(np.clip(log, np.log(low), np.log(high)))))
        seen.add(epsilon)
        if curve.is_good(curve(epsilon, shift)) or len(seen) > MOST_TRIALS:
            raise _Good
        return told(curve, shift, noise, seed, epsilon)

    try:
        first = float(np.log(of.start))
        minimize_scalar(value_at, (first, first + 0.2), options={"maxiter": 200})
    except _Good:
        return min(len(seen), MOST_TRIALS + 1)
    except RuntimeError:  # no bracket was found
        pass
    return MOST_TRIALS + 1


def trials_of_optuna(
    make: Callable[[int], BaseSampler], curve: Curve, shift: float, s: int, noise: float = 0.0
) -> int:
    """Returns the number of different step sizes that one of Optuna's samplers evaluates."""
    of, reach = curve.widened(shift), REACH if 1 / REACH < shift < REACH else 4 * REACH
    low, high = max(of.low, of.start / reach), min(of.high, of.start * reach)
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
        study.tell(trial, told(curve, shift, noise, s, epsilon))
    return MOST_TRIALS + 1


def gp(seed: int) -> GPSampler:
    """Returns Optuna's Gaussian process without its ten random trials: the start is given."""
    return GPSampler(seed=seed, n_startup_trials=3, deterministic_objective=False)


METHODS: dict[str, tuple[Callable[..., int], int]] = {
    "ours": (trials_of_ours, 3),
    "ours, by 2": (partial(trials_of_ours, round_size=2), 1),
    "TPE": (partial(trials_of_optuna, lambda seed: TPESampler(seed=seed)), 2),
    "GP": (partial(trials_of_optuna, gp), 1),
    "Brent": (trials_of_brent, 1),
    "random": (partial(trials_of_optuna, lambda seed: RandomSampler(seed=seed)), 3),
}
"""Each method with its number of seeds."""


def summary(counts: Sequence[int]) -> str:
    """Returns the median and the worst of some numbers of trials."""
    return f"{statistics.median(counts):g} ({max(counts)})"


def print_counts(curves: Mapping[str, list[Curve]]) -> None:
    """Prints the median (and worst) number of trials to 2% by curves, shift and noise."""
    title = f"Trials to 2%: median (worst; {MOST_TRIALS + 1}: not found)"
    table = Table("curves, moved by", *METHODS, title=title)
    cases = [(name, shift, 0.0) for name in curves for shift in sorted((*SHIFTS, 1.0, *FAR))]
    cases += [(name, shift, NOISE) for name in curves for shift in FAR]
    for name, shift, noise in cases:
        found = (
            [count(c, shift, s, noise=noise) for c in curves[name] for s in range(n_seeds)]
            for count, n_seeds in METHODS.values()
        )
        label = f"{name}, {shift:g}" + f", noise {noise:.0%}" * bool(noise)
        table.add_row(label, *map(summary, found))
    Console(width=110).print(table)


def print_stops(curves: list[Curve]) -> None:
    """Prints how many trials our search spends by its own rule, and the excess of its best."""
    table = Table("start", "trials: median (worst)", "excess: median, 90%", title="Stops")
    for noise in (0.0, NOISE):
        for name, shifts in (("as given", (1.0,)), (f"moved by {FAR}", FAR)):
            ends = [stop_of_ours(c, f, 0, noise) for c in curves for f in shifts]
            spent, excess = zip(*ends, strict=True)
            middle, most = np.quantile(excess, [0.5, 0.9])
            label = name + f", noise {noise:.0%}" * bool(noise)
            table.add_row(label, summary(spent), f"{middle:.1%}, {most:.1%}")
    Console(width=110).print(table)


def main() -> None:
    """Prints the numbers of trials of all methods, and the stops of our search."""
    torch.set_num_threads(1)
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    directory = os.environ.get("SEARCH_CURVES")
    of_the_papers = [*(curves_in(Path(directory)) if directory else ()), *synthetic_curves()]
    others = [*other_curves()]
    print_counts({f"{len(of_the_papers)} curves": of_the_papers, f"{len(others)} others": others})
    print_stops([*of_the_papers, *others])


if __name__ == "__main__":
    main()
