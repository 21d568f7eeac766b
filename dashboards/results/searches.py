"""What searches found: step sizes, the best trials, what mattered, what halving saved.

Read from the store; shown below a study's table, in MLflow and in its figure.
"""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import optuna
import pandas as pd
from optuna.study import StudyDirection

from scorelib.schedules import GeometricSchedule
from scorelib.seeds import seed_of
from tuning.scheduling.forecast import total_work
from tuning.search.search import SearchRun
from tuning.spaces import EPSILON, ParameterSpace, StepSizeSpace
from tuning.spaces.trial import Trial, as_optuna_trial
from tuning.stages import OUTPUTS
from tuning.study import Cell

_LEAST_FOR_IMPORTANCE = 6
_MINIMIZE, _MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE

_STEPS_TITLE = "Step sizes"
_R_TITLE = " (r = epsilon / the step that just follows the schedule)"

_SHOWN_TRIALS = 6


def parts(runs: Mapping[str, SearchRun], cells: Sequence[Cell]) -> list[tuple[str, pd.DataFrame]]:
    """The tables below a study's grid: step sizes, choices, and each joint search's best trials."""
    steps = _steps(runs, cells)
    found = [(_STEPS_TITLE + (_R_TITLE if "r" in steps else ""), steps)]
    alike = alike_runs(runs)
    if alike:
        found.append(("Chosen by searches", choices(alike)))
    for run in joint_runs(runs):
        if run in alike:
            continue
        tried = sum(t.result is not None for t in run.trials)
        about = f"Search {run.search.name}: the best of {tried} trials, and where it began"
        found.append((about, trial_table(run, _SHOWN_TRIALS)))
        shares = [f"{name} {share:.0%}" for name, share in importances(run).items()]
        if shares:
            data = pd.DataFrame({"share of the variance (fANOVA)": [", ".join(shares)]})
            found.append((f"What mattered in {run.search.name}", data))
    return [(title, data) for title, data in found if not data.empty]


def _steps(runs: Mapping[str, SearchRun], cells: Sequence[Cell]) -> pd.DataFrame:
    """The step sizes behind the cells, comparable by r only; without it where none has one."""
    rows = []
    for name, run in runs.items():
        if not isinstance(run.search.space, StepSizeSpace):
            continue
        cell = next((c for c in cells if c.search is run.search), None)
        row = {
            "search": name,
            "epsilon": f"{run.winner.epsilon:.2g}" if run.winner else "",
        }
        if isinstance(run.space.sample.model.train.schedule, GeometricSchedule):
            row["r"] = f"{run.winner.r:.2f}" if run.winner and run.winner.r else ""
        row["trials"] = f"{sum(t.result is not None for t in run.trials)}"
        if cell and cell.reported_epsilon is not None and cell.reported_r is not None:
            row["paper's epsilon"] = f"{cell.reported_epsilon:g}"
            row["paper's r"] = f"{cell.reported_r:.2f}"
        rows.append(row)
    return pd.DataFrame(rows).fillna("")


def findings(run: SearchRun) -> list[str]:
    """What is to be said of a search below the table, a line each."""
    name = run.search.name
    if not isinstance(run.search.space, StepSizeSpace):
        spared = halving_savings(run)
        if spared is None:
            return []
        return [
            f"{name}: successive halving took {spared.evaluations:,} network evaluations, all "
            f"trials on the last rung would have taken {spared.in_full:,}: {spared.saved:.0%} saved"
        ]
    lines = []
    if side := edge(run):
        lines.append(f"{name}: the best epsilon is at the {side} edge of those tried")
    if line := _carried_over(run):
        lines.append(line)
    return lines


def _carried_over(run: SearchRun) -> str | None:
    """How good the step size carried over from another search was, as the first trial."""
    search, trials = run.search, run.trials
    if run.winner is None or search.after is None:
        return None
    values = [t.result.of(search.space.output) if t.result else None for t in trials]
    known = [value for value in values if value is not None]
    if not known or values[0] is None or min(known) <= 0:
        return None
    excess = values[0] / min(known) - 1
    return (
        f"{search.name}: carried over from {search.after.name}, the first step size was within "
        f"{excess:.0%} of the best of {len(known)} trials"
    )


def edge(run: SearchRun) -> str | None:
    """The side, "lower" or "upper", on which no step size was tried beyond the best, or None."""
    tried = [float(t.values[EPSILON]) for t in run.trials]
    if run.winner is None or len(tried) < 2:
        return None
    best = tried[run.winner.number]
    if best == min(tried):
        return "lower"
    return "upper" if best == max(tried) else None


def joint_runs(runs: Mapping[str, SearchRun]) -> list[SearchRun]:
    """The searches over more than a step size."""
    return [run for run in runs.values() if isinstance(run.search.space, ParameterSpace)]


def alike_runs(runs: Mapping[str, SearchRun]) -> list[SearchRun]:
    """The searches over the same single parameter, if there are several: they are shown as one."""
    single = [run for run in joint_runs(runs) if len(run.distributions) == 1]
    names = {name for run in single for name in run.distributions}
    return single if len(single) > 1 and len(names) == 1 else []


def choices(runs: Sequence[SearchRun]) -> pd.DataFrame:
    """What each of the searches chose and of how many, a row each.

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
        rows.append(row | {"images": f"{chosen.score.protocol.n_images:,}"})
    return pd.DataFrame(rows)


def shown_value(value: object) -> str:
    """A parameter's value, short."""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def trial_table(run: SearchRun, most: int | None = None) -> pd.DataFrame:
    """The trials, best first by the highest rung each reached, a row each.

    Args:
        run: the search.
        most: only so many of the best; the trials of the search's starts are always there.
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
    numbers = {
        which: "failed" if (v := trial.result.of(which)) is None else f"{v:.4g}"
        for which in OUTPUTS
    }
    rung = {"images": f"{trial.score.protocol.n_images:,}"}
    if any(step.iteration for step in run.search.ladder):
        rung["iterations"] = f"{trial.score.sample.model.iteration:,}"
    is_start = trial.number < len(run.search.starts)
    return values | numbers | rung | {"": run.search.starts_from if is_start else ""}


def importances(run: SearchRun) -> dict[str, float]:
    """Each parameter's share of the variance of the first rung's results (fANOVA), in all 1.

    Of several numbers, those of the first. Empty with fewer than six finished trials, or if all
    are equal.
    """
    from optuna.importance import (  # here: its import takes half a second
        FanovaImportanceEvaluator,
        get_param_importances,
    )

    study = as_optuna(run)
    values = [trial.values[0] for trial in study.trials]
    if len(values) < _LEAST_FOR_IMPORTANCE or not (spread := statistics.pstdev(values)):
        return {}
    mean = statistics.fmean(values)
    evaluator = FanovaImportanceEvaluator(seed=seed_of("importance") % 2**32)
    # In units of their spread: its trees take a variance of less than 1e-16 for none.
    return dict(
        get_param_importances(
            study, evaluator=evaluator, target=lambda trial: (trial.values[0] - mean) / spread
        )
    )


def as_optuna(run: SearchRun) -> optuna.Study:
    """The first rung's trials with a value, in order of proposal, for Optuna's analyses."""
    lower_is_better = run.search.space.lower_is_better
    directions = [_MINIMIZE if lower else _MAXIMIZE for lower in lower_is_better]
    study = optuna.create_study(directions=directions, study_name=run.search.name)
    for trial in sorted(run.ranked(run.trials), key=lambda t: t.number):
        study.add_trial(as_optuna_trial(trial, run.distributions))
    return study


@dataclass(frozen=True)
class HalvingSavings:
    """What a search cost, beside what measuring every trial on the last rung would have.

    Attributes:
        evaluations: network evaluations of all rungs, those of training included, each job once.
        in_full: the same with all trials on the last rung.
    """

    evaluations: int
    in_full: int

    @property
    def saved(self) -> float:
        """Share saved, at most 1."""
        return 1 - self.evaluations / self.in_full


def halving_savings(run: SearchRun) -> HalvingSavings | None:
    """What the ladder saved of a finished search; None without a ladder or before the end."""
    if not run.search.ladder or not run.is_complete:
        return None
    made = [trial.score for rung in run.rungs() for trial in rung]
    last = run.search.ladder[-1]
    full = [run.space.score(trial.values, last) for trial in run.trials]
    return HalvingSavings(total_work(made).evaluations, total_work(full).evaluations)
