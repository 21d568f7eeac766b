"""What Optuna's analyses say of a search: how much each parameter mattered."""

import statistics

import optuna
from optuna.study import StudyDirection

from scorelib.seeds import seed_of
from tuning.search.search import SearchRun
from tuning.spaces.trial import as_optuna_trial

_LEAST_FOR_IMPORTANCE = 6
_MINIMIZE, _MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE


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
