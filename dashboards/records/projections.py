"""All displays of a study: MLflow and, for its searches, an Optuna storage.

Both are written from the store, each by a thread of its own (`tuning.tracking.writer`): whole at
the start of a launch, as results come, and whole again at its end. A result that was there before a
search came to want it, such as the score of another search's trial, comes with no event of its own.
"""

from typing import Self

from dashboards.records import mlflow_records
from dashboards.records.mlflow_searches import trial_records
from dashboards.records.mlflow_views import views
from dashboards.records.optuna_records import optuna_records
from studies.common.execution_settings import optuna_url
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Score, TrainedWeights
from tuning.store.store import Manifest, Store
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.optuna_writer import OptunaWriter
from tuning.tracking.writer import ProjectionError


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
            mlflow_records.tracking_uri(store, tracking_uri),
            study.name,
            mlflow_records.experiment_description(study),
            None if tracking_uri else store.folder / "mlflow-artifacts",
            views(study),
        )
        url = optuna_url(study, store)
        self._optuna = OptunaWriter(url) if url else None

    def __enter__(self) -> Self:
        for writer in self._writers():
            writer.__enter__()
        self._write_all()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None and self._scheduler.finished_here:
            self._write_all()
        for writer in self._writers():
            try:
                writer.__exit__(kind)
            except ProjectionError as error:
                self.failures.append(str(error))

    def _writers(self) -> tuple[MlflowWriter | OptunaWriter, ...]:
        return (self._mlflow, self._optuna) if self._optuna else (self._mlflow,)

    def _write_all(self) -> None:
        self._mlflow.write(lambda: mlflow_records.records(self._scheduler, self._store), whole=True)
        if self._optuna:
            self._optuna.write(lambda: optuna_records(self._scheduler), whole=True)

    def stored(self, job: Job, manifest: Manifest) -> None:
        """What a job that was just stored changes."""
        scheduler, store = self._scheduler, self._store
        if isinstance(job, TrainedWeights):
            self._mlflow.write(
                lambda: mlflow_records.training_records(scheduler, job, manifest, store)
            )
        elif isinstance(job, Score) and job.protocol.seeds == "search":
            self._mlflow.write(lambda: trial_records(scheduler, job))
            if self._optuna:
                self._optuna.write(lambda: optuna_records(scheduler, job))
        else:
            self._mlflow.write(lambda: mlflow_records.cell_records(scheduler, store, job))
