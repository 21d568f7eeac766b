"""The paper's own method against its baseline, at equal further settings and seed by seed.

Over n seeds, the same on both sides, the mean of the n differences has the 95 % confidence interval
``mean +- t(0.975, n - 1) s / sqrt(n)``, s their standard deviation, t Student's quantile. Whatever
the two methods share at a seed (the order of the data, the start of the chains) is in no
difference. The seeds are those of trainings, or of the images of one training: the interval speaks
of no other chance, and one in twenty equal numbers seems to differ.
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
"""What tables call the paper's own method and what it is compared with."""


@dataclass(frozen=True)
class Pair:
    """One number of our method and of its baseline, each over seeds.

    Attributes:
        measure: what was measured, and at which further settings.
        lower_is_better: whether a lower number is the better one.
        ours: our method's number.
        base: the baseline's number.
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

    def outcome(self, *, by_seed: bool) -> Literal["better", "worse", "level", "open"]:
        """How ours compares: by the interval of the differences, or by the two means."""
        difference = self.ours.mean - self.base.mean
        if by_seed and abs(statistics.fmean(self.differences)) <= half_interval(self.differences):
            return "open"
        if not by_seed and self.ours.is_level(self.base):
            return "level"
        return "better" if (difference < 0) == self.lower_is_better else "worse"


def pairs(done: Iterable[CellView]) -> list[Pair]:
    """Every number that both methods have, at equal further settings.

    Args:
        done: the cells that are in.
    """
    found = []
    for comparison in comparisons(done):
        for name, ours in comparison.ranked.items():
            settings = name.removeprefix(OURS)
            base = comparison.ranked.get(BASE + settings) if name.startswith(OURS) else None
            if base is None:
                continue
            # Each of a job's own numbers counts; of raw and denoised images only the kind compared.
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
    """A row for every pair over several seeds: both numbers, their difference, the outcome."""
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
