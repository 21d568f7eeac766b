"""What a run of MLflow shows, as data, and the addresses of MLflow's pages."""

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from tuning.tracking.mlflow_lineage import DatasetUse

TABLE_FILE = "table.json"
"""Path of the artifact that MLflow shows as a table."""

_VALUE_CHARACTERS = 6000
_VIEW = "mlflow.sharedViewState."


@dataclass(frozen=True)
class RunRecord:
    """The content of one MLflow run.

    Attributes:
        key: identity of the run; an experiment has one run per key.
        name: name of the run, for display.
        tags: texts to filter by, by tag name.
        params: settings by name; None values are left out.
        metrics: final numbers by name, logged once at step 0; None values are left out.
        curves: lists of (step, value) by metric name.
        files: contents of artifacts, by path.
        table: columns of a table by name, shown by MLflow as the table "table.json".
        description: Markdown text shown on the page of the run.
        parent: key of the parent run, which must be written first; None for a run without parent.
        datasets: data sets that the run uses.
        makes: key, name and iteration of the snapshot that the run made; None for other runs.
        uses: keys of the snapshots that the run used.
        views: states of MLflow's pages that follow from the record's content, by view name.
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
    parent: str | None = None
    datasets: Sequence[DatasetUse] = ()
    makes: tuple[str, str, int] | None = None
    uses: Sequence[str] = ()
    views: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    @property
    def artifacts(self) -> dict[str, bytes]:
        """The contents of all artifacts by path: the files and the table, as JSON."""
        if not self.table:
            return dict(self.files)
        rows = [[_finite(value) for value in row] for row in zip(*self.table.values(), strict=True)]
        text = json.dumps({"columns": list(self.table), "data": rows})
        return {**self.files, TABLE_FILE: text.encode()}

    @property
    def digest(self) -> str:
        """The SHA-256 of the whole content, as 64 hexadecimal digits."""
        body = [
            self.name, sorted(self.tags.items()), sorted(params_text(self.params).items()),
            sorted((k, v) for k, v in self.metrics.items() if v is not None),
            sorted(self.curves.items()), self.table, self.description,
            sorted((k, hashlib.sha256(v).hexdigest()) for k, v in self.files.items()),
            self.parent, [dataclasses.astuple(d) for d in self.datasets], self.makes, self.uses,
            *([self.views] if self.views else []),
        ]  # fmt: skip
        return hashlib.sha256(json.dumps(body, sort_keys=True, default=str).encode()).hexdigest()


def view_link(experiment_id: str, view: str, *, shows_charts: bool = False) -> str:
    """Returns the path, relative to MLflow's address, of an experiment's page in a view.

    Args:
        experiment_id: id of the experiment.
        view: name of the view, a key of the `views` of `MlflowWriter` or of a `RunRecord`.
        shows_charts: whether the page shows the view's charts instead of its table.
    """
    charts = "&compareRunsMode=CHART" if shows_charts else ""
    return f"#/experiments/{experiment_id}/runs?viewStateShareKey={view}{charts}"


def view_tag(view: str) -> str:
    """Returns the name of the tag of an experiment that holds a view."""
    return f"{_VIEW}{view}"


def run_link(experiment_id: str, run_id: str) -> str:
    """Returns the path, relative to MLflow's address, of the page of a run.

    Args:
        experiment_id: id of the experiment.
        run_id: id of the run.
    """
    return f"#/experiments/{experiment_id}/runs/{run_id}"


def params_text(params: Mapping[str, Any]) -> dict[str, str]:
    """Returns parameters as MLflow keeps them: texts of at most 6,000 characters, without None."""
    return {k: str(v)[:_VALUE_CHARACTERS] for k, v in params.items() if v is not None}


def _finite(value: Any) -> Any:
    """Returns a value unchanged, or None for a number that JSON cannot hold."""
    return None if isinstance(value, float) and not math.isfinite(value) else value
