"""Proposals for several parameters at once: Optuna's TPE, asked anew for every round.

TPE (the tree-structured Parzen estimator) models where good trials lie and where others do, and
proposes where the ratio is greatest. Here it looks at all parameters jointly, is seeded for each
round, and knows only the finished trials it is handed, so its proposals are a pure function of
these. What it proposes twice is not tried twice: the next different one is, and in a space of
choices only every combination comes up before the search ends by itself.

A failed trial counts as bad as the worst finished one: Optuna's own failed trials teach it nothing,
and settings that diverge would be proposed again and again.

Of several numbers none is the one to be lowest: good trials are those that few others beat in all
of them (Optuna ranks by non-domination, then by the volume that a trial adds to the front), and
what is proposed spreads along the front.

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

_RANDOM_TRIALS = 8  # before the estimator has something to go by
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
    """The next values to try, all new and different: a pure function of its arguments.

    Args:
        finished: all trials so far, in order of proposal.
        distributions: the parameters' ranges.
        rounded: the values that stand for given ones; those that round alike are the same.
        starts: tried first, in order.
        n: how many to propose, >= 1.
        seed: of whatever is random.
        lower_is_better: of each number, whether it is to be lowered.

    Returns:
        n values by parameter; fewer once all combinations are tried.
    """
    study = optuna.create_study(
        directions=["minimize" if lower else "maximize" for lower in lower_is_better],
        sampler=optuna.samplers.TPESampler(
            seed=seed % 2**32,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=_RANDOM_TRIALS,
        ),
    )
    told = _failed_as_worst(finished, lower_is_better)
    study.add_trials([as_optuna_trial(trial, distributions) for trial in told])
    tried = {_identity(trial.values) for trial in finished}
    proposed: list[Values] = []

    def take(values: Values) -> None:
        if len(proposed) < n and _identity(values) not in tried:
            tried.add(_identity(values))
            proposed.append(values)

    for start in starts:
        take(rounded(start))
    for _ in range(_MOST_ASKED):
        if len(proposed) == n:
            break
        take(rounded(study.ask(distributions).params))
    for values in _combinations(distributions):  # the estimator insists on what is tried
        take(values)
    return proposed


def _failed_as_worst(finished: Sequence[Trial], lower_is_better: Sequence[bool]) -> list[Trial]:
    """The trials, those that failed with the worst of each number; none if all failed."""
    known = [trial.numbers for trial in finished if trial.has_numbers]
    if not known:
        return []
    columns = zip(zip(*known, strict=True), lower_is_better, strict=True)
    worst = tuple(max(column) if lower else min(column) for column, lower in columns)
    return [t if t.has_numbers else replace(t, numbers=worst) for t in finished]


def _combinations(distributions: dict[str, BaseDistribution]) -> list[Values]:
    """All values of a space of choices, in order; none if a parameter is a number in a range."""
    choices = [d.choices for d in distributions.values() if isinstance(d, CategoricalDistribution)]
    if len(choices) < len(distributions):
        return []
    return [dict(zip(distributions, c, strict=True)) for c in itertools.product(*choices)]  # type: ignore[arg-type]


def _identity(values: Values) -> tuple[tuple[str, Value], ...]:
    return tuple(sorted(values.items()))
