"""Records of a study for an Optuna storage: the finished trials of its searches."""

from collections.abc import Iterator

from dashboards.records.mlflow_common import metric_name, objective_names
from dashboards.records.mlflow_searches import trial_key
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial, as_optuna_trial
from tuning.stages import OUTPUTS, Score
from tuning.tracking.optuna_writer import IDENTITY, PROPOSALS, TrialRecord


def optuna_records(scheduler: Scheduler, score: Job | None = None) -> Iterator[TrialRecord]:
    """Yields the finished trials of all searches, or only those that a job measures."""
    for run in scheduler.searches.values():
        best = _best(run)
        for trial in run.trials:
            if trial.result is not None and score in (None, *trial.scores):
                yield _optuna_record(scheduler, run, trial, best)


def _optuna_record(
    scheduler: Scheduler, run: SearchRun, trial: Trial, best: dict[str, str]
) -> TrialRecord:
    """Returns the record of a trial on the first rung; Optuna cannot update it on later rungs."""
    assert trial.result is not None
    study, search = scheduler.study, run.search
    distances: dict[str, object] = {}
    if isinstance(trial.score, Score):
        protocol = trial.score.protocol
        distances = {metric_name(protocol, which): trial.result.of(which) for which in OUTPUTS}
    attributes = distances | {
        IDENTITY: trial.score.key,
        "number": trial.number,
        "r": trial.r,
        "n_images": trial.n_images,
        "failed": trial.result.failed,
        "mlflow_run": trial_key(run, trial),
    }
    known = {name: value for name, value in attributes.items() if value is not None}
    return TrialRecord(
        study=f"{search.name} · {study.full_name} {study.scale} · {run.ledger_key[:8]}",
        trial=as_optuna_trial(trial, run.distributions, known),
        lower_is_better=search.space.lower_is_better,
        about={
            "id": study.id,
            "study": study.name,
            "scale": study.scale,
            "paper": study.paper,
            "search": search.name,
            "metrics": ", ".join(objective_names(search.space)),
            "protocol": trial.described,
            PROPOSALS: run.ledger_key,
        }
        | best,
    )


def _best(run: SearchRun) -> dict[str, str]:
    """Returns the best value so far with the name of its metric; {} for several objectives."""
    names, best = objective_names(run.search.space), run.winner or run.best_so_far
    if len(names) > 1 or best is None or best.value is None:
        return {}
    return {"best": f"{names[0]} {best.value:.4g}"}
