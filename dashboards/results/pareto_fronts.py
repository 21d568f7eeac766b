"""Pareto fronts of multi-objective searches, as tables."""

import pandas as pd

from dashboards.results.searches import shown_value
from tuning.search.pareto_front import pareto_front
from tuning.search.search import SearchRun


def multi_objective_runs(runs: list[SearchRun]) -> list[SearchRun]:
    """Returns the multi-objective searches that have a finished trial."""
    return [r for r in runs if len(r.search.space.lower_is_better) > 1 and r.ranked(r.trials)]


def pareto_table(run: SearchRun) -> pd.DataFrame:
    """Returns a table with one row for each trial of the front, sorted by the first number."""
    return pd.DataFrame(
        {name: shown_value(value) for name, value in trial.values.items()}
        | dict(zip(run.search.space.number_names, map("{:.4g}".format, trial.numbers), strict=True))
        | {"": run.search.starts_from if trial.number < len(run.search.starts) else ""}
        for trial in pareto_front(run)
    )
