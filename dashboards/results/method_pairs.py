"""The paper's own method against its baseline, at equal further settings and seed by seed.

Over n seeds, the same on both sides, the mean of the n differences has the 95 % confidence interval

    mean +- t(0.975, n - 1) s / sqrt(n),

s their standard deviation, t Student's quantile. Whatever the two methods share at a seed (the
order of the data, the start of the chains) is in no difference. Where the interval holds 0, it is
open which method is better. The seeds are those of trainings, or of the images of one training: the
interval speaks of no other chance, and one in twenty equal numbers seems to differ.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

import pandas as pd

from dashboards.results.cells import CellView, Measured
from dashboards.results.comparisons import Comparison, comparisons
from dashboards.results.verdicts import half_interval
from tuning.stages import OUTPUTS

OURS, BASE = "ours", "base"
"""What tables call the paper's own method and what it is compared with."""

Outcome = Literal["better", "worse", "level", "open"]


@dataclass(frozen=True)
class Pair:
    """One number of our method and of its baseline.

    Attributes:
        measure: what was measured, and at which further settings.
        lower_is_better: whether a lower number is the better one.
        ours: our method's number, over seeds.
        base: the baseline's number, over seeds.
    """

    measure: str
    lower_is_better: bool
    ours: Measured
    base: Measured

    @property
    def differences(self) -> list[float]:
        """Ours minus base, seed by seed; empty unless both have the same several seeds."""
        ours, base = self.ours.values, self.base.values
        is_paired = len(ours) == len(base) > 1  # a study repeats the first seeds
        return [a - b for a, b in zip(ours, base, strict=True)] if is_paired else []

    @property
    def by_interval(self) -> Outcome:
        """How ours compares with the baseline by the interval, over several seeds."""
        mean, half = statistics.fmean(self.differences), half_interval(self.differences)
        return "open" if abs(mean) <= half else self._outcome(mean)

    @property
    def by_means(self) -> Outcome:
        """How ours compares with the baseline by the two means, over any seeds."""
        if self.ours.is_level(self.base):
            return "level"
        return self._outcome(self.ours.mean - self.base.mean)

    def _outcome(self, difference: float) -> Outcome:
        return "better" if (difference < 0) == self.lower_is_better else "worse"


def pairs(done: Iterable[CellView]) -> list[Pair]:
    """Every number that both methods have, at equal further settings.

    Args:
        done: the cells that are in.
    """
    found = []
    for comparison in comparisons(done):
        cells = dict(comparison.ranked)
        for name, ours in comparison.ranked:
            settings = name.removeprefix(OURS)
            if name.startswith(OURS) and (base := cells.get(BASE + settings)):
                found += _pairs(comparison, ours, base, settings.removeprefix(", "))
    return found


def _pairs(comparison: Comparison, ours: CellView, base: CellView, settings: str) -> list[Pair]:
    # Each of a job's own numbers counts; of raw and denoised images only the kind compared.
    names = [n for n in ours.measured if n == comparison.quantity or n not in OUTPUTS]
    names = [n for n in names if n in base.measured]
    about = ours.cell.row if ours.cell.column == OURS else comparison.measure
    return [
        Pair(
            ", ".join(filter(None, (about, settings, name if len(names) > 1 else ""))),
            bool(ours.cell.lower_is_better),
            ours.measured[name],
            base.measured[name],
        )
        for name in names
    ]


def difference_table(found: Iterable[Pair]) -> pd.DataFrame:
    """A row for every pair over several seeds: both numbers, their difference, the outcome."""
    rows = []
    for pair in found:
        if differences := pair.differences:
            mean, half = statistics.fmean(differences), half_interval(differences)
            rows.append(
                {
                    "": pair.measure,
                    BASE: str(pair.base),
                    OURS: str(pair.ours),
                    "difference": f"{mean:+.3g}",
                    "95 % interval": f"{mean - half:+.3g} to {mean + half:+.3g}",
                    f"{OURS} is": pair.by_interval,
                }
            )
    return pd.DataFrame(rows)
