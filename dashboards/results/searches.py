"""Tables and notes on the results of searches, shown below the table of their study."""

from collections.abc import Mapping, Sequence

import pandas as pd

from dashboards.results.cells import Measured
from dashboards.results.halving_savings import halving_savings
from dashboards.results.optuna_analyses import importances
from scorelib.schedules import GeometricSchedule
from tuning.cells import Cell
from tuning.search.search import SearchRun
from tuning.spaces import EPSILON, ParameterSpace, StepSizeSpace, SweepSpace
from tuning.spaces.trial import Trial
from tuning.stages import OUTPUTS, Snapshot

_SHOWN_TRIALS = 6


def search_tables(
    runs: Mapping[str, SearchRun], cells: Sequence[Cell]
) -> list[tuple[str, pd.DataFrame]]:
    """Returns the titled tables of step sizes, choices, and each joint search's best trials."""
    steps, alike = _step_sizes(runs, cells), alike_runs(runs)
    unit = " (r = epsilon / the step that just follows the schedule)" if "r" in steps else ""
    found = [(f"Step sizes{unit}", steps), ("Chosen by searches", choice_table(alike))]
    for run in joint_runs(runs):
        if run in alike:
            continue
        tried = sum(t.result is not None for t in run.trials)
        about, most = f"the best of {tried} trials, and the starting trials", _SHOWN_TRIALS
        if isinstance(run.search.space, SweepSpace):
            about, most = f"all {tried} trials", tried
        order = "later rungs first, best first on each rung" if run.search.ladder else "best first"
        found.append((f"Search {run.search.name}: {about}, {order}", trial_table(run, most)))
        shares = [f"{name} {share:.0%}" for name, share in importances(run).items()]
        if shares:
            data = pd.DataFrame({"share of the variance (fANOVA)": [", ".join(shares)]})
            found.append((f"Parameter importance in {run.search.name}", data))
    return [(title, data) for title, data in found if not data.empty]


def _step_sizes(runs: Mapping[str, SearchRun], cells: Sequence[Cell]) -> pd.DataFrame:
    """Returns a table of the chosen step sizes.

    Step sizes can be compared with the paper's by r only; r is left out if no step follows the
    schedule.
    """
    rows = []
    for name, run in runs.items():
        if not isinstance(run.search.space, StepSizeSpace):
            continue
        cell = next((c for c in cells if c.search is run.search), None)
        winner = run.winner
        row = {
            "search": name,
            "epsilon": _shown(winner.epsilon if winner else None, ".2g"),
        }
        if run.search.space.step_size != EPSILON:
            row["r"] = _shown(winner.r if winner else None, "g")
        elif isinstance(run.space.sample.model.levels, GeometricSchedule):
            row["r"] = _shown(winner.r if winner else None, ".2f")
        row["within noise"] = _interval(run.within_noise)
        row["trials"] = f"{sum(t.result is not None for t in run.trials)}"
        row["ended"] = run.ending
        if cell and cell.reported_epsilon is not None and cell.reported_r is not None:
            row["paper's epsilon"] = f"{cell.reported_epsilon:g}"
            row["paper's r"] = f"{cell.reported_r:.2f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def _shown(value: float | None, form: str) -> str:
    return "" if value is None else format(value, form)


def _interval(ends: tuple[float, float] | None) -> str:
    return "" if ends is None else " to ".join(f"{end:.3g}" for end in ends)


def search_notes(run: SearchRun) -> list[str]:
    """Returns the notes on a search under the table, one line each."""
    name = run.search.name
    if not isinstance(run.search.space, StepSizeSpace):
        spared = halving_savings(run)
        if spared is None:
            return []
        return [
            f"{name}: successive halving took {spared.evaluations:,} network evaluations; to "
            f"measure all trials on the last rung would take {spared.in_full:,}. Halving saved "
            f"{spared.saved:.0%}"
        ]
    lines = []
    if side := edge(run):
        what = run.search.space.step_size
        lines.append(f"{name}: the best {what} is at the {side} end of the values tried")
    if line := _carried_over(run):
        lines.append(line)
    return lines


def _carried_over(run: SearchRun) -> str | None:
    """Compares the first trial, carried over from another search, with the best trial."""
    search, trials = run.search, run.trials
    if run.winner is None or search.after is None or not search.space.lower_is_better[0]:
        return None
    values = [t.result.of(search.space.output) if t.result else None for t in trials]
    known = [value for value in values if value is not None]
    if not known or values[0] is None or min(known) <= 0:
        return None
    return (
        f"{search.name}: {search.space.output} {search.space.protocol.name} is {values[0]:.4g} in "
        f"the first trial, at the step size carried over from {search.after.name!r}; the lowest "
        f"of {len(known)} trials is {min(known):.4g}"
    )


def edge(run: SearchRun) -> str | None:
    """Returns "lower" or "upper" if the best step size is the smallest or largest tried, or None.

    None is also returned before the end of the search and with a single trial.
    """
    space = run.search.space
    assert isinstance(space, StepSizeSpace)
    tried = [float(t.values[space.step_size]) for t in run.trials]
    if run.winner is None or len(tried) < 2:
        return None
    best = tried[run.winner.number]
    if best == min(tried):
        return "lower"
    return "upper" if best == max(tried) else None


def joint_runs(runs: Mapping[str, SearchRun]) -> list[SearchRun]:
    """Returns the searches over parameters other than the step size."""
    return [run for run in runs.values() if isinstance(run.search.space, ParameterSpace)]


def alike_runs(runs: Mapping[str, SearchRun]) -> list[SearchRun]:
    """Returns the searches over one shared parameter, shown in one table; empty if only one."""
    single = [run for run in joint_runs(runs) if len(run.distributions) == 1]
    names = {name for run in single for name in run.distributions}
    return single if len(single) > 1 and len(names) == 1 else []


def choice_table(runs: Sequence[SearchRun]) -> pd.DataFrame:
    """Returns a table with each search's chosen value and its number of trials.

    Args:
        runs: searches over the same single parameter.
    """
    rows = []
    for run in runs:
        chosen = run.winner or run.best_so_far
        if chosen is None or chosen.result is None:
            continue
        ((name, value),) = chosen.values.items()
        row = {
            "search": run.search.name,
            name: shown_value(value) + ("" if run.winner else " so far"),
            "of": f"{sum(t.result is not None for t in run.trials)}",
        }
        for which in OUTPUTS:
            number = chosen.result.of(which)
            row[which] = "" if number is None else f"{number:.4g}"
        rows.append(row | _images(chosen))
    return pd.DataFrame(rows)


def shown_value(value: object) -> str:
    """Formats a parameter's value; floats to three digits."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trial_table(run: SearchRun, most: int | None = None) -> pd.DataFrame:
    """Returns a table of the trials, sorted by the highest rung reached and then by result.

    Args:
        run: the search.
        most: number of best trials to show, or None for all; starting trials are always shown.
    """
    last: dict[int, tuple[int, Trial]] = {}
    for number, rung in enumerate(run.rungs()):
        last |= {trial.number: (number, trial) for trial in rung if trial.result}
    ranked: list[Trial] = []
    for number in range(len(run.search.ladder), -1, -1):
        of_rung = [trial for at, trial in last.values() if at == number]
        ranked += run.ranked(of_rung)
        ranked += [trial for trial in of_rung if trial.result and trial.result.failed]
    n_starts = len(run.search.starts)
    rows = [
        _row(run, trial)
        for place, trial in enumerate(ranked)
        if most is None or place < most or trial.number < n_starts
    ]
    return pd.DataFrame(rows)


def _row(run: SearchRun, trial: Trial) -> dict[str, str]:
    assert trial.result is not None
    values = {name: shown_value(value) for name, value in trial.values.items()}
    rung = _images(trial)
    model = trial.sample.model if trial.sample else None
    if isinstance(model, Snapshot) and any(step.iteration for step in run.search.ladder):
        rung["iterations"] = f"{model.iteration:,}"
    if isinstance(run.search.space, SweepSpace):
        return (
            values | _with_spread(run.search.space, trial) | rung | {"": trial.result.failed or ""}
        )
    numbers = {
        which: "failed" if (v := trial.result.of(which)) is None else f"{v:.4g}"
        for which in OUTPUTS
    }
    is_start = trial.number < len(run.search.starts)
    return values | numbers | rung | {"": run.search.starts_from if is_start else ""}


def _images(trial: Trial) -> dict[str, str]:
    return {} if trial.n_images is None else {"images": f"{trial.n_images:,}"}


def _with_spread(space: SweepSpace, trial: Trial) -> dict[str, str]:
    """Returns a trial's objectives by name, with the spread over several training seeds."""
    if trial.result and trial.result.failed:
        return dict.fromkeys(space.number_names, "failed")
    shown = (str(Measured(values)) for values in trial.by_seed)
    return dict(zip(space.number_names, shown, strict=True))
