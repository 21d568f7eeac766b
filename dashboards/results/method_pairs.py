"""The paper's own method against its baseline, at equal further settings and seed by seed.

Over n seeds, the same on both sides, the mean of the n differences has the 95 % confidence interval

    mean +- t(0.975, n - 1) s / sqrt(n),

s their standard deviation, t Student's quantile. What the two methods share at a seed (the data's
order, the score network, the start of the chains) is in no difference. Where the interval holds 0
it is open which is better.

The seeds are those that a study repeats: of trainings, or of the images of one training. An
interval speaks of that chance alone, and each of its own number: of many numbers without any
difference one in twenty would seem to have one.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.results.cells import CellView, Measured
from dashboards.results.comparisons import Comparison, every_comparison, lower_is_better
from dashboards.results.verdicts import half_interval

OURS, BASE = "ours", "base"
"""What tables call the paper's own method and what it is compared with."""

Outcome = Literal["better", "worse", "level", "open"]


@dataclass(frozen=True)
class Pair:
    """One number of our method and of its baseline.

    Attributes:
        measure: what it is of, with the way it was measured.
        lower_is_better: which direction is.
        ours: over seeds.
        base: over the same seeds.
    """

    measure: str
    lower_is_better: bool
    ours: Measured
    base: Measured

    @property
    def differences(self) -> list[float]:
        """Ours minus base, of each seed; none unless both have the same several seeds."""
        ours, base = self.ours.values, self.base.values
        return [a - b for a, b in zip(ours, base, strict=True)] if self.is_paired else []

    @property
    def is_paired(self) -> bool:
        """Whether both have several seeds, and equally many: a study repeats the first ones."""
        return len(self.ours.values) == len(self.base.values) > 1

    @property
    def by_interval(self) -> Outcome:
        """What comes of it for ours, of a pair over several seeds."""
        mean, half = statistics.fmean(self.differences), half_interval(self.differences)
        if abs(mean) <= half:
            return "open"
        return "better" if (mean < 0) == self.lower_is_better else "worse"

    @property
    def by_means(self) -> Outcome:
        """What comes of it for ours, whatever the seeds."""
        ours, base = self.ours.mean, self.base.mean
        if f"{ours:.4g}" == f"{base:.4g}":
            return "level"
        return "better" if (ours < base) == self.lower_is_better else "worse"


def pairs(done: Sequence[CellView]) -> list[Pair]:
    """Every number that both methods have, at equal further settings.

    Args:
        done: the cells that are in.
    """
    made = []
    for comparison in every_comparison(done):
        by_name = dict(comparison.ranked)
        for name, cell in comparison.ranked:
            other = by_name.get(BASE + name.removeprefix(OURS)) if name.startswith(OURS) else None
            if other is not None:
                own = name.removeprefix(OURS).removeprefix(", ")
                made += _pairs(cell, other, comparison, own)
    return made


def _pairs(ours: CellView, base: CellView, comparison: Comparison, at: str) -> list[Pair]:
    lower = lower_is_better(ours)
    assert lower is not None, "cells without a direction are in no comparison"
    names = [comparison.quantity]
    if not ours.cell.protocol:  # a job's own numbers, not two kinds of images
        names = [n for n in ours.cell.quantities if n in ours.measured and n in base.measured]
    about = ours.cell.row if ours.cell.column == OURS else comparison.measure
    return [
        Pair(
            ", ".join(filter(None, (about, at, name if len(names) > 1 else ""))),
            lower,
            ours.measured[name],
            base.measured[name],
        )
        for name in names
    ]
