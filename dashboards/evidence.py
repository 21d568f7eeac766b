"""What MLflow shows of a study: one run per training, per trial, per cell, and one for the table.

Made from the store alone, so the projection can be rebuilt at any time (`dashboards.sync`).
"""

import json
from collections.abc import Iterator

from dashboards.cells import CellView, StudyView, view
from dashboards.figures import figures
from dashboards.searches import shown_value
from dashboards.table import frame, heading, render
from tuning.documents import as_name
from tuning.jobs import Job
from tuning.mlflow_projection import RunRecord
from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.stages import OBJECTIVES, Protocol, Score, TrainedWeights
from tuning.stages.snapshots import LOSSES_FILE
from tuning.store import Manifest, Store
from tuning.trial import Trial


def tracking_uri(store: Store, given: str | None) -> str:
    """The tracking URI in use: the one given, or a database in the store's folder."""
    return given or f"sqlite:///{store.folder.resolve()}/mlflow.db"


def records(scheduler: Scheduler, store: Store) -> Iterator[RunRecord]:
    """Everything the store says of a study: trainings, trials, then cells and the table."""
    for snapshot in snapshots(scheduler):
        manifest = store.manifest(snapshot.stage, snapshot.key)
        if manifest:
            yield training_record(scheduler, snapshot, manifest, store)
    yield from trial_records(scheduler)
    yield from table_records(scheduler, store)


def snapshots(scheduler: Scheduler) -> list[TrainedWeights]:
    """All snapshots of the study, also those that only its trials need, each once."""
    tried = (t.score for run in scheduler.searches.values() for rung in run.rungs() for t in rung)
    found: dict[str, TrainedWeights] = {}
    for job in (*scheduler.study.fixed_jobs, *tried):
        found |= {part.key: part for part in job.parts() if isinstance(part, TrainedWeights)}
    return list(found.values())


def trial_records(scheduler: Scheduler, score: Score | None = None) -> Iterator[RunRecord]:
    """The finished trials of all searches, or only those that one score measures."""
    for run in scheduler.searches.values():
        for trial in run.trials:
            rungs = run.rungs()[1:]
            ladder = [t.score for rung in rungs for t in rung if t.number == trial.number]
            if trial.result is not None and score in (None, trial.score, *ladder):
                yield _trial_record(scheduler, run, trial)


def cell_records(scheduler: Scheduler, store: Store, job: Job) -> Iterator[RunRecord]:
    """The cells that a job is one seed of, if all their seeds are in; without the figures."""
    shown = view(scheduler, store)
    for cell in shown.cells:
        jobs = scheduler.cell_jobs(cell.cell)
        if cell.is_done and job in jobs:
            yield _cell_record(shown, cell, jobs, store, {})


def table_records(scheduler: Scheduler, store: Store) -> Iterator[RunRecord]:
    """The cells that are filled, and the whole table with its figure."""
    shown = view(scheduler, store)
    files = figures(scheduler, store)
    for cell in shown.cells:
        jobs = scheduler.cell_jobs(cell.cell)
        if cell.is_done and jobs:
            yield _cell_record(shown, cell, jobs, store, files)
    if any(cell.measured for cell in shown.cells):
        yield _table_record(shown, files)


def _common(scheduler_or_view: Scheduler | StudyView, kind: str) -> dict[str, str]:
    study = scheduler_or_view.study
    return {"kind": kind, "study": study.name, "scale": study.scale, "paper": study.paper}


def metric_name(protocol: Protocol | None, quantity: str) -> str:
    """MLflow's name of a number: such as "fid" or "fid_denoised"; else the quantity's own."""
    if protocol is None:
        return quantity
    return protocol.metric_name + ("" if quantity == "raw" else f"_{quantity}")


def training_record(
    scheduler: Scheduler, snapshot: TrainedWeights, manifest: Manifest, store: Store
) -> RunRecord:
    """A snapshot of a training run with its losses so far, each a metric over the iterations."""
    failed = manifest.result.get("failed")
    losses: dict[str, list[list[float]]] = {}
    if LOSSES_FILE in manifest.files:
        losses = json.loads(store.read(snapshot.stage, snapshot.key, LOSSES_FILE))
    return RunRecord(
        key=snapshot.key,
        name=snapshot.title(),
        tags=_common(scheduler, "training") | ({"failed": str(failed)} if failed else {}),
        params=snapshot.flat(),
        metrics={"seconds": float(manifest.cost["seconds"])},
        curves={f"{n}_loss": [(int(i), v) for i, v in pairs] for n, pairs in losses.items()},
        description=(
            "Weights of a training run at an iteration. dsm_loss is Eq. 1; adversarial training "
            "has gan_loss, the score network's other term, and discriminator_loss beside it."
        ),
    )


def trial_key(run: SearchRun, trial: Trial) -> str:
    """What identifies a trial: a search begun anew from other starts has trials of its own."""
    return f"{run.ledger_key}-{trial.number}"


def _trial_record(scheduler: Scheduler, run: SearchRun, trial: Trial) -> RunRecord:
    """A finished trial of a search."""
    assert trial.result is not None
    protocol = trial.score.protocol
    tags = _common(scheduler, "trial") | {
        "search": run.search.name,
        "protocol": protocol.describe(),
    }
    if trial.result.failed:
        tags["failed"] = trial.result.failed
    metrics: dict[str, float | None] = {
        metric_name(protocol, which): trial.result.of(which) for which in OBJECTIVES
    }
    for rung in run.rungs()[1:]:
        for later in rung:
            if later.number == trial.number and later.result:
                for which in OBJECTIVES:
                    name = f"{metric_name(protocol, which)}_on_{later.score.protocol.n_images}"
                    metrics[name] = later.result.of(which)
    values = ", ".join(f"{name}={shown_value(value)}" for name, value in trial.values.items())
    return RunRecord(
        key=trial_key(run, trial),
        name=f"{run.search.name} #{trial.number} {values}",
        tags=tags | {"score_key": trial.score.key},
        params=trial.score.flat(),
        metrics=metrics
        | {
            "epsilon": trial.epsilon,
            "r": trial.r,
            "n_images": float(protocol.n_images),
            "number": float(trial.number),
        },
        description=f"Trial {trial.number} of the search *{run.search.name}*: {values}.",
    )


def _cell_record(
    shown: StudyView,
    cell: CellView,
    jobs: tuple[Job, ...],
    store: Store,
    files: dict[str, bytes],
) -> RunRecord:
    own, study = cell.cell, shown.study
    tags = _common(shown, "cell") | {
        "exhibit": study.exhibit, "row": own.row, "column": own.column, "cell_key": jobs[0].key,
    }  # fmt: skip
    about = "measured at settings of its own"
    if own.protocol:
        tags["protocol"] = about = own.protocol.describe()
        tags["seeds"] = ", ".join(str(score.sample.seed) for score in cell.scores)
    reported = [r.protocol.describe() for r in own.reported.values() if r.protocol]
    if reported:
        tags["reported_protocol"] = reported[0]
    if cell.failed:
        tags["failed"] = cell.failed
    if cell.winner:
        about = f"the search's best, measured again on images no choice has seen: {about}"
    return RunRecord(
        # Two columns may show one job's result by different quantities.
        key=f"cell-{jobs[0].key}-{as_name(own.name)}",
        name=f"{study.exhibit}: {own.name}",
        tags=tags,
        params=jobs[0].flat(),
        metrics=_cell_metrics(cell),
        files=files | grids(cell, store),
        description=f"Cell of {study.exhibit}: {own.name}; {about}.",
    )


def _cell_metrics(cell: CellView) -> dict[str, float | None]:
    own, sample = cell.cell, cell.sample
    metrics: dict[str, float | None] = {
        "reported_r": own.reported_r, "reported_epsilon": own.reported_epsilon,
        "n_seeds": float(own.n_seeds),
    }  # fmt: skip
    if own.protocol and sample:
        metrics |= {
            "epsilon": sample.epsilon, "r": cell.r,
            "n_images": float(own.protocol.n_images),
        }  # fmt: skip
    for quantity in own.quantities:
        name = as_metric(metric_name(own.protocol, quantity))
        if quantity in own.reported:
            reported = own.reported[quantity]
            its = as_metric(metric_name(reported.protocol or own.protocol, quantity))
            metrics[f"reported_{its}"] = reported.value
        if quantity in cell.measured:
            metrics[name] = cell.measured[quantity].mean
            metrics[f"{name}_spread"] = cell.measured[quantity].spread
            metrics[f"{name}_difference"] = cell.difference(quantity)
    return metrics


def as_metric(name: str) -> str:
    """A name as MLflow admits it for a metric."""
    return "".join(c if c.isalnum() or c in "_-. /" else "_" for c in name)


def grids(cell: CellView, store: Store) -> dict[str, bytes]:
    """Pictures of the cell's first images, raw and denoised; none if it has none."""
    if not cell.scores:
        return {}
    chunk = cell.scores[0].chunks()[0]
    manifest = store.manifest(chunk.stage, chunk.key)
    names = [n for n in (manifest.files if manifest else ()) if n.endswith(".png")]
    return {f"samples/{name}": store.read(chunk.stage, chunk.key, name) for name in names}


def _table_record(shown: StudyView, files: dict[str, bytes]) -> RunRecord:
    study = shown.study
    data = frame(shown).astype(object)
    columns = data.where(data.notna(), None).to_dict(orient="list")
    metrics = {
        f"yardstick_{name}": yardstick.distance
        for name, yardstick in zip(("held_out", "gaussian"), shown.yardsticks, strict=False)
    }
    return RunRecord(
        key=f"table-{study.exhibit}-{study.scale}-{study.settings.key}",
        name=study.exhibit,
        tags=_common(shown, "table") | {"exhibit": study.exhibit},
        params=study.settings.flat(),
        metrics=metrics,
        files=files | {"table.md": render(shown, "markdown").encode()},
        table={str(name): list(values) for name, values in columns.items()},
        description=f"{study.title}; {heading(shown)}.\n\n{render(shown, 'markdown')}",
    )
