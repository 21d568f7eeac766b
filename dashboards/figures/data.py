"""What a study's figures show, read from its store: for pictures and for the report's charts."""

import json
import math
from collections.abc import Mapping, Sequence

from torch import Tensor

from dashboards.figures.shares_figure import Bars
from dashboards.results.method_pairs import BASE, OURS
from scorelib.exact.noise_level import noise_by_level
from scorelib.exact.renormalisation import TwoNormals
from scorelib.schedules import Schedule
from tuning.jobs import ExecutionContext
from tuning.scheduling.forecast import stored_jobs
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.stages import (
    DataShares,
    GeneratedShares,
    NoiseLevel,
    Renormalisation,
    Score,
    ScoreErrors,
    TrainedWeights,
    TrainSpec,
)
from tuning.stages.shares import ends_of, share_of
from tuning.stages.snapshots import LOSSES_FILE
from tuning.store.store import Store
from tuning.study import Study


def schedules_of(study: Study) -> list[tuple[Schedule, int]]:
    """The noise schedules that networks are trained on, each once, and the data's dimensions."""
    roots = [search.space.template for search in study.searches]
    specs = [part for root in (*roots, *study.fixed_jobs) for part in root.parts()]
    trainings = [spec for spec in specs if isinstance(spec, TrainSpec)]
    return list(dict.fromkeys((t.schedule, math.prod(t.data.shape)) for t in trainings))


def choices_of(alike: Sequence[SearchRun]) -> dict[str, dict[str, dict[int, list[float]]]]:
    """By panel and search, what searches over the iteration of a snapshot have found of each."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for run in alike:
        space = run.search.space
        panel = f"{space.protocol.name}, {space.output}, {space.protocol.n_images:,} images"
        for trial in run.ranked(run.trials):
            value = trial.result.of(space.output) if trial.result else None
            if value is not None and set(trial.values) == {"iteration"}:
                curve = panels.setdefault(panel, {}).setdefault(run.search.name, {})
                curve[int(trial.values["iteration"])] = [value]
    return panels


def shares_of(scheduler: Scheduler) -> dict[str, Bars]:
    """The shares of classes found so far, by column."""
    found = {}
    for column, job in {c.column: c.job for c in scheduler.study.cells}.items():
        if isinstance(job, GeneratedShares | DataShares):
            data = job.data if isinstance(job, DataShares) else job.sample.model.train.data
            result = scheduler.lookup(job)
            if result and not result.failed:
                labels = range(data.n_classes)
                names = [(share_of(k), *ends_of(k)) for k in labels]
                columns = zip(*([result.numbers[n] for n in of] for of in names), strict=True)
                found[column] = Bars(*columns)
    return found


def panels_of(scheduler: Scheduler) -> dict[str, dict[str, dict[int, list[float]]]]:
    """By panel and curve, the iterations at which the results of all training seeds are in."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for curve in scheduler.study.curves:
        for iteration, jobs in curve.points.items():
            results = [scheduler.lookup(job) for job in jobs]
            values = [v for r in results if r and (v := r.of(curve.quantity)) is not None]
            if len(values) == len(jobs):
                lines = panels.setdefault(curve.panel, {}).setdefault(curve.label, {})
                lines[iteration] = values
    return panels


def class_gains_of(scheduler: Scheduler, store: Store) -> dict[str, dict[int, float]]:
    """By class-wise number, what the paper's method gains on its baseline, on one seed."""
    found: dict[str, dict[str, dict[int, float]]] = {}
    for cell in scheduler.study.cells:
        scores = [job for job in scheduler.cell_jobs(cell) if isinstance(job, Score)]
        if cell.column in (BASE, OURS) and scores and scheduler.is_done(scores[0]):
            by_class = scores[0].by_class(ExecutionContext(store=store), "denoised")
            if by_class:
                found.setdefault(cell.row, {})[cell.column] = by_class
    return {
        row: {label: of[OURS][label] - value for label, value in of[BASE].items()}
        for row, of in found.items()
        if of.keys() == {BASE, OURS}
    }


def score_fields_of(scheduler: Scheduler, store: Store) -> dict[str, dict[str, list[Tensor]]]:
    """By section of the table and method, the posterior scores of each class; last the exact."""
    jobs: dict[str, dict[str, ScoreErrors]] = {}
    for cell in scheduler.study.cells:
        if isinstance(cell.job, ScoreErrors) and scheduler.is_done(cell.job):
            jobs.setdefault(cell.section, {}).setdefault(cell.column, cell.job)
    return {section: _fields(of, store) for section, of in jobs.items()}


def _fields(jobs: Mapping[str, ScoreErrors], store: Store) -> dict[str, list[Tensor]]:
    fields: dict[str, list[Tensor]] = {}
    exact: list[Tensor] = []
    for method, job in jobs.items():
        scores = job.scores(ExecutionContext(store=store))
        labels = range(len(scores) // 2)
        fields[method] = [scores[f"estimated.{c}"] for c in labels]
        exact = [scores[f"exact.{c}"] for c in labels]
    return fields | {"exact": exact}


def noise_levels_of(
    scheduler: Scheduler,
) -> tuple[dict[str, list[float]], tuple[float, ...]] | None:
    """The noise levels of each walk, by label, and the schedule's; None while any is open."""
    jobs = [cell.job for cell in scheduler.study.cells if isinstance(cell.job, NoiseLevel)]
    if not jobs or not all(map(scheduler.is_done, jobs)):
        return None
    found = {_noise_label(j): noise_by_level(j.sampler, j.schedule).tolist() for j in jobs}
    return found, tuple(jobs[0].schedule.sigmas)


def _noise_label(job: NoiseLevel) -> str:
    sampler = job.sampler
    name, steps = type(sampler).__name__.upper(), f"n_sigma = {sampler.n_sigma}"
    return f"{name}, {steps}, {job.schedule.n_levels:,} levels"


def renormalised_of(scheduler: Scheduler) -> list[TwoNormals]:
    """The exact examples of a power of the likelihood; none while any is open."""
    jobs = {c.job.key: c.job for c in scheduler.study.cells if isinstance(c.job, Renormalisation)}
    return [job.case for job in jobs.values()] if all(map(scheduler.is_done, jobs.values())) else []


def losses_of(scheduler: Scheduler, store: Store) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """By name of the loss and training run, its values over the iterations so far."""
    longest: dict[str, TrainedWeights] = {}
    for job in stored_jobs(scheduler):
        if isinstance(job, TrainedWeights):
            known = longest.get(job.train.key)
            if known is None or job.iteration > known.iteration:
                longest[job.train.key] = job
    losses: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for number, job in enumerate(longest.values(), start=1):
        manifest = store.manifest(job.stage, job.key)
        if manifest is None or LOSSES_FILE not in manifest.files:
            continue
        label = f"{number}: {job.train.kind}, {job.train.data.name}, seed {job.train.seed}"
        for name, pairs in json.loads(store.read(job.stage, job.key, LOSSES_FILE)).items():
            losses.setdefault(name, {})[label] = [(int(i), v) for i, v in pairs]
    return losses
