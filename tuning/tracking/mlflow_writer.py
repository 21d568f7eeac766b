"""A writer that shows results in MLflow: one run per record, rebuildable from the store.

The tag ``key`` identifies a run. Writing a record finds the run with the record's key or creates
it, so a second launch or a rebuild never duplicates a run. The list of existing runs is read once,
on connecting. The tag ``digest`` is written last: a run whose digest equals the record's is not
changed; any other run is completed, whatever state a killed driver left it in. MLflow can neither
change nor remove a parameter: a run with parameters or metrics that its record does not have, which
an earlier version wrote, goes to MLflow's trash, and a new run takes its place.

Artifacts in a local folder are written there directly and not through MLflow's client: the client
remembers the folder of each run, which is wrong for a copy of the folder, whose runs have the same
ids. A run with a missing artifact, as in a partial copy, counts as not written.
"""

import json
import logging
import math
import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuning.addresses import is_database, without_secrets
from tuning.tracking.artifact_locations import location_of, update_locations
from tuning.tracking.database_files import create_database, exclusive_open
from tuning.tracking.faults import MLFLOW, require_database_of
from tuning.tracking.mlflow_lineage import Lineage
from tuning.tracking.mlflow_record import TABLE_FILE, RunRecord, params_text, view_tag
from tuning.tracking.writer import ProjectionWriter

_PARAMS_PER_BATCH = 100
_METRICS_PER_BATCH = 1000
_RUNS_PER_PAGE = 1000
_KIND = "custom_model_development"
_PARENT = "mlflow.parentRunId"
_TABLE_TAG = {"mlflow.loggedArtifacts": json.dumps([{"path": TABLE_FILE, "type": "table"}])}

# MLflow's client repeats failed requests for minutes, and a repeated request could create a second
# run. Instead the writer tries again, after reading which runs exist.
os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "0")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
# By default MLflow prints the address of every run that ends, including the password.
os.environ["MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT"] = "true"
# Runs are described by their specs, so MLflow need not call git.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


_Known = tuple[str, str | None, str | None]
"""Id of a run, its digest and the id of its parent."""


class MlflowWriter(ProjectionWriter[RunRecord]):
    """A writer of runs to one MLflow experiment, which is created if it is missing.

    Args:
        uri: tracking URI of MLflow.
        experiment: name of the experiment.
        description: Markdown text shown on the page of the experiment.
        artifacts: folder for the artifacts of a new experiment, in the folder of the database;
            None for the server's default. Locations in the database follow a moved folder.
        views: states of MLflow's pages by view name; `view_link` opens a page in such a state.
        field: setting that holds the URI; None for the database of a store.
    """

    def __init__(
        self,
        uri: str,
        experiment: str,
        description: str,
        artifacts: Path | None = None,
        views: Mapping[str, Mapping[str, Any]] | None = None,
        field: str | None = None,
    ) -> None:
        # Imported here and not on the thread: two threads that import at the same time can find
        # partly initialised modules.
        import mlflow.tracking  # noqa: F401

        def connect() -> _Experiment:
            for noisy in ("mlflow", "alembic", "urllib3"):
                logging.getLogger(noisy).setLevel(logging.ERROR)
            # MLflow logs errors of databases with a traceback; the writer says them in one line.
            logging.getLogger("mlflow.store.db.utils").setLevel(logging.CRITICAL)
            with exclusive_open(uri):
                create_database(uri, _make_database)
                if is_database(uri):
                    require_database_of(MLFLOW, uri, field, experiment)
                if artifacts is not None:
                    update_locations(uri, artifacts)
                return _Experiment(uri, experiment, description, artifacts, views or {})

        super().__init__(f"MLflow at {without_secrets(uri)}", connect)


def _make_database(uri: str) -> None:
    from mlflow.tracking import MlflowClient  # here, because the import takes two seconds

    MlflowClient(tracking_uri=uri).search_experiments(max_results=1)


class _Experiment:
    """A connected MLflow experiment, created if missing, with a record of its known runs."""

    def __init__(
        self,
        uri: str,
        name: str,
        description: str,
        artifacts: Path | None,
        views: Mapping[str, Mapping[str, Any]],
    ) -> None:
        from mlflow.tracking import MlflowClient  # here, because the import takes two seconds

        self._client = MlflowClient(tracking_uri=uri)
        # This kind of experiment makes MLflow open the page of runs first.
        tags = {"mlflow.note.content": description, "mlflow.experimentKind": _KIND}
        tags |= _view_tags(views)
        found = self._client.get_experiment_by_name(name)
        location = location_of(artifacts) if artifacts else None
        is_local = artifacts is not None and (not found or found.artifact_location == location)
        self._folder = artifacts if is_local else None
        if found is not None:
            self._id = found.experiment_id
            for key, text in tags.items():
                if found.tags.get(key) != text:
                    self._client.set_experiment_tag(self._id, key, text)
        else:
            self._id = self._client.create_experiment(name, artifact_location=location, tags=tags)
        self._known = self._runs()
        self._lineage = Lineage(self._client, self._id)

    def _runs(self) -> dict[str, _Known]:
        """Returns the id, the digest and the parent of every run of the experiment, by key."""
        known: dict[str, _Known] = {}
        token: str | None = ""
        while token is not None:
            page = self._client.search_runs(
                [self._id], max_results=_RUNS_PER_PAGE, page_token=token or None
            )
            for run in page:
                tags = run.data.tags
                own = run.info.run_id, tags.get("digest"), tags.get(_PARENT)
                known[tags.get("key", "")] = own
            token = page.token or None
        return known

    def write(self, record: RunRecord) -> None:
        """Writes a record to its run, unless the run has the record's digest and all artifacts."""
        run_id, digest, below = self._known.get(record.key, ("", None, None))
        parent = self._known[record.parent][0] if record.parent in self._known else None
        is_same = digest == record.digest and below == parent
        if is_same and self._has_artifacts(run_id, record):
            return
        tags = {**record.tags, "key": record.key, "mlflow.note.content": record.description}
        if record.table:
            tags |= _TABLE_TAG
        if parent:
            tags[_PARENT] = parent
        run = self._client.get_run(run_id) if run_id else None
        if run and _is_outdated(run.data, record):
            self._client.delete_run(run_id)
            run = None
        if run is None:
            run = self._client.create_run(self._id, run_name=record.name, tags=tags)
            run_id = run.info.run_id
            self._known[record.key] = run_id, None, parent
        written = run.data
        self._values(run_id, record, written)
        self._put_artifacts(run_id, record)
        for name, text in _view_tags(record.views).items():
            self._client.set_experiment_tag(self._id, name, text)
        self._lineage.link(run, record.datasets, makes=record.makes, uses=record.uses)
        for name, text in tags.items():
            if written.tags.get(name) != text:
                self._client.set_tag(run_id, name, text)
        self._client.set_tag(run_id, "mlflow.runName", record.name)
        self._client.set_terminated(run_id)
        self._client.set_tag(run_id, "digest", record.digest)
        self._known[record.key] = run_id, record.digest, parent

    def _values(self, run_id: str, record: RunRecord, written: Any) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        params = [
            Param(k, v) for k, v in params_text(record.params).items() if k not in written.params
        ]
        for start in range(0, len(params), _PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=params[start : start + _PARAMS_PER_BATCH])
        metrics = [
            Metric(name, value, now, 0)
            for name, value in record.metrics.items()
            if value is not None and not _same(written.metrics.get(name), value)
        ]
        for name, curve in record.curves.items():
            known: dict[int, float] = {}
            if name in written.metrics:
                history = self._client.get_metric_history(run_id, name)
                known = {m.step: m.value for m in sorted(history, key=lambda m: m.timestamp)}
            metrics += [
                Metric(name, v, now, step) for step, v in curve if not _same(known.get(step), v)
            ]
        for start in range(0, len(metrics), _METRICS_PER_BATCH):
            self._client.log_batch(run_id, metrics=metrics[start : start + _METRICS_PER_BATCH])

    def _has_artifacts(self, run_id: str, record: RunRecord) -> bool:
        """Returns whether a run has all artifacts of a record; only a local folder is checked."""
        folder = self._folder and self._folder / run_id / "artifacts"
        return folder is None or all((folder / path).is_file() for path in record.artifacts)

    def _put_artifacts(self, run_id: str, record: RunRecord) -> None:
        with tempfile.TemporaryDirectory() as temporary:
            for path, data in record.artifacts.items():
                if self._folder is not None:
                    # Fails if the store was moved meanwhile: the old folder must not come back.
                    self._folder.mkdir(exist_ok=True)
                    place = self._folder / run_id / "artifacts" / path
                    place.parent.mkdir(parents=True, exist_ok=True)
                    place.write_bytes(data)
                    continue
                local = Path(temporary) / Path(path).name
                local.write_bytes(data)
                parent = str(Path(path).parent)
                self._client.log_artifact(run_id, str(local), None if parent == "." else parent)


def _is_outdated(written: Any, record: RunRecord) -> bool:
    """Returns whether a run has parameters or metrics that its record does not have.

    The run that made a snapshot is kept, since the snapshot names the run.
    """
    metrics = {name for name, value in record.metrics.items() if value is not None}
    is_other = not written.params.items() <= params_text(record.params).items()
    return record.makes is None and (
        is_other or not written.metrics.keys() <= metrics | record.curves.keys()
    )


def _view_tags(views: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    return {view_tag(name): json.dumps(view, sort_keys=True) for name, view in views.items()}


def _same(written: float | None, value: float) -> bool:
    return written is not None and (written == value or (math.isnan(written) and math.isnan(value)))
