"""MLflow as a display: runs written by one thread of the driver, rebuildable from the store.

Every run has a key of its own in the tag ``key``; writing a record finds that run or makes it, so
a second launch or a rebuild never doubles one. The tag ``digest`` is written last: a run whose
digest equals the record's is left alone, any other is completed, whatever state a killed driver
left it in.

MLflow's own client waits minutes for a server that is gone, so its retries are kept short here, and
the writer itself keeps what it could not write and tries again.
"""

import hashlib
import json
import logging
import math
import os
import queue
import socket
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

from scorelib.errors import InputError

_PROBE_SECONDS = 2.0
_RETRY_SECONDS = 2.0
_GIVE_UP_SECONDS = 60.0
_PARAMS_PER_BATCH = 100
_VALUE_CHARACTERS = 6000

os.environ.setdefault("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_TIMEOUT", "10")
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_ENABLE_ASYNC_LOGGING", "false")
# Git is not asked: runs are described by their specs.
os.environ.setdefault("GIT_PYTHON_REFRESH", "quiet")


@dataclass(frozen=True)
class RunRecord:
    """What one MLflow run shows.

    Attributes:
        key: identity; one run per experiment and key.
        name: shown name.
        tags: text to filter by.
        params: settings; None is left out.
        metrics: final numbers, logged once at step 0; None is left out.
        curves: numbers over steps, by metric name: (step, value).
        files: artifacts by path.
        table: a table to log with mlflow.log_table, as columns; under "table.json".
        description: Markdown shown on the run's page.
    """

    key: str
    name: str
    tags: Mapping[str, str]
    params: Mapping[str, Any] = field(default_factory=dict)
    metrics: Mapping[str, float | None] = field(default_factory=dict)
    curves: Mapping[str, list[tuple[int, float]]] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    table: Mapping[str, list[Any]] = field(default_factory=dict)
    description: str = ""

    @property
    def digest(self) -> str:
        """Of everything that is shown."""
        body = [
            self.name, sorted(self.tags.items()), sorted(_text(self.params).items()),
            sorted((k, v) for k, v in self.metrics.items() if v is not None),
            sorted(self.curves.items()), self.table, self.description,
            sorted((k, hashlib.sha256(v).hexdigest()) for k, v in self.files.items()),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


class TrackingServerError(Exception):
    """MLflow did not take a record for a minute."""


def require_server(uri: str) -> None:
    """Raises InputError, within two seconds, if nothing listens where an http(s) URI points."""
    try:
        parts = urlsplit(uri)
        given_port = parts.port
    except ValueError as error:
        raise InputError(f"--tracking-uri must be a URL; got {uri!r}: {error}") from error
    if parts.scheme not in ("http", "https"):
        if parts.scheme in ("", "file"):
            raise InputError(
                "--tracking-uri must be a server (http://HOST:PORT) or a database "
                f"(sqlite:///FILE, postgresql://...); got {uri!r}"
            )
        return
    port = given_port or (443 if parts.scheme == "https" else 80)
    require_listening(parts.hostname or "", port, f"--tracking-uri {parts.hostname}:{port}")


def require_listening(host: str, port: int, what: str) -> None:
    """Raises InputError if nothing accepts connections at a host and port within two seconds."""
    try:
        socket.create_connection((host, port), timeout=_PROBE_SECONDS).close()
    except OSError as error:
        raise InputError(
            f"{what} must answer; got {error}: start it or mend the address"
        ) from error


class MlflowWriter:
    """Writes records to one experiment, in order, on its own thread; a context manager.

    Leaving it waits until all is written.

    Args:
        uri: tracking URI.
        experiment: experiment's name.
        description: Markdown shown on the experiment's page.
        artifacts: folder for artifacts of a new experiment; None for the server's choice.
    """

    def __init__(
        self, uri: str, experiment: str, description: str, artifacts: Path | None = None
    ) -> None:
        self._uri, self._experiment, self._description = uri, experiment, description
        self._artifacts = artifacts
        self._client: _Experiment | None = None
        self._queue: queue.Queue[Callable[[], Iterable[RunRecord]] | None] = queue.Queue()
        self._failure: Exception | None = None
        self._thread = threading.Thread(target=self._loop, daemon=True, name="mlflow-writer")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._queue.put(None)
        self._thread.join()
        if self._failure is not None and kind is None:
            raise TrackingServerError(
                f"MLflow at {without_secrets(self._uri)} did not take everything: "
                f"{self._failure}; nothing is lost, run again to write the rest"
            )

    def write(self, records: Callable[[], Iterable[RunRecord]]) -> None:
        """Queues records, made on the writer's thread when their turn comes; returns at once."""
        self._queue.put(records)

    def _loop(self) -> None:
        backlog: deque[RunRecord] = deque()
        unmade: Exception | None = None
        while (make := self._queue.get()) is not None:
            try:
                backlog.extend(make())
            except Exception as error:  # such as a picture found corrupt: the rest still counts
                unmade = error
            self._drain(backlog, patience_seconds=0.0)
        self._drain(backlog, patience_seconds=_GIVE_UP_SECONDS)
        self._failure = self._failure if backlog else unmade

    def _drain(self, backlog: deque[RunRecord], patience_seconds: float) -> None:
        """Writes what is waiting, in order; what cannot be written goes on waiting."""
        deadline = time.monotonic() + patience_seconds
        while backlog:
            try:
                self._client = self._client or _Experiment(
                    self._uri, self._experiment, self._description, self._artifacts
                )
                self._client.write(backlog[0])
                backlog.popleft()
            except Exception as error:
                self._failure = error
                if time.monotonic() >= deadline:
                    return
                time.sleep(_RETRY_SECONDS)


class _Experiment:
    """The MLflow experiment; found or made."""

    def __init__(self, uri: str, name: str, description: str, artifacts: Path | None) -> None:
        from mlflow.tracking import MlflowClient  # two seconds: not at import

        for noisy in ("mlflow", "mlflow.store.db.utils", "alembic"):
            logging.getLogger(noisy).setLevel(logging.ERROR)

        self._client = MlflowClient(tracking_uri=uri)
        found = self._client.get_experiment_by_name(name)
        if found is not None:
            self._id = found.experiment_id
        else:
            location = artifacts.resolve().as_uri() if artifacts else None
            self._id = self._client.create_experiment(
                name, artifact_location=location, tags={"mlflow.note.content": description}
            )

    def write(self, record: RunRecord) -> None:
        """Makes the record's run show the record; nothing if it does."""
        found = self._client.search_runs(
            [self._id], filter_string=f"tags.key = '{record.key}'", max_results=1
        )
        if found and found[0].data.tags.get("digest") == record.digest:
            return
        tags = {**record.tags, "key": record.key, "mlflow.note.content": record.description}
        if found:
            run_id = found[0].info.run_id
            written = found[0].data
        else:
            run = self._client.create_run(self._id, run_name=record.name, tags=tags)
            run_id, written = run.info.run_id, run.data
        self._values(run_id, record, written)
        self._files(run_id, record)
        for name, text in tags.items():
            if written.tags.get(name) != text:
                self._client.set_tag(run_id, name, text)
        self._client.set_tag(run_id, "mlflow.runName", record.name)
        self._client.set_terminated(run_id)
        self._client.set_tag(run_id, "digest", record.digest)

    def _values(self, run_id: str, record: RunRecord, written: Any) -> None:
        from mlflow.entities import Metric, Param

        now = int(time.time() * 1000)
        params = [Param(k, v) for k, v in _text(record.params).items() if k not in written.params]
        for start in range(0, len(params), _PARAMS_PER_BATCH):
            self._client.log_batch(run_id, params=params[start : start + _PARAMS_PER_BATCH])
        metrics = [
            Metric(name, value, now, 0)
            for name, value in record.metrics.items()
            if value is not None and not _same(written.metrics.get(name), value)
        ]
        for name, curve in record.curves.items():
            known: set[int] = set()
            if name in written.metrics:
                known = {m.step for m in self._client.get_metric_history(run_id, name)}
            metrics += [Metric(name, v, now, step) for step, v in curve if step not in known]
        for start in range(0, len(metrics), 1000):
            self._client.log_batch(run_id, metrics=metrics[start : start + 1000])

    def _files(self, run_id: str, record: RunRecord) -> None:
        with tempfile.TemporaryDirectory() as folder:
            for path, data in record.files.items():
                local = Path(folder) / Path(path).name
                local.write_bytes(data)
                parent = str(Path(path).parent)
                self._client.log_artifact(run_id, str(local), None if parent == "." else parent)
        if record.table:
            existing = {f.path for f in self._client.list_artifacts(run_id)}
            if "table.json" in existing:
                # log_table appends to an existing table; the rows must not double.
                self._replace_table(run_id, record)
            else:
                self._client.log_table(run_id, dict(record.table), "table.json")

    def _replace_table(self, run_id: str, record: RunRecord) -> None:
        columns = list(record.table)
        rows = [list(row) for row in zip(*record.table.values(), strict=True)]
        text = json.dumps({"columns": columns, "data": rows})
        self._client.log_text(run_id, text, "table.json")


def _text(params: Mapping[str, Any]) -> dict[str, str]:
    return {k: str(v)[:_VALUE_CHARACTERS] for k, v in params.items() if v is not None}


def _same(written: float | None, value: float) -> bool:
    return written is not None and (written == value or (math.isnan(written) and math.isnan(value)))


def without_secrets(uri: str) -> str:
    """The URI without user name and password."""
    parts = urlsplit(uri)
    return parts._replace(netloc=(parts.netloc.rpartition("@")[2])).geturl()
