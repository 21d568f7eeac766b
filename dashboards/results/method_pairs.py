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
from typing import Any

from dashboards.results.cells import CellView, Measured
from dashboards.results.comparisons import comparisons
from dashboards.results.verdicts import half_interval

OURS, BASE = "ours", "base"
"""Table labels of the paper's method and of the baseline it is compared with."""


def method_rows(done: Iterable[CellView]) -> list[dict[str, Any]]:
    """Returns a table row for each number that both methods have: the measure and `method_row`."""
    rows = []
    for comparison in comparisons(done):
        for name, ours in comparison.numbers.items():
            settings = name.removeprefix(OURS)  # such as ", alpha = 1"
            base = comparison.numbers.get(BASE + settings)
            if name.startswith(OURS) and base:
                row = method_row(ours, base, bool(comparison.best.cell.lower_is_better))
                rows.append({"": comparison.measure + settings, **row})
    return rows


def method_row(ours: Measured, base: Measured, lower_is_better: bool) -> dict[str, Any]:
    """Returns two numbers, their mean difference, its interval, the outcome and the paired seeds.

    The outcome is "better" or "worse", or "open" if the interval contains 0. If the numbers of
    seeds differ or are 1, the means count as one pair and are open if equal to four digits.

    Args:
        ours: numbers of the paper's method, by seed.
        base: numbers of the baseline, by seed.
        lower_is_better: whether lower numbers are better.
    """
    differences, is_open = [ours.mean - base.mean], ours.is_level(base)
    if ours.n_seeds == base.n_seeds > 1:  # studies always use the first n seeds
        differences = [a - b for a, b in zip(ours.values, base.values, strict=True)]
        is_open = abs(statistics.fmean(differences)) <= half_interval(differences)
    mean, half = statistics.fmean(differences), half_interval(differences)
    outcome = "better" if (mean < 0) == lower_is_better else "worse"
    return {
        BASE: str(base), OURS: str(ours), "difference": f"{mean:+.3g}",
        "95 % interval": f"{mean - half:+.3g} to {mean + half:+.3g}",
        f"{OURS} is": "open" if is_open else outcome, "seeds": len(differences),
    }  # fmt: skip
