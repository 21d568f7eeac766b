r"""Whether a cell reproduces the paper's number: a verdict, where there can be one.

Ours is the mean of n seeds with spread s; the paper's is one number of whose own noise nothing is
known. If the paper's value were one more such measurement, its difference d from our mean would
be within

    noise = t(0.975, n - 1) s sqrt(1 + 1/n)

in 95 of 100 cases (the prediction interval of a normal sample; t is Student's quantile). Beside
the noise stands what people would call equal: a twentieth of the paper's value. Then

- **differs**: d is beyond both;
- **reproduced**: d is within a twentieth, and the noise is too, so that it means something;
- **within noise**: any other d: it may be nothing, but the seeds are too few or too far apart to
  tell.

There is no verdict across protocols, where there is no difference either, and none on one seed,
whose noise is unknown.

Two means of ours are another matter, for of both the seeds are known: `beyond_noise`.
"""

import math
import statistics
from collections.abc import Sequence
from typing import Literal

from scipy.special import stdtrit

from dashboards.results.cells import CellView, Measured

Verdict = Literal["reproduced", "within noise", "differs"]

TOLERANCE = 0.05
"""Share of the paper's value that counts as equal."""


def verdict_of(difference: float, spread: float, n_seeds: int, reported: float) -> Verdict:
    """The verdict on a difference.

    Args:
        difference: ours minus the paper's.
        spread: standard deviation over our seeds (n - 1), >= 0.
        n_seeds: how many, >= 2.
        reported: the paper's value.
    """
    noise = prediction_noise(spread, n_seeds)
    tolerance = TOLERANCE * abs(reported)
    if abs(difference) > max(noise, tolerance):
        return "differs"
    return "reproduced" if noise <= tolerance else "within noise"


def prediction_noise(spread: float, n_seeds: int) -> float:
    """How far one more measurement may be from the mean of n, in 95 of 100 cases."""
    quantile = float(stdtrit(n_seeds - 1, 0.975))
    return quantile * spread * math.sqrt(1 + 1 / n_seeds)


def beyond_noise(a: Measured, b: Measured) -> bool | None:
    """Whether two means over seeds differ by more than the seeds explain: Welch's test at 5 %.

    Of two numbers without spread any difference is; None if one of them has a single seed.
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
    """Half the 95 % confidence interval of the values' mean; 0 of a single one."""
    n = len(values)
    if n < 2:
        return 0.0
    return float(stdtrit(n - 1, 0.975)) * statistics.stdev(values) / math.sqrt(n)


def verdict(cell: CellView, quantity: str) -> Verdict | None:
    """The verdict on one number of a cell; None where there can be none."""
    difference, reported = cell.difference(quantity), cell.cell.reported.get(quantity)
    if difference is None or reported is None:
        return None
    measured = cell.measured[quantity]
    if measured.spread is None:
        return None
    return verdict_of(difference, measured.spread, measured.n_seeds, reported.value)
