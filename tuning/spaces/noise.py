"""The noise of a search's results: a paired jackknife over groups of the generated images.

The trials of a search share their seeds, so the errors of their distances are alike, and
differences between trials are known better than the distances. A score holds its value without each
of G = 20 groups of the images. With d_g, the log ratio of two trials' values without group g, the
standard error of the log ratio of their values is

    sqrt((G - 1) / G sum_g (d_g - mean d)^2).

References:
    Efron and Tibshirani (1993), An Introduction to the Bootstrap, Chapter 11 (the jackknife).
"""

import math
from collections.abc import Sequence

import numpy as np

from scorelib.step_size import round_significant
from tuning.spaces.trial import Trial
from tuning.spaces.valleys import ERROR, Array
from tuning.stages import N_GROUPS, Output, without_group

_DIGITS = 2


def jackknife_error(values: Array, others: Array) -> float:
    """Returns the standard error of the log ratio of two estimates from the same groups.

    Args:
        values: the first estimate without each group, (G,), > 0.
        others: the second estimate without each group, (G,), > 0.
    """
    ratios = np.log(values / others)
    n_groups = len(ratios)
    return math.sqrt((n_groups - 1) / n_groups * float(((ratios - ratios.mean()) ** 2).sum()))


def errors_of(trials: Sequence[Trial], output: Output, *, lower_is_better: bool) -> list[float]:
    """Returns the standard error of each trial's value relative to the best trial's value.

    Args:
        trials: finished trials, in order of proposal.
        output: images whose metric is the first objective.
        lower_is_better: whether lower values are better.

    Returns:
        For each trial the error of the log ratio to two digits, so that the rounding of a machine
        does not steer, and at least half a percent; [] if the best trial has no jackknife. The
        best trial, and trials without a jackknife, have half a percent.
    """
    valued = [trial for trial in trials if trial.has_numbers]
    if not valued:
        return []
    best = (min if lower_is_better else max)(valued, key=lambda trial: trial.numbers[0])
    reference = left_out(best, output)
    if reference is None:
        return []
    found = []
    for trial in trials:
        own = left_out(trial, output)
        error = ERROR if own is None else jackknife_error(own, reference)
        found.append(max(ERROR, round_significant(error, _DIGITS)))
    return found


def left_out(trial: Trial, output: Output) -> Array | None:
    """Returns the value of a trial without each group, (G,); None if unknown or not positive."""
    if trial.result is None:
        return None
    values = [trial.result.of(without_group(output, group)) for group in range(N_GROUPS)]
    known = [value for value in values if value is not None and value > 0]
    return np.array(known) if len(known) == N_GROUPS else None
