"""MLflow records of a study: one run per snapshot, trial and cell, and one for the table.

The records are made from the store alone, so MLflow can be rebuilt at any time (`dashboards.sync`).
"""

import json
import statistics
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from dashboards.figures.class_gains import BASE, OURS, class_gains_of
from dashboards.figures.registry import png_files
from dashboards.figures.training_curves import panels_of
from dashboards.records.mlflow_common import (
    as_metric,
    common_tags,
    lineage,
    metric_name,
    reported_name,
)
from dashboards.records.mlflow_names import parameters, run_name
from dashboards.records.mlflow_searches import (
    search_key,
    search_record,
    searches_of_trainings,
    trial_records,
)
from dashboards.records.mlflow_views import comparison
from dashboards.results.cells import CellView, StudyView, read_study
from dashboards.results.claims import claim_numbers
from dashboards.results.stored_pictures import grids
from dashboards.results.verdicts import half_interval
from dashboards.text.claims import effect_text
from dashboards.text.table import heading, render, table_data
from studies.common.execution_settings import WHERE_AND_HOW
from tuning.addresses import database_file, sqlite_url
from tuning.cells import Cell
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces import StepSizeSpace
from tuning.stages import ImportedWeights, Snapshot, TrainedWeights
from tuning.stages.training.snapshots import LOSSES_FILE
from tuning.store.documents import as_name
from tuning.store.store import Manifest, Store
from tuning.study import Study
from tuning.tracking.mlflow_record import RunRecord

Model = TrainedWeights | ImportedWeights


def tracking_uri(store: Store, given: str | None) -> str:
    """Returns the given tracking URI, or by default that of a database in the store's folder."""
    return given or sqlite_url(store.folder.resolve() / "mlflow.db")


def artifact_folder(uri: str) -> Path | None:
    """Returns the folder of the artifacts of new experiments; None for the server's default.

    The artifacts of a SQLite file lie beside the file: MLflow's own default is the current folder.

    Args:
        uri: tracking URI of MLflow.
    """
    file = database_file(uri)
    return file and file.resolve().parent / "mlflow-artifacts"


def records(scheduler: Scheduler, store: Store) -> Iterator[RunRecord]:
    """Yields all records of a study: snapshots, trials, then cells and the table."""
    parents = searches_of_trainings(scheduler)
    yield from (search_record(scheduler, run) for run in dict.fromkeys(parents.values()))
    for model in models(scheduler):
        manifest = store.manifest(model.stage, model.key)
        if manifest:
            yield _model_record(scheduler, model, manifest, store, parents.get(model.key))
    yield from trial_records(scheduler)
    yield from table_records(scheduler, store)


def models(scheduler: Scheduler) -> list[Model]:
    """Returns all snapshots and imported weights of the study, each once.

    Snapshots that only trials need are included.
    """
    reached = (t for run in scheduler.searches.values() for rung in run.rungs() for t in rung)
    tried = (score for trial in reached for score in trial.scores)
    found: dict[str, Model] = {}
    for job in (*scheduler.study.fixed_jobs, *tried):
        found |= {part.key: part for part in job.parts() if isinstance(part, Model)}
    return list(found.values())


def cell_records(scheduler: Scheduler, store: Store, job: Job) -> Iterator[RunRecord]:
    """Yields the finished cells that a job is a seed of, without figures."""
    view = read_study(scheduler, store)
    for cell in view.cells:
        jobs = scheduler.cell_jobs(cell.cell)
        if cell.is_done and job in jobs:
            yield _cell_record(view, cell, jobs, store, {})


def table_records(scheduler: Scheduler, store: Store) -> Iterator[RunRecord]:
    """Yields the finished cells, and the whole table with its figures."""
    from dashboards.pictures.samples import filmstrip  # local: matplotlib takes half a second

    view = read_study(scheduler, store)
    files = png_files(scheduler, store)
    compared = []
    for cell in view.cells:
        jobs = scheduler.cell_jobs(cell.cell)
        if cell.is_done and jobs:
            strip = filmstrip(cell, store)
            frames = {"frames.png": strip} if strip else {}
            compared.append(cell_parameters(view.study, cell, jobs))
            yield _cell_record(view, cell, jobs, store, files | frames)
    if any(cell.measured for cell in view.cells):
        yield from (_reported_record(view, cell) for cell in view.cells if _is_reported(cell))
        shown = comparison(view.study, compared)
        yield _table_record(view, files, curves_of(scheduler, store), shown)


def model_records(
    scheduler: Scheduler, model: Model, manifest: Manifest, store: Store
) -> Iterator[RunRecord]:
    """Yields a model's record, below its search's record if only trials need the model."""
    search = searches_of_trainings(scheduler).get(model.key)
    if search:
        yield search_record(scheduler, search)
    yield _model_record(scheduler, model, manifest, store, search)


def _model_record(
    scheduler: Scheduler,
    model: Model,
    manifest: Manifest,
    store: Store,
    search: SearchRun | None,
) -> RunRecord:
    if isinstance(model, TrainedWeights):
        return _training_record(scheduler, model, manifest, store, search)
    return RunRecord(
        key=model.key,
        name=model.title(),
        tags=common_tags(scheduler.study, "import")
        | {name: str(value) for name, value in manifest.result.items()},
        params=model.flat(),
        metrics={"seconds": float(manifest.cost["seconds"])},
        description="Weights that were imported from a file, kept in the store under this key.",
        makes=(model.key, as_metric(model.title()), 0),
        **lineage(model),
    )


def _training_record(
    scheduler: Scheduler,
    snapshot: TrainedWeights,
    manifest: Manifest,
    store: Store,
    search: SearchRun | None,
) -> RunRecord:
    """Returns the record of a snapshot with its losses so far as curves over the iterations."""
    failed = manifest.result.get("failed")
    losses: dict[str, list[list[float]]] = {}
    if LOSSES_FILE in manifest.files:
        losses = json.loads(store.read(snapshot.stage, snapshot.key, LOSSES_FILE))
    return RunRecord(
        key=snapshot.key,
        name=snapshot.title(),
        tags=common_tags(scheduler.study, "training") | ({"failed": str(failed)} if failed else {}),
        params=snapshot.flat(),
        metrics={
            "seconds": float(manifest.cost["seconds"]),
            "iteration": float(snapshot.iteration),
        },
        curves={f"{n}_loss": [(int(i), v) for i, v in pairs] for n, pairs in losses.items()},
        description=(
            "Weights of a training run at an iteration, kept in the store under this run's key. "
            "dsm_loss is Eq. 1; adversarial training has gan_loss, the score network's other term, "
            "and discriminator_loss beside it; classifiers have ce_loss and dlsm_loss. The step of "
            "each is the iteration."
        ),
        parent=search_key(search) if search else None,
        makes=(snapshot.key, as_metric(snapshot.title()), snapshot.iteration),
        **lineage(snapshot),
    )


def _each_once(seeds: Iterable[int]) -> str:
    return ", ".join(map(str, dict.fromkeys(seeds)))


def cell_key(cell: Cell, jobs: tuple[Job, ...]) -> str:
    """Returns the key of a cell's run.

    The name is part of the key: two columns may show different quantities of one job.

    Args:
        cell: the cell.
        jobs: its jobs, at least one.
    """
    return f"cell-{jobs[0].key}-{as_name(cell.name)}"


def _cell_record(
    view: StudyView,
    cell: CellView,
    jobs: tuple[Job, ...],
    store: Store,
    files: dict[str, bytes],
) -> RunRecord:
    own, study = cell.cell, view.study
    tags = _cell_tags(study, own) | {"cell_key": jobs[0].key}
    about = "measured at fixed settings"
    if own.protocol:
        tags["protocol"] = about = own.protocol.describe()
        samples = [score.sample for score in cell.scores]
        tags["seeds"] = _each_once(sample.seed for sample in samples)
        trained = [s.model.train for s in samples if isinstance(s.model, Snapshot)]
        if trained:
            tags["training_seeds"] = _each_once(train.seed for train in trained)
    reported = [r.described for r in own.reported.values() if r.described]
    if reported:
        tags["reported_protocol"] = reported[0]
    if cell.failed:
        tags["failed"] = cell.failed
    if cell.winner:
        about = f"the best trial of the search, measured again on images of fresh seeds: {about}"
    return RunRecord(
        key=cell_key(own, jobs),
        name=run_name(study, own),
        tags=tags,
        params=cell_parameters(study, cell, jobs),
        metrics=cell_metrics(cell),
        files=files | grids(cell, store) | {"spec.json": _readable(jobs[0])},
        description=f"Cell of {study.exhibit}: {own.name}; {about}.",
        **lineage(jobs[0]),
    )


def cell_parameters(study: Study, cell: CellView, jobs: tuple[Job, ...]) -> dict[str, object]:
    """Returns the parameters of a cell's run, with the values that its search chose.

    Step sizes that a search chose are metrics instead.

    Args:
        study: study of the cell.
        cell: results of the cell.
        jobs: jobs of the cell, at least one.
    """
    is_step = cell.cell.search and isinstance(cell.cell.search.space, StepSizeSpace)
    chosen = {} if cell.winner is None or is_step else cell.winner.values
    return {**parameters(study, jobs[0]), **chosen}


def _readable(job: Job) -> bytes:
    """Returns the spec of a job as JSON for people."""
    return json.dumps(job.to_json(), indent=1).encode()


def _cell_tags(study: Study, own: Cell) -> dict[str, str]:
    place = {"exhibit": study.exhibit, "row": own.row, "column": own.column}
    return common_tags(study, "cell") | place


def _is_reported(cell: CellView) -> bool:
    """Returns whether a cell shows only the paper's numbers."""
    return not cell.cell.is_measured and bool(cell.cell.reported)


def _reported_record(view: StudyView, cell: CellView) -> RunRecord:
    own, study = cell.cell, view.study
    return RunRecord(
        key=f"reported-{study.exhibit}-{study.scale}-{as_name(own.name)}",
        name=run_name(study, own),
        tags=_cell_tags(study, own),
        metrics={n: v for n, v in cell_metrics(cell).items() if n.startswith("reported_")},
        description=f"Cell of {study.exhibit}: {own.name}; reported number, not measured here.",
    )


def cell_metrics(cell: CellView) -> dict[str, float | None]:
    """Returns the metrics of a cell's run by name, the cell's own numbers first."""
    own, sample = cell.cell, cell.sample
    metrics: dict[str, float | None] = {}
    # The numbers come first because MLflow draws the first logged metric by default.
    for quantity in own.quantities:
        name = metric_name(own.protocol, quantity)
        if quantity in cell.measured:
            metrics[name] = cell.measured[quantity].mean
            metrics[f"{name}_spread"] = cell.measured[quantity].spread
            metrics[f"{name}_difference"] = cell.difference(quantity)
        if quantity in own.reported:
            metrics[reported_name(own, quantity)] = own.reported[quantity].value
    if own.protocol and sample:
        metrics |= {
            "epsilon": sample.epsilon, "r": cell.r,
            "n_images": float(own.protocol.n_images),
        }  # fmt: skip
    if cell.within_noise:
        low, high = cell.within_noise
        metrics |= {"within_noise_from": low, "within_noise_to": high}
    return metrics | {
        "reported_r": own.reported_r, "reported_epsilon": own.reported_epsilon,
        "n_seeds": float(own.n_seeds),
    }  # fmt: skip


def curves_of(scheduler: Scheduler, store: Store) -> dict[str, list[tuple[int, float]]]:
    """Returns the curves of a study by name: quantities by iteration, and gains by class.

    The values are means over seeds; a second curve gives half the width of the confidence
    interval. MLflow draws curves together if their names agree up to the slash.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    curves = {}
    for panel, lines in panels_of(scheduler).items():
        for label, points in lines.items():
            means = [(step, statistics.fmean(of)) for step, of in sorted(points.items())]
            curves[as_metric(f"{panel}/{label}")] = means
            if any(halves := [half_interval(points[step]) for step, _ in means]):
                steps = (step for step, _ in means)
                name = as_metric(f"{panel}/{label}, half interval")
                curves[name] = list(zip(steps, halves, strict=True))
    for row, gains in class_gains_of(scheduler, store).items():
        curves[as_metric(f"{row}/{OURS} minus {BASE} by class")] = sorted(gains.items())
    return curves


def _table_record(
    view: StudyView,
    files: dict[str, bytes],
    curves: dict[str, list[tuple[int, float]]],
    views: dict[str, dict[str, Any]],
) -> RunRecord:
    study = view.study
    data = table_data(view).astype(object)
    columns = data.where(data.notna(), None).to_dict(orient="list")
    metrics = {
        f"baseline_{name}": baseline.distance
        for name, baseline in zip(("held_out", "gaussian"), view.baselines, strict=False)
    }
    tags = common_tags(view.study, "table") | {"exhibit": study.exhibit}
    for number, (_, row) in enumerate(claim_numbers(view).iterrows(), start=1):
        tags[f"claim {number}"] = f"{row['judgement']}: {row['claim']}; {effect_text(row)}"
        metrics[as_metric(f"claim {number}/{row['claim']}")] = row["effect"]
    return RunRecord(
        key=f"table-{study.exhibit}-{study.scale}-{study.settings.key}",
        name=study.exhibit,
        tags=tags,
        params={
            name: value
            for name, value in study.settings.flat().items()
            if name.partition(".")[0] not in WHERE_AND_HOW
        },
        metrics=metrics,
        curves=curves,
        files=files | {"table.md": render(view, "markdown").encode()},
        table={str(name): list(values) for name, values in columns.items()},
        views=views,
        description=f"{study.title}; {heading(view)}.\n\n{render(view, 'markdown')}",
    )


def experiment_description(study: Study) -> str:
    """Returns the text of a study's experiment page in MLflow, in Markdown."""
    return "\n\n".join(
        [
            f"**{study.exhibit}. {study.title}**",
            study.question,
            "The tag `tags.kind` gives the kind of a run: `cell` (a cell of the table, with the "
            "paper's number), `table` (the whole table with its figures), `search` (its `trial` "
            "runs are nested), `training` (the losses of a snapshot). The model of a cell is the "
            f"checkpoint that it used. The scale is a tag: `tags.scale = '{study.scale}'`.",
        ]
    )
