"""Compares the paper's method with its baseline seed by seed, all other settings being equal.

Both methods have the same n seeds. The mean of the n differences has the 95 % confidence interval
``mean +- t(0.975, n - 1) s / sqrt(n)``, where s is the standard deviation of the differences and t
is Student's quantile. Effects that both methods share at a seed (data order, initial noise) cancel
in the differences. The seeds are training seeds, or seeds of the images drawn from one training;
the interval covers no other source of randomness. If two methods are equally good, the interval
nevertheless excludes 0 in one of 20 comparisons on average.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dashboards.results.cells import CellView, Measured
from dashboards.results.comparisons import comparisons
from dashboards.results.verdicts import half_interval
from tuning.stages import OUTPUTS

OURS, BASE = "ours", "base"
"""Table labels of the paper's method and of the baseline it is compared with."""


@dataclass(frozen=True)
class Pair:
    """One measure of the paper's method and of its baseline, each with a value per seed.

    Attributes:
        measure: name of the measure and of the shared settings.
        lower_is_better: whether a lower number is better.
        ours: number of the paper's method.
        base: number of the baseline.
    """

    measure: str
    lower_is_better: bool
    ours: Measured
    base: Measured

    @property
    def differences(self) -> list[float]:
        """Ours minus base for each seed; empty unless both have the same number (> 1) of seeds."""
        ours, base = self.ours.values, self.base.values
        is_paired = len(ours) == len(base) > 1  # studies always use the first n seeds
        return [a - b for a, b in zip(ours, base, strict=True)] if is_paired else []

    def outcome(self, *, by_seed: bool) -> Literal["better", "worse", "level", "open"]:
        """Compares ours with base by the interval of the differences, or by the two means.

        Args:
            by_seed: whether to use the 95 % confidence interval of the seed-wise differences.

        Returns:
            "better" or "worse": ours is better or worse. "open": the interval contains 0 (only with
            `by_seed`). "level": the means are equal to four digits (only without `by_seed`).
        """
        difference = self.ours.mean - self.base.mean
        if by_seed and abs(statistics.fmean(self.differences)) <= half_interval(self.differences):
            return "open"
        if not by_seed and self.ours.is_level(self.base):
            return "level"
        return "better" if (difference < 0) == self.lower_is_better else "worse"


def pairs(done: Iterable[CellView]) -> list[Pair]:
    """Returns a pair for each number that both methods have at equal settings.

    Args:
        done: measured cells.
    """
    found = []
    for comparison in comparisons(done):
        for name, ours in comparison.ranked.items():
            settings = name.removeprefix(OURS)
            base = comparison.ranked.get(BASE + settings) if name.startswith(OURS) else None
            if base is None:
                continue
            # Uses all numbers of a job, but of "raw" and "denoised" only the compared quantity.
            own = [n for n in ours.measured if n == comparison.quantity or n not in OUTPUTS]
            own = [n for n in own if n in base.measured]
            about = ours.cell.row if ours.cell.column == OURS else comparison.measure
            for quantity in own:
                parts = (about, settings.removeprefix(", "), quantity if len(own) > 1 else "")
                both = ours.measured[quantity], base.measured[quantity]
                found.append(
                    Pair(", ".join(filter(None, parts)), bool(ours.cell.lower_is_better), *both)
                )
    return found


def difference_table(found: Iterable[Pair]) -> pd.DataFrame:
    """Returns a table of the pairs with seed-wise differences: numbers, difference, outcome."""
    rows = []
    for pair in found:
        if differences := pair.differences:
            mean, half = statistics.fmean(differences), half_interval(differences)
            rows.append({
                "": pair.measure, BASE: str(pair.base), OURS: str(pair.ours),
                "difference": f"{mean:+.3g}",
                "95 % interval": f"{mean - half:+.3g} to {mean + half:+.3g}",
                f"{OURS} is": pair.outcome(by_seed=True),
            })  # fmt: skip
    return pd.DataFrame(rows)
