"""Strategies that propose the trials of a sweep: a grid, random draws, TPE, a GP, CMA-ES, your own.

A strategy is a pure function of the finished trials and a seed; it yields candidates without end or
until all are tried, and `propose` takes the first ones that are new. A failed trial counts as the
worst.

References:
    TPE: see `tuning.spaces.tpe_sampler`; CMA-ES: see `tuning.spaces.cma_es`; GP: a Gaussian process
    with expected improvement in logarithm, `optuna.samplers.GPSampler`.
"""

import inspect
import itertools
import math
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import optuna

from scorelib.errors import InputError, require_input
from tuning.spaces.cma_es import CmaEs, population
from tuning.spaces.parameters import MOST_POINTS, LogUniform, OneOf, Range
from tuning.spaces.tpe_sampler import combinations, failed_as_worst, identity, tpe_sampler
from tuning.spaces.trial import Trial, as_optuna_trial
from tuning.store.ledger import Value, Values

Parameter = OneOf | LogUniform | Range

STRATEGIES = ("grid", "random", "tpe", "gp", "cma-es")
"""Names of the strategies; any other name is a class of Optuna samplers, ``module:Class``."""

_MOST_CANDIDATES = 64
"""Largest number of candidates without a new one for each proposal of a round."""


def require_strategy(
    name: str, parameters: Sequence[Parameter], lower_is_better: Sequence[bool]
) -> None:
    """Raises InputError unless a strategy exists and can search the parameters and objectives.

    Args:
        name: one of `STRATEGIES`, or ``module:Class`` of an Optuna sampler.
        parameters: parameters of the search.
        lower_is_better: whether each objective is minimised.
    """
    if name == "grid":
        grid_values(parameters)
    elif name == "cma-es":
        wrong = [p.name for p in parameters if not isinstance(p, Range)]
        require_input(
            not wrong and len(lower_is_better) == 1,
            "cma-es searches ranges of numbers by one objective, but got "
            + (f"the choices of {wrong[0]}" if wrong else f"{len(lower_is_better)} objectives")
            + ": use tpe, which searches any parameters by any number of objectives",
        )
    elif name not in STRATEGIES:
        _own_sampler(name, seed=0)


def grid_values(parameters: Sequence[Parameter]) -> list[tuple[Value, ...]]:
    """Returns the values of each parameter on a grid.

    Raises:
        InputError: a range has neither whole numbers nor a number of points, or the grid has more
            than `MOST_POINTS` points.
    """
    found: list[tuple[Value, ...]] = []
    for parameter in parameters:
        require_input(
            not isinstance(parameter, LogUniform),
            f"{parameter.name}: a grid needs a list of values or a range with points",
        )
        shown = parameter.shown if isinstance(parameter, OneOf) else None
        found.append(shown or (parameter.grid if isinstance(parameter, Range) else ()))
    n_points = math.prod(map(len, found))
    require_input(
        n_points <= MOST_POINTS,
        f"a grid must have at most {MOST_POINTS:,} points, but got {n_points:,}: take fewer points "
        "or another strategy",
    )
    return found


def propose(
    name: str,
    parameters: Sequence[Parameter],
    finished: Sequence[Trial],
    *,
    starts: Sequence[Values],
    n: int,
    seed: int,
    lower_is_better: Sequence[bool],
    rounded: Callable[[Values], Values],
    is_possible: Callable[[Values], bool],
) -> list[Values]:
    """Returns the next values to try, all new and different, as a pure function of the arguments.

    Args:
        name: name of the strategy.
        parameters: parameters of the search.
        finished: all trials so far, in order of proposal.
        starts: values to propose first, in order.
        n: number of values to propose, >= 1.
        seed: seed of the random numbers.
        lower_is_better: whether each objective is minimised.
        rounded: function that rounds values; values that round to the same are the same.
        is_possible: function that says whether values make a job; others are never proposed.

    Returns:
        n mappings from parameter name to value; fewer if the strategy finds no more new values.
    """
    tried = {identity(trial.values) for trial in finished}
    most = n * _MOST_CANDIDATES
    candidates = _candidates(name, parameters, finished, seed, lower_is_better, most)
    proposed: list[Values] = []
    for candidate in itertools.chain(starts, candidates):
        values = rounded(candidate)
        if identity(values) not in tried and is_possible(values):
            proposed.append(values)
        tried.add(identity(values))
        if len(proposed) == n:
            break
    return proposed


def _candidates(
    name: str,
    parameters: Sequence[Parameter],
    finished: Sequence[Trial],
    seed: int,
    lower_is_better: Sequence[bool],
    most: int,
) -> Iterator[Values]:
    names = [p.name for p in parameters]
    if name == "grid":
        for values in itertools.product(*grid_values(parameters)):
            yield dict(zip(names, values, strict=True))
        return
    rng = np.random.default_rng(seed)
    if name == "random":
        for _ in range(most):
            yield {p.name: p.draw(rng) for p in parameters}
    elif name == "cma-es":
        ranges = [p for p in parameters if isinstance(p, Range)]
        strategy = _evolved(ranges, finished, lower_is_better[0])
        for _ in range(most):
            point = strategy.ask(rng)
            yield {p.name: p.at(float(x)) for p, x in zip(ranges, point, strict=True)}
    else:
        distributions = {p.name: p.distribution for p in parameters}
        study = optuna.create_study(
            directions=["minimize" if lower else "maximize" for lower in lower_is_better],
            sampler=_sampler(name, seed % 2**32),
        )
        told = failed_as_worst(finished, lower_is_better)
        study.add_trials([as_optuna_trial(trial, distributions) for trial in told])
        for _ in range(most):
            yield study.ask(distributions).params
    yield from combinations({p.name: p.distribution for p in parameters})


def _evolved(ranges: Sequence[Range], finished: Sequence[Trial], lower: bool) -> CmaEs:
    """Returns the state of CMA-ES after the complete generations among the finished trials."""
    strategy, size = CmaEs(len(ranges)), population(len(ranges))
    for end in range(size, len(finished) + 1, size):
        generation = finished[end - size : end]
        ranked = sorted(generation, key=lambda trial: _cost(trial, lower))
        places = [[p.place(trial.values[p.name]) for p in ranges] for trial in ranked]
        strategy.tell(np.array(places))
    return strategy


def _cost(trial: Trial, lower: bool) -> float:
    """Returns the first objective, negated if higher is better; infinite for a failure."""
    if not trial.has_numbers:
        return float("inf")
    return trial.numbers[0] if lower else -trial.numbers[0]


def _sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    if name == "tpe":
        return tpe_sampler(seed)
    if name == "gp":
        return optuna.samplers.GPSampler(seed=seed)
    return _own_sampler(name, seed)


def _own_sampler(name: str, seed: int) -> optuna.samplers.BaseSampler:
    """Returns a seeded sampler of a class that is given as ``module:Class``."""
    module, colon, attribute = name.partition(":")
    require_input(
        bool(colon),
        f"strategy must be one of {', '.join(STRATEGIES)} or an Optuna sampler, module:Class, but "
        f"got {name!r}",
    )
    # No import of a name that a store may hold: the user's modules are imported by --module.
    found = sys.modules.get(module)
    if found is None:
        raise InputError(f"strategy {name!r} needs the module {module}: give its file", "modules")
    require_input(
        hasattr(found, attribute),
        f"strategy must be a class of Optuna samplers, but {name!r} does not exist",
    )
    made = getattr(found, attribute)
    is_sampler = isinstance(made, type) and issubclass(made, optuna.samplers.BaseSampler)
    require_input(
        is_sampler, f"strategy must be a class of Optuna samplers, but {name!r} is {made!r}"
    )
    assert isinstance(made, type)
    takes_seed = "seed" in inspect.signature(made).parameters
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", optuna.exceptions.ExperimentalWarning)
            sampler: optuna.samplers.BaseSampler = made(seed=seed) if takes_seed else made()
    except Exception as error:  # of the user's class, whatever it raises
        raise InputError(f"strategy {name!r} cannot be created: {error}") from error
    return sampler
