"""Pareto fronts of multi-objective searches, as tables."""

import pandas as pd

from dashboards.results.searches import shown_value
from tuning.search.pareto_front import pareto_front
from tuning.search.search import SearchRun
from tuning.spaces import MultiObjectiveSpace


def multi_objective_runs(runs: list[SearchRun]) -> list[SearchRun]:
    """Returns the multi-objective searches that have a finished trial."""
    return [
        r for r in runs if isinstance(r.search.space, MultiObjectiveSpace) and r.ranked(r.trials)
    ]


def number_names(run: SearchRun) -> list[str]:
    """Returns the names of a search's objectives, in the order of `Trial.numbers`."""
    space = run.search.space
    others = space.other_protocols if isinstance(space, MultiObjectiveSpace) else ()
    return [protocol.name for protocol in (space.protocol, *others)]


def pareto_table(run: SearchRun) -> pd.DataFrame:
    """Returns a table with one row for each trial of the front, sorted by the first number."""
    return pd.DataFrame(
        {name: shown_value(value) for name, value in trial.values.items()}
        | dict(zip(number_names(run), map("{:.4g}".format, trial.numbers), strict=True))
        | {"": run.search.starts_from if trial.number < len(run.search.starts) else ""}
        for trial in pareto_front(run)
    )
