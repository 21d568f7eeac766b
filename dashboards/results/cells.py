"""Reads the results of a study's cells and baselines from the store; writes nothing.

Only this module compares results with the paper's numbers. A difference exists only if the
protocols are equal. The terminal, the CSV and MLflow all show the numbers computed here.
"""

import statistics
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from dashboards.results.code_versions import code_notes
from scorelib.data import DataSpec
from scorelib.metrics.classifier import ClassifierFeatures
from scorelib.metrics.features import Coordinates
from tuning.cells import Cell
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces.trial import Result, Trial
from tuning.stages import (
    Chunk,
    Frames,
    GeneratedShares,
    ImportedWeights,
    Nearest,
    PictureChunk,
    PicturesScore,
    Protocol,
    RealFeatures,
    RealScore,
    SampleSize,
    SampleSpec,
    Score,
    TrainClassifier,
)
from tuning.stages.features.extractors import TEST_CERTAINTY
from tuning.stages.models.imported import SPOT_CHECK
from tuning.stages.score import OUTPUTS, Output, certainty_of
from tuning.store.data_records import recorded_data
from tuning.store.store import Store
from tuning.study import Study


@dataclass(frozen=True)
class Measured:
    """A number measured on one or more seeds.

    Attributes:
        values: value of each seed, in the order of the seeds; at least one.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds (n - 1); None with one seed."""
        return statistics.stdev(self.values) if self.n_seeds > 1 else None

    @property
    def n_seeds(self) -> int:
        """Number of seeds."""
        return len(self.values)

    def __str__(self) -> str:
        """Formats the mean to four digits, with the spread if it is known."""
        return f"{self.mean:.4g}" + ("" if self.spread is None else f" ±{self.spread:.2g}")

    def is_level(self, other: "Measured") -> bool:
        """Returns whether two means are equal to four digits, the digits that are shown."""
        return f"{self.mean:.4g}" == f"{other.mean:.4g}"


@dataclass(frozen=True)
class CellView:
    """The results of a cell so far.

    Attributes:
        cell: the cell.
        winner: trial that the cell's settings come from; None without a search or before its end.
        within_noise: lowest and highest step size of the search that cannot be told from the best;
            None without a search over the step size or before its end.
        scores: score jobs of the cell, one per seed; empty if the cell measures no scores.
        first_images: job that holds pictures of the cell's first images, on the first seed; None
            if the cell measures no images or the images are not known yet.
        measured: numbers by quantity; empty until the results of all seeds are stored.
        certainty: how sure the classifier is of the raw or denoised images that the cell shows; the
            number is None if the results lack it, as those of version 0.2 and earlier. Empty if
            the cell rests on no classifier or is not measured yet.
        sample_size: distances for our and for the reported number of images, by the names of
            `tuning.stages.sample_size`; empty if the cell has no such job or its result is missing.
        frames: job of the cell's frames along the sampling chain; None if the cell has no frames.
        nearest: job of the training images nearest to the cell's images; None if not asked for.
        n_missing: number of missing results; the number of seeds while the search has no winner.
        failed: reason why the cell stays empty, or None.
        best_so_far: best trial of the search while the search has no winner.
    """

    cell: Cell
    winner: Trial | None = None
    within_noise: tuple[float, float] | None = None
    scores: tuple[Score, ...] = ()
    first_images: Chunk | PictureChunk | RealFeatures | None = None
    measured: dict[str, Measured] = field(default_factory=dict)
    certainty: dict[Output, Measured | None] = field(default_factory=dict)
    sample_size: Mapping[str, float] = field(default_factory=dict)
    frames: Frames | None = None
    nearest: Nearest | None = None
    n_missing: int = 0
    failed: str | None = None
    best_so_far: Trial | None = None

    @property
    def sample(self) -> SampleSpec | None:
        """Measured images of the first seed; None if there are no images or no winner yet."""
        return self.scores[0].sample if self.scores else None

    @property
    def r(self) -> float | None:
        """Step size in units of the schedule-following step.

        None if the cell's search is not over the step size, or if no step follows the schedule.
        """
        if self.winner is not None:
            return self.winner.r
        return self.sample.r if self.sample else None

    @property
    def is_done(self) -> bool:
        """Whether the cell is measured or has failed."""
        return bool(self.measured) or self.failed is not None

    def cost(self, quantity: str) -> float:
        """Returns the mean of a quantity, negated if higher is better, so that lower is better."""
        mean = self.measured[quantity].mean
        return mean if self.cell.lower_is_better else -mean

    def difference(self, quantity: str) -> float | None:
        """Returns our mean minus the paper's number; None unless both have the same protocol."""
        reported, own = self.cell.reported.get(quantity), self.cell.protocol
        if reported is None or quantity not in self.measured:
            return None
        if own is None or reported.protocol is None or not reported.protocol.is_comparable(own):
            return None
        return self.measured[quantity].mean - reported.value


@dataclass(frozen=True)
class BaselineView:
    """A baseline of a study.

    Attributes:
        name: name of the baseline.
        distance: its distance to the reference; None until measured.
        n_images: number of images; None until measured.
        n_distinct: number of distinct images among held-out ones; None if not recorded.
    """

    name: str
    distance: float | None
    n_images: int | None
    n_distinct: int | None = None


@dataclass(frozen=True)
class StudyView:
    """The results of a study so far.

    Attributes:
        study: the study.
        data_notes: what a reader should know of imported models and data sets, one line each.
        real_certainty: how sure each classifier that cells rest on is of held-out real images;
            None if the number is not stored.
        cells: results of the cells, row by row.
        baselines: results of the baselines.
        runs: runs of the searches, by name.
        code_notes: notes on results that come from different source code.
    """

    study: Study
    cells: tuple[CellView, ...]
    baselines: tuple[BaselineView, ...]
    runs: Mapping[str, SearchRun]
    data_notes: tuple[str, ...] = ()
    real_certainty: Mapping[ClassifierFeatures, float | None] = field(default_factory=dict)
    code_notes: tuple[str, ...] = ()

    @property
    def protocols(self) -> list[Protocol]:
        """Protocols of the measured cells, each once, in order of first appearance."""
        own = [c.cell.protocol for c in self.cells if c.cell.is_measured and c.cell.protocol]
        return list(dict.fromkeys(own))


def read_study(scheduler: Scheduler, store: Store) -> StudyView:
    """Reads the results of a study so far.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    study = scheduler.study
    classifiers = dict.fromkeys(of for c in study.cells if c.is_measured and (of := classifier(c)))
    return StudyView(
        study=study,
        cells=tuple(_cell(cell, scheduler) for cell in study.cells),
        baselines=tuple(_baselines(study, store)),
        runs=scheduler.searches,
        data_notes=(*_model_notes(study, store), *_data_notes(study, store)),
        real_certainty={of: _real_certainty(of, scheduler) for of in classifiers},
        code_notes=code_notes(scheduler, store),
    )


def classifier(cell: Cell) -> ClassifierFeatures | None:
    """Returns the trained classifier that the numbers of a cell rest on; None if there is none."""
    if isinstance(cell.job, GeneratedShares):
        return cell.job.extractor
    return cell.protocol.classifier if cell.protocol else None


def _real_certainty(of: ClassifierFeatures, scheduler: Scheduler) -> float | None:
    result = scheduler.lookup(TrainClassifier(classifier=of.classifier))
    return result.of(TEST_CERTAINTY) if result else None


def _cell(cell: Cell, scheduler: Scheduler) -> CellView:
    if not cell.is_measured:
        return CellView(cell)
    run = scheduler.searches[cell.search.name] if cell.search else None
    winner = run.winner if run else None
    if run and winner is None:
        failed = "every trial failed" if run.is_complete else None
        return CellView(cell, n_missing=cell.n_seeds, failed=failed, best_so_far=run.best_so_far)
    jobs = scheduler.cell_jobs(cell)
    others = Frames | Nearest | SampleSize
    results = [scheduler.lookup(job) for job in jobs if not isinstance(job, others)]
    failures = [r.failed for r in results if r is not None and r.failed]
    missing = sum(r is None for r in results)
    measured: dict[str, Measured] = {}
    if not missing and not failures:
        for quantity in cell.quantities:
            values = tuple(v for r in results if r and (v := r.of(quantity)) is not None)
            if values:
                measured[quantity] = Measured(values)
    return CellView(
        cell,
        winner=winner,
        within_noise=run.within_noise if run else None,
        scores=tuple(job for job in jobs if isinstance(job, Score)),
        first_images=next((of for job in jobs if (of := _first_images(job))), None),
        measured=measured,
        certainty=_certainty(cell, [r for r in results if r]) if measured else {},
        sample_size=_numbers_of(
            next((j for j in jobs if isinstance(j, SampleSize)), None), scheduler
        ),
        frames=next((job for job in jobs if isinstance(job, Frames)), None),
        nearest=next((job for job in jobs if isinstance(job, Nearest)), None),
        n_missing=missing,
        failed=failures[0] if failures else None,
    )


def _numbers_of(job: Job | None, scheduler: Scheduler) -> Mapping[str, float]:
    result = scheduler.lookup(job) if job else None
    return result.numbers if result else {}


def _certainty(cell: Cell, results: list[Result]) -> dict[Output, Measured | None]:
    if classifier(cell) is None:
        return {}
    job = cell.job
    shown = [which for which in OUTPUTS if which in cell.quantities]
    found: dict[Output, Measured | None] = {}
    for which in [job.images] if isinstance(job, GeneratedShares) else shown:
        known = tuple(v for r in results if (v := r.of(certainty_of(which))) is not None)
        found[which] = Measured(known) if len(known) == len(results) else None
    return found


def _first_images(job: Job) -> Chunk | PictureChunk | RealFeatures | None:
    if isinstance(job, RealScore):  # features of points alone have a picture
        return job.features if isinstance(job.features.extractor, Coordinates) else None
    if isinstance(job, PicturesScore):
        return job.chunks()[0]
    return job.chunks()[0] if isinstance(job, Score | GeneratedShares) else None


def _data_notes(study: Study, store: Store) -> Iterator[str]:
    parts = (part for job in study.known_jobs for part in job.parts())
    for data in dict.fromkeys(part for part in parts if isinstance(part, DataSpec)):
        facts = recorded_data(store, data)
        if facts:
            n, distinct = data.n_images("test"), facts.n_distinct["test"]
            yield f"data {data.name}: {n:,} held-out images, {distinct:,} distinct"
            yield from facts.notes(data)


def _model_notes(study: Study, store: Store) -> Iterator[str]:
    parts = (part for job in study.known_jobs for part in job.parts())
    for model in dict.fromkeys(part for part in parts if isinstance(part, ImportedWeights)):
        manifest = store.manifest(model.stage, model.key)
        facts = manifest.result if manifest else {}
        notes = [str(facts[name]) for name in ("format", "notes", SPOT_CHECK) if facts.get(name)]
        file = f"model: {model.architecture} from the file with SHA-256 {model.weights.sha256}"
        yield "; ".join([file, *notes])


def _baselines(study: Study, store: Store) -> list[BaselineView]:
    names = {
        "held-out": "train, held-out",
        "gaussian": "train, Gaussian with equal mean and covariance",
    }
    views = []
    for job in study.baselines:
        manifest = store.manifest(job.stage, job.key)
        result = manifest.result if manifest else {}
        measure = job.reference.extractor.distance_name.split("[")[0]
        name = f"{measure}({names[job.kind]})"
        record = recorded_data(store, job.reference.data) if job.kind == "held-out" else None
        distinct = record.n_distinct["test"] if record else None
        views.append(BaselineView(name, result.get("distance"), result.get("n_images"), distinct))
    return views
