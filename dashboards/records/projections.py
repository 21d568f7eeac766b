"""Writes a study's displays: MLflow and, for its searches, an Optuna storage.

Each display is written from the store by its own thread (`tuning.tracking.writer`): completely at
the start of a launch, then result by result, and completely again at the end. The last pass is
needed because a result that was stored before a search needed it, such as the score of another
search's trial, triggers no event.
"""

from typing import Self

from dashboards.records import mlflow_records
from dashboards.records.mlflow_searches import trial_records
from dashboards.records.mlflow_views import views
from dashboards.records.optuna_records import optuna_records
from studies.common.execution_settings import optuna_field, optuna_url
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import ImportedWeights, Score, TrainedWeights
from tuning.store.store import Manifest, Store
from tuning.study import Study
from tuning.tracking.faults import OPTUNA, require_database_of, require_mlflow
from tuning.tracking.mlflow_writer import MlflowWriter
from tuning.tracking.optuna_writer import OptunaWriter
from tuning.tracking.writer import ProjectionError


def require_displays(study: Study, store: Store, tracking_uri: str | None) -> None:
    """Raises LastingFaultError if a display could never be written to; the message says the cure.

    Args:
        study: the study whose results the displays show.
        store: store of the study.
        tracking_uri: tracking URI of MLflow; None for a database in the store's folder.
    """
    if tracking_uri or store.is_local:
        uri = mlflow_records.tracking_uri(store, tracking_uri)
        require_mlflow(uri, "tracking_uri" if tracking_uri else None, study.full_name)
    url = optuna_url(study, store)
    if url:
        require_database_of(OPTUNA, url, optuna_field(study))


class Projections:
    """A context manager that writes the contents of a study's store to its displays.

    Entering the context queues all records. Leaving it waits until all records are written, and
    adds the failures to `failures`.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
        tracking_uri: tracking URI of MLflow; None for a database in the store's folder.

    Attributes:
        failures: one line for each display with records that could not be written; complete after
            the context is left.
    """

    def __init__(self, scheduler: Scheduler, store: Store, tracking_uri: str | None) -> None:
        study, field = scheduler.study, "tracking_uri" if tracking_uri else None
        uri = mlflow_records.tracking_uri(store, tracking_uri)
        self.failures: list[str] = []
        self._scheduler, self._store = scheduler, store
        self._mlflow = MlflowWriter(
            uri,
            study.full_name,
            mlflow_records.experiment_description(study),
            mlflow_records.artifact_folder(uri),
            views(study),
            field,
        )
        url = optuna_url(study, store)
        self._optuna = OptunaWriter(url, optuna_field(study)) if url else None

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
        """Queues the records that a newly stored job changes.

        Args:
            job: the stored job.
            manifest: manifest of the job.
        """
        scheduler, store = self._scheduler, self._store
        if isinstance(job, TrainedWeights | ImportedWeights):
            self._mlflow.write(
                lambda: mlflow_records.model_records(scheduler, job, manifest, store)
            )
        elif isinstance(job, Score) and job.protocol.seeds == "search":
            self._write_trials(job)
        else:
            if not isinstance(job, Score):  # a user's job may be that of a trial and of a cell
                self._write_trials(job)
            self._mlflow.write(lambda: mlflow_records.cell_records(scheduler, store, job))

    def _write_trials(self, job: Job) -> None:
        scheduler = self._scheduler
        self._mlflow.write(lambda: trial_records(scheduler, job))
        if self._optuna:
            self._optuna.write(lambda: optuna_records(scheduler, job))
