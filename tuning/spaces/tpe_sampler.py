"""Proposals for several parameters at once by Optuna's TPE sampler.

TPE (the tree-structured Parzen estimator) models the densities of good and of other trials and
proposes values with the greatest density ratio. Here the estimator is multivariate. A new sampler
is created and seeded for every round and gets only the finished trials of the caller, so the
proposals are a pure function of these trials and the seed. Repeated proposals are skipped until a
new one comes. In a space of categorical parameters only, every combination is proposed before the
search ends.

A failed trial counts as the worst finished trial. Optuna ignores failed trials, so it would propose
diverging settings repeatedly.

With several objectives, good trials are those that few other trials dominate. Optuna ranks trials
by non-domination and then by the hypervolume that a trial adds to the front, so the proposals
spread along the Pareto front.

References:
    Bergstra et al., Algorithms for hyper-parameter optimization, 2011.
    Falkner, Klein and Hutter, BOHB, 2018 (the multivariate estimator).
    Ozaki et al., Multiobjective tree-structured Parzen estimator, JAIR 2022.
"""

import itertools
from collections.abc import Callable, Sequence
from dataclasses import replace

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution

from tuning.spaces.trial import Trial, as_optuna_trial
from tuning.store.ledger import Value, Values

_RANDOM_TRIALS = 8  # before the estimator is used
_MOST_ASKED = 64


def propose_values(
    finished: Sequence[Trial],
    *,
    distributions: dict[str, BaseDistribution],
    rounded: Callable[[Values], Values],
    starts: Sequence[Values],
    n: int,
    seed: int,
    lower_is_better: Sequence[bool],
) -> list[Values]:
    """Returns the next values to try, all new and different, as a pure function of the arguments.

    Args:
        finished: all trials so far, in order of proposal.
        distributions: Optuna distribution of each parameter, by name.
        rounded: function that rounds values; values that round to the same are the same.
        starts: values to propose first, in order.
        n: number of values to propose, >= 1.
        seed: seed of the random numbers.
        lower_is_better: whether each objective is minimised.

    Returns:
        n mappings from parameter name to value; fewer if all combinations are tried or TPE proposes
        no more new values.
    """
    study = optuna.create_study(
        directions=["minimize" if lower else "maximize" for lower in lower_is_better],
        sampler=tpe_sampler(seed % 2**32),
    )
    told = failed_as_worst(finished, lower_is_better)
    study.add_trials([as_optuna_trial(trial, distributions) for trial in told])
    tried = {identity(trial.values) for trial in finished}
    proposed: list[Values] = []

    def take(values: Values) -> None:
        if len(proposed) < n and identity(values) not in tried:
            tried.add(identity(values))
            proposed.append(values)

    for start in starts:
        take(rounded(start))
    for _ in range(_MOST_ASKED):
        if len(proposed) == n:
            break
        take(rounded(study.ask(distributions).params))
    for values in combinations(distributions):  # if the estimator repeats tried values
        take(values)
    return proposed


def tpe_sampler(seed: int) -> optuna.samplers.TPESampler:
    """Returns the TPE sampler of a round.

    Args:
        seed: seed of the random numbers, in [0, 2^32).
    """
    return optuna.samplers.TPESampler(
        seed=seed, multivariate=True, constant_liar=True, n_startup_trials=_RANDOM_TRIALS
    )


def failed_as_worst(finished: Sequence[Trial], lower_is_better: Sequence[bool]) -> list[Trial]:
    """Returns the trials, with the worst value of each objective in place of failures.

    Args:
        finished: finished trials, with numbers or failed.
        lower_is_better: whether each objective is minimised.

    Returns:
        As many trials as given; an empty list if all trials failed.
    """
    known = [trial.numbers for trial in finished if trial.has_numbers]
    if not known:
        return []
    columns = zip(zip(*known, strict=True), lower_is_better, strict=True)
    worst = tuple(max(column) if lower else min(column) for column, lower in columns)
    return [t if t.has_numbers else replace(t, numbers=worst) for t in finished]


def combinations(distributions: dict[str, BaseDistribution]) -> list[Values]:
    """Returns all combinations of categorical parameters, in order.

    The list is empty if a parameter is not categorical.
    """
    choices = [d.choices for d in distributions.values() if isinstance(d, CategoricalDistribution)]
    if len(choices) < len(distributions):
        return []
    return [dict(zip(distributions, c, strict=True)) for c in itertools.product(*choices)]  # type: ignore[arg-type]


def identity(values: Values) -> tuple[tuple[str, Value], ...]:
    """Returns the values in a form that can be compared and hashed."""
    return tuple(sorted(values.items()))
