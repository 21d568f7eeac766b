"""All displays of a study: MLflow and, for its searches, an Optuna storage.

Both are written from the store, each by a thread of its own (`tuning.projection`): whole at the
start of a launch, as results come, and whole again at its end. A result that was there before a
search came to want it, such as the score of another search's trial, comes with no event of its own.
"""

from collections.abc import Iterator
from typing import Self

from dashboards import evidence
from dashboards.mlflow_views import views
from dashboards.run_parts import metric_name
from dashboards.search_records import trial_key, trial_records
from studies.local import optuna_url
from tuning.jobs import Job
from tuning.mlflow_projection import MlflowWriter
from tuning.optuna_projection import OptunaWriter, TrialRecord
from tuning.projection import ProjectionError
from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.stages import OBJECTIVES, Score, TrainedWeights
from tuning.store import Manifest, Store
from tuning.trial import Trial


class Projections:
    """Writes what a study's store holds to its displays; a context manager.

    Entering queues all there is. Leaving it waits until all is written; what could not be is said
    in `failures`.

    Args:
        scheduler: the study's scheduler.
        store: its store.
        tracking_uri: MLflow; None for a database in the store's folder.

    Attributes:
        failures: one line for each display that did not take everything; known after leaving.
    """

    def __init__(self, scheduler: Scheduler, store: Store, tracking_uri: str | None) -> None:
        study = scheduler.study
        self.failures: list[str] = []
        self._scheduler, self._store = scheduler, store
        self._mlflow = MlflowWriter(
            evidence.tracking_uri(store, tracking_uri),
            study.name,
            evidence.about(study),
            None if tracking_uri else store.folder / "mlflow-artifacts",
            views(study),
        )
        url = optuna_url(study, store)
        self._optuna = OptunaWriter(url) if url else None

    def __enter__(self) -> Self:
        for writer in self._writers():
            writer.__enter__()
        self._everything()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._scheduler.finished_here:
            self._everything()
        for writer in self._writers():
            try:
                writer.__exit__(kind)
            except ProjectionError as error:
                self.failures.append(str(error))

    def _writers(self) -> tuple[MlflowWriter | OptunaWriter, ...]:
        return (self._mlflow, self._optuna) if self._optuna else (self._mlflow,)

    def _everything(self) -> None:
        self._mlflow.write(lambda: evidence.records(self._scheduler, self._store), whole=True)
        if self._optuna:
            self._optuna.write(lambda: optuna_records(self._scheduler), whole=True)

    def stored(self, job: Job, manifest: Manifest) -> None:
        """What a job that was just stored changes."""
        scheduler, store = self._scheduler, self._store
        if isinstance(job, TrainedWeights):
            self._mlflow.write(lambda: evidence.training_records(scheduler, job, manifest, store))
        elif isinstance(job, Score) and job.protocol.seeds == "search":
            self._mlflow.write(lambda: trial_records(scheduler, job))
            if self._optuna:
                self._optuna.write(lambda: optuna_records(scheduler, job))
        else:
            self._mlflow.write(lambda: evidence.cell_records(scheduler, store, job))


def optuna_records(scheduler: Scheduler, score: Score | None = None) -> Iterator[TrialRecord]:
    """The finished trials of all searches, or only those that one score measures."""
    for run in scheduler.searches.values():
        for trial in run.trials:
            if trial.result is not None and score in (None, *trial.scores):
                yield _optuna_record(scheduler, run, trial)


def _optuna_record(scheduler: Scheduler, run: SearchRun, trial: Trial) -> TrialRecord:
    """A finished trial on the first rung: Optuna's value cannot be changed by later ones."""
    assert trial.result is not None
    study, search, protocol = scheduler.study, run.search, trial.score.protocol
    distances = {metric_name(protocol, which): trial.result.of(which) for which in OBJECTIVES}
    return TrialRecord(
        study=f"{study.name}/{study.scale}/{search.name}/{run.ledger_key[:8]}",
        score=trial.score.key,
        values=trial.values,
        distributions=run.distributions,
        lower_is_better=search.space.lower_is_better,
        further=trial.numbers,
        value=trial.result.of(search.space.objective),
        attributes=distances
        | {
            "number": trial.number,
            "r": trial.r,
            "n_images": protocol.n_images,
            "failed": trial.result.failed,
            "mlflow_run": trial_key(run, trial),
        },
        about={
            "study": study.name,
            "scale": study.scale,
            "paper": study.paper,
            "search": search.name,
            "objective": ", ".join(
                metric_name(score.protocol, search.space.objective) for score in trial.scores
            ),
            "protocol": protocol.describe(),
            "proposals": run.ledger_key,
        },
    )
