"""Optuna's analyses of a search: parameter importances."""

import statistics

import optuna
from optuna.study import StudyDirection

from scorelib.seeds import seed_of
from tuning.search.search import SearchRun
from tuning.spaces.trial import as_optuna_trial

_LEAST_FOR_IMPORTANCE = 6
_MINIMIZE, _MAXIMIZE = StudyDirection.MINIMIZE, StudyDirection.MAXIMIZE


def importances(run: SearchRun) -> dict[str, float]:
    """Returns each parameter's share of the variance of the results (fANOVA); shares sum to 1.

    The results are those of the first rung; with several objectives, of the first objective. The
    dict is empty with fewer than six finished trials or if all results are equal.

    References:
        Hutter, Hoos and Leyton-Brown. An efficient approach for assessing hyperparameter
        importance. ICML 2014.
    """
    study = as_optuna(run)
    values = [trial.values[0] for trial in study.trials]
    if len(values) < _LEAST_FOR_IMPORTANCE or not (spread := statistics.pstdev(values)):
        return {}
    from optuna.importance import (  # here, because the import of its forests takes a second
        FanovaImportanceEvaluator,
        get_param_importances,
    )

    mean = statistics.fmean(values)
    evaluator = FanovaImportanceEvaluator(seed=seed_of("importance") % 2**32)
    # Standardised, because the evaluator's trees treat a variance below 1e-16 as zero.
    shares = get_param_importances(
        study, evaluator=evaluator, target=lambda trial: (trial.values[0] - mean) / spread
    )
    return {name: float(share) for name, share in shares.items()}


def as_optuna(run: SearchRun) -> optuna.Study:
    """Returns an in-memory Optuna study of the first rung's valued trials, in proposal order."""
    lower_is_better = run.search.space.lower_is_better
    directions = [_MINIMIZE if lower else _MAXIMIZE for lower in lower_is_better]
    study = optuna.create_study(directions=directions, study_name=run.search.name)
    for trial in sorted(run.ranked(run.trials), key=lambda t: t.number):
        study.add_trial(as_optuna_trial(trial, run.distributions))
    return study
