"""Parts common to all MLflow runs: tags, names of metrics, and lineage."""

from typing import Any

from scorelib.data import DataSpec
from tuning.cells import Cell
from tuning.jobs import Job
from tuning.spaces import MultiObjectiveSpace, SearchSpace, SweepSpace
from tuning.stages import ImportedWeights, Protocol, TrainedWeights
from tuning.stages.training.snapshots import TrainingSpec
from tuning.study import Study
from tuning.tracking.mlflow_lineage import DatasetUse


def common_tags(study: Study, kind: str) -> dict[str, str]:
    """Returns the tags that every run has: kind of run, study, scale, settings and paper."""
    return {
        "kind": kind, "study": study.name, "scale": study.scale, "settings": study.settings.key,
        "paper": study.paper,
    }  # fmt: skip


def metric_name(protocol: Protocol | None, quantity: str) -> str:
    """Returns the MLflow metric name of a quantity, such as "fid" or "fid_denoised".

    Without a protocol, the metric has the name of the quantity.
    """
    if protocol is None:
        return as_metric(quantity)
    return as_metric(protocol.metric_name + ("" if quantity == "raw" else f"_{quantity}"))


def objective_names(space: SearchSpace) -> list[str]:
    """Returns the MLflow metric name of each objective of a search space."""
    if isinstance(space, SweepSpace):
        return [metric_name(o.protocol, o.number) for o in space.objectives]
    others = space.other_protocols if isinstance(space, MultiObjectiveSpace) else ()
    return [metric_name(protocol, space.output) for protocol in (space.protocol, *others)]


def reported_name(cell: Cell, quantity: str) -> str:
    """Returns the MLflow metric name of a reported number, such as "reported_fid_denoised".

    If the number was measured on another number of samples than ours, the name says so:
    "reported_modes of 26_000 samples".
    """
    name = metric_name(cell.reported[quantity].protocol or cell.protocol, quantity)
    samples = cell.papers_samples(quantity)
    return as_metric(f"reported_{name}" + (f" of {samples}" if samples else ""))


def as_metric(name: str) -> str:
    """Replaces characters that MLflow does not allow in metric names by "_"."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


def lineage(job: Job) -> dict[str, Any]:
    """Returns the data sets and models that a job depends on, as arguments of a `RunRecord`.

    The data sets are the training data or, for a job without training, all data sets.
    """
    parts = list(job.parts())
    trained = {p.data for p in parts if isinstance(p, TrainingSpec)}
    data = trained or {p for p in parts if isinstance(p, DataSpec)}
    uses = [DatasetUse(spec.name, spec.key) for spec in data]
    models = [
        p.key for p in parts if isinstance(p, TrainedWeights | ImportedWeights) and p is not job
    ]
    return {
        "datasets": tuple(sorted(uses, key=lambda use: (use.name, use.digest))),
        "uses": tuple(sorted(set(models))),
    }
