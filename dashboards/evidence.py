"""What MLflow shows of a study: one run per training, per trial, per cell, and one for the table.

Made from the store alone, so the projection can be rebuilt at any time (`dashboards.sync`).
"""

import json
from collections.abc import Iterator

from dashboards.cells import CellView, StudyView, view
from dashboards.figures import epsilon_curves
from dashboards.table import frame, heading, render
from tuning.mlflow_projection import RunRecord
from tuning.scheduler import Scheduler
from tuning.search import SearchRun, Trial
from tuning.stages import OBJECTIVES, FidProtocol, Objective, Score, Snapshot
from tuning.store import Manifest, Store

FIGURE = "epsilon_curve.png"


def tracking_uri(store: Store, given: str | None) -> str:
    """The tracking URI in use: the one given, or a database in the store's folder."""
    return given or f"sqlite:///{store.folder.resolve()}/mlflow.db"


def records(scheduler: Scheduler, store: Store) -> Iterator[RunRecord]:
    """Everything the store says of a study: trainings, trials, then cells and the table."""
    for snapshot in scheduler.study.snapshots:
        manifest = store.manifest(snapshot.stage, snapshot.key)
        if manifest:
            yield training_record(scheduler, snapshot, manifest, store)
    yield from trial_records(scheduler)
    yield from table_records(scheduler, store)


def trial_records(scheduler: Scheduler, score: Score | None = None) -> Iterator[RunRecord]:
    """The finished trials of all searches, or only those that one score measures."""
    for run in scheduler.searches.values():
        for trial in run.trials:
            ladder = [f.score for f in run.finalists() if f.number == trial.number]
            if trial.result is not None and score in (None, trial.score, *ladder):
                yield _trial_record(scheduler, run, trial)


def cell_records(scheduler: Scheduler, store: Store, score: Score) -> Iterator[RunRecord]:
    """The cell that a score is one seed of, if all its seeds are in."""
    shown = view(scheduler, store)
    for cell in shown.cells:
        done = cell.winner and (cell.measured or cell.failed)
        if done and score in scheduler.cell_scores(cell.cell):
            yield _cell_record(shown, cell, store, _figures(scheduler))


def table_records(scheduler: Scheduler, store: Store) -> Iterator[RunRecord]:
    """The cells that are filled, and the whole table with its figure."""
    shown = view(scheduler, store)
    files = _figures(scheduler)
    for cell in shown.cells:
        if cell.winner and (cell.measured or cell.failed):
            yield _cell_record(shown, cell, store, files)
    if any(cell.measured for cell in shown.cells):
        yield _table_record(shown, files)


def _figures(scheduler: Scheduler) -> dict[str, bytes]:
    figure = epsilon_curves(scheduler)
    return {FIGURE: figure} if figure else {}


def _common(scheduler_or_view: Scheduler | StudyView, kind: str) -> dict[str, str]:
    study = scheduler_or_view.study
    return {"kind": kind, "study": study.name, "scale": study.scale, "paper": study.paper}


def metric_name(protocol: FidProtocol, which: Objective) -> str:
    """MLflow's name of a distance: "fid" or "fd", with "_denoised" for denoised images."""
    return protocol.metric_name + ("" if which == "raw" else "_denoised")


def training_record(
    scheduler: Scheduler, snapshot: Snapshot, manifest: Manifest, store: Store
) -> RunRecord:
    """A snapshot of a training run with the loss so far."""
    failed = manifest.result.get("failed")
    curve: list[tuple[int, float]] = []
    if "losses.json" in manifest.files:
        losses = json.loads(store.read(snapshot.stage, snapshot.key, "losses.json"))
        curve = [(int(i), float(v)) for i, v in losses]
    return RunRecord(
        key=snapshot.key,
        name=snapshot.title(),
        tags=_common(scheduler, "training") | ({"failed": str(failed)} if failed else {}),
        params=snapshot.flat(),
        metrics={"seconds": float(manifest.cost["seconds"])},
        curves={"loss": curve},
        description="Weights of a training run at an iteration; the loss is Eq. 1.",
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
    for finalist in run.finalists():
        n_images = finalist.score.protocol.n_images
        if finalist.number == trial.number and finalist.result and n_images != protocol.n_images:
            for which in OBJECTIVES:
                name = f"{metric_name(protocol, which)}_on_{n_images}"
                metrics[name] = finalist.result.of(which)
    sampler = trial.score.sample.sampler
    return RunRecord(
        key=trial_key(run, trial),
        name=f"{run.search.name} #{trial.number} epsilon={trial.epsilon:.2g}",
        tags=tags | {"score_key": trial.score.key},
        params=trial.score.flat(),
        metrics=metrics
        | {
            "epsilon": trial.epsilon,
            "r": trial.r,
            "n_sigma": float(sampler.n_sigma),
            "n_images": float(protocol.n_images),
            "number": float(trial.number),
        },
        description=f"Trial {trial.number} of the search *{run.search.name}*: one step size.",
    )


def _cell_record(
    shown: StudyView, cell: CellView, store: Store, files: dict[str, bytes]
) -> RunRecord:
    assert cell.winner is not None
    own, study = cell.cell, shown.study
    scores = own.scores(cell.winner.epsilon)
    metrics: dict[str, float | None] = {
        "epsilon": cell.winner.epsilon, "r": cell.winner.r, "reported_r": own.reported_r,
        "reported_epsilon": own.reported_epsilon, "n_images": float(own.protocol.n_images),
        "n_seeds": float(own.n_seeds),
    }  # fmt: skip
    for which in OBJECTIVES:
        name, reported = metric_name(own.protocol, which), own.reported[which]
        metrics[f"reported_{metric_name(reported.protocol, which)}"] = reported.value
        if which in cell.measured:
            metrics[name] = cell.measured[which].mean
            metrics[f"{name}_spread"] = cell.measured[which].spread
            metrics[f"{name}_difference"] = cell.difference(which)
    tags = _common(shown, "cell") | {
        "table": study.table, "row": own.row, "column": own.column, "cell_key": scores[0].key,
        "protocol": own.protocol.describe(),
        "reported_protocol": own.reported["raw"].protocol.describe(),
        "seeds": ", ".join(str(score.sample.seed) for score in scores),
    }  # fmt: skip
    if cell.failed:
        tags["failed"] = cell.failed
    return RunRecord(
        key=f"cell-{scores[0].key}",
        name=f"Table {study.table}: {own.name}",
        tags=tags,
        params=scores[0].flat(),
        metrics=metrics,
        files=files | _grids(cell, store),
        description=(
            f"Cell of Table {study.table}: {own.name}. The search's best step size, measured again "
            f"on images no choice has seen: {own.protocol.describe()}."
        ),
    )


def _grids(cell: CellView, store: Store) -> dict[str, bytes]:
    """Pictures of the cell's first images, raw and denoised."""
    assert cell.winner is not None
    chunk = cell.cell.scores(cell.winner.epsilon)[0].chunks()[0]
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
        key=f"table-{study.table}-{study.scale}-{study.settings.key}",
        name=f"Table {study.table}",
        tags=_common(shown, "table") | {"table": study.table},
        params=study.settings.flat(),
        metrics=metrics,
        files=files | {"table.md": render(shown, "markdown").encode()},
        table={str(name): list(values) for name, values in columns.items()},
        description=f"{study.title}; ours: {heading(shown)}.\n\n{render(shown, 'markdown')}",
    )
