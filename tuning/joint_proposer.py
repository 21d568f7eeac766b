"""Proposals for several parameters at once: Optuna's TPE, asked anew for every round.

TPE (the tree-structured Parzen estimator) models where good trials lie and where others do, and
proposes where the ratio is greatest. Here it looks at all parameters jointly, is seeded for each
round, and knows only the finished trials it is handed, so its proposals are a pure function of
these. What it proposes twice is not tried twice: the next different one is, and in a space of
choices only every combination comes up before the search ends by itself.

A failed trial counts as bad as the worst finished one: Optuna's own failed trials teach it nothing,
and settings that diverge would be proposed again and again.

References:
    Bergstra et al., Algorithms for hyper-parameter optimization, 2011.
    Falkner, Klein and Hutter, BOHB, 2018 (the multivariate estimator).
"""

import itertools
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import optuna
from optuna.distributions import BaseDistribution, CategoricalDistribution
from optuna.trial import TrialState, create_trial

from tuning.ledger import Value, Values

_RANDOM_TRIALS = 8  # before the estimator has something to go by
_MOST_ASKED = 64


@dataclass(frozen=True)
class Finished:
    """A finished trial.

    Attributes:
        values: by parameter.
        value: its number; None or not finite if it failed.
    """

    values: Values
    value: float | None


def propose_jointly(
    finished: Sequence[Finished],
    *,
    distributions: dict[str, BaseDistribution],
    rounded: Callable[[Values], Values],
    starts: Sequence[Values],
    n: int,
    seed: int,
    lower_is_better: bool,
) -> list[Values]:
    """The next values to try, all new and different: a pure function of its arguments.

    Args:
        finished: all trials so far, in order of proposal.
        distributions: the parameters' ranges.
        rounded: the values that stand for given ones; those that round alike are the same.
        starts: tried first, in order.
        n: how many to propose, >= 1.
        seed: of whatever is random.
        lower_is_better: whether the number is to be lowered.

    Returns:
        n values by parameter; fewer once all combinations are tried.
    """
    study = optuna.create_study(
        direction="minimize" if lower_is_better else "maximize",
        sampler=optuna.samplers.TPESampler(
            seed=seed % 2**32,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=_RANDOM_TRIALS,
        ),
    )
    study.add_trials(_as_trials(finished, distributions, lower_is_better))
    tried = {_identity(f.values) for f in finished}
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


def _as_trials(
    finished: Sequence[Finished],
    distributions: dict[str, BaseDistribution],
    lower_is_better: bool,
) -> list[optuna.trial.FrozenTrial]:
    known = [f.value for f in finished if f.value is not None and math.isfinite(f.value)]
    if not known:
        return []
    worst = max(known) if lower_is_better else min(known)
    return [
        create_trial(
            state=TrialState.COMPLETE,
            value=f.value if f.value is not None and math.isfinite(f.value) else worst,
            params=dict(f.values),
            distributions=distributions,
        )
        for f in finished
    ]


def _combinations(distributions: dict[str, BaseDistribution]) -> list[Values]:
    """All values of a space of choices, in order; none if a parameter is a number in a range."""
    choices = [d.choices for d in distributions.values() if isinstance(d, CategoricalDistribution)]
    if len(choices) < len(distributions):
        return []
    return [dict(zip(distributions, c, strict=True)) for c in itertools.product(*choices)]  # type: ignore[arg-type]


def _identity(values: Values) -> tuple[tuple[str, Value], ...]:
    return tuple(sorted(values.items()))
