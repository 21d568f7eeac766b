r"""Verdicts: whether a cell reproduces the paper's number.

Our number is the mean of n seeds with standard deviation s. The paper's number is a single value
with unknown noise. If the paper's value were one more measurement of the same kind, its difference
d from our mean would satisfy

    |d| <= noise = t(0.975, n - 1) s sqrt(1 + 1/n)

in 95 of 100 cases (the prediction interval of a normal sample; t is Student's quantile). The noise
is compared with a tolerance, 5 % of the paper's value, within which two numbers count as equal.

- **differs**: |d| exceeds both the noise and the tolerance.
- **reproduced**: |d| and the noise are both within the tolerance.
- **within noise**: |d| does not exceed the noise, but the noise exceeds the tolerance: there are
  too few seeds, or the seeds differ too much, to decide.

There is no verdict if the protocols differ, and none with a single seed, because the noise is then
unknown.

Two means of our own are compared by `beyond_noise`, because the seeds of both are known.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from scipy.special import stdtrit

from dashboards.results.cells import CellView, Measured

Verdict = Literal["reproduced", "within noise", "differs"]

TOLERANCE = 0.05
"""Tolerance as a share of the paper's value: smaller differences count as equal."""


def verdict_of(difference: float, spread: float, n_seeds: int, reported: float) -> Verdict:
    """Returns the verdict on the difference between our mean and the paper's value.

    Args:
        difference: our mean minus the paper's value.
        spread: standard deviation over our seeds (divisor n - 1), >= 0.
        n_seeds: number of our seeds, >= 2.
        reported: the paper's value.
    """
    noise = prediction_noise(spread, n_seeds)
    tolerance = TOLERANCE * abs(reported)
    if abs(difference) > max(noise, tolerance):
        return "differs"
    return "reproduced" if noise <= tolerance else "within noise"


def prediction_noise(spread: float, n_seeds: int) -> float:
    """Returns the distance from the mean of n seeds within which 95 % of new measurements lie.

    Args:
        spread: standard deviation over the seeds (divisor n - 1), >= 0.
        n_seeds: number of seeds, >= 2.
    """
    quantile = float(stdtrit(n_seeds - 1, 0.975))
    return quantile * spread * math.sqrt(1 + 1 / n_seeds)


def beyond_noise(a: Measured, b: Measured) -> bool | None:
    """Returns whether two means over seeds differ significantly (Welch's t-test at the 5 % level).

    If both numbers have zero spread, any difference counts. The result is None if one of the
    numbers has a single seed.

    References:
        B. L. Welch, The generalization of "Student's" problem when several different population
        variances are involved, 1947.
    """
    if a.spread is None or b.spread is None:
        return None
    variances = [a.spread**2 / a.n_seeds, b.spread**2 / b.n_seeds]
    error = math.sqrt(sum(variances))
    if error == 0:
        return a.mean != b.mean
    freedom = sum(variances) ** 2 / sum(
        v**2 / (m.n_seeds - 1) for v, m in zip(variances, (a, b), strict=True)
    )
    return abs(a.mean - b.mean) > float(stdtrit(freedom, 0.975)) * error


def half_interval(values: Sequence[float]) -> float:
    """Returns half the width of the mean's 95 % confidence interval; 0 for a single value."""
    n = len(values)
    if n < 2:
        return 0.0
    return float(stdtrit(n - 1, 0.975)) * statistics.stdev(values) / math.sqrt(n)


def verdict(cell: CellView, quantity: str) -> Verdict | None:
    """Returns the verdict on a quantity of a cell; None if protocols differ or with one seed."""
    difference, reported = cell.difference(quantity), cell.cell.reported.get(quantity)
    if difference is None or reported is None:
        return None
    measured = cell.measured[quantity]
    if measured.spread is None:
        return None
    return verdict_of(difference, measured.spread, measured.n_seeds, reported.value)
