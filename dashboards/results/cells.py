"""What is known of a study's cells and baselines: read from the store, written nowhere.

The one place where results meet the paper's numbers. A difference exists only where the protocols
are equal; everything that shows a cell (terminal, CSV, MLflow) shows what is computed here.
"""

import statistics
from collections.abc import Mapping
from dataclasses import dataclass, field

from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial
from tuning.stages import (
    Chunk,
    Frames,
    GeneratedShares,
    Protocol,
    RealFeatures,
    RealScore,
    SampleSpec,
    Score,
)
from tuning.store.store import Store
from tuning.study import Cell, Study


@dataclass(frozen=True)
class Measured:
    """A number over seeds.

    Attributes:
        values: of each seed, in their order; at least one.
    """

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        """Over the seeds."""
        return statistics.fmean(self.values)

    @property
    def spread(self) -> float | None:
        """Standard deviation over the seeds (n - 1); None with one seed."""
        return statistics.stdev(self.values) if self.n_seeds > 1 else None

    @property
    def n_seeds(self) -> int:
        """Seeds measured."""
        return len(self.values)

    def __str__(self) -> str:
        """The mean, with the spread if there is one."""
        return f"{self.mean:.4g}" + ("" if self.spread is None else f" ±{self.spread:.2g}")

    def is_level(self, other: "Measured") -> bool:
        """Whether the two means are shown as the same number."""
        return f"{self.mean:.4g}" == f"{other.mean:.4g}"


@dataclass(frozen=True)
class CellView:
    """A cell as far as it is known.

    Attributes:
        cell: the cell.
        winner: the trial its settings come from, or None so far.
        scores: the scores that make it up, one per seed; empty for a cell of another kind.
        first_images: the job that holds pictures of its first images, on the first seed; None if
            it measures none, or so far.
        measured: by quantity; empty until all seeds are in.
        frames: the job of its frames along the chain, or None if there are to be none.
        n_missing: results still to be made; all of them are unknown while there is no winner.
        failed: why it will stay empty, or None.
        best_so_far: the search's best trial while there is no winner.
    """

    cell: Cell
    winner: Trial | None = None
    scores: tuple[Score, ...] = ()
    first_images: Chunk | RealFeatures | None = None
    measured: dict[str, Measured] = field(default_factory=dict)
    frames: Frames | None = None
    n_missing: int = 0
    failed: str | None = None
    best_so_far: Trial | None = None

    @property
    def sample(self) -> SampleSpec | None:
        """The images measured, on the first seed; None if there are none or so far."""
        return self.scores[0].sample if self.scores else None

    @property
    def r(self) -> float | None:
        """Its step size in units of the schedule-following step.

        None if its search was over no step size, or if no step follows the schedule.
        """
        if self.winner is not None:
            return self.winner.r
        return self.sample.r if self.sample else None

    @property
    def is_done(self) -> bool:
        """Whether all that will be known of it is known."""
        return bool(self.measured) or self.failed is not None

    def cost(self, quantity: str) -> float:
        """A measured number, turned so that lower is better."""
        mean = self.measured[quantity].mean
        return mean if self.cell.lower_is_better else -mean

    def difference(self, quantity: str) -> float | None:
        """Ours minus the paper's, only where both were measured by the same protocol."""
        reported, own = self.cell.reported.get(quantity), self.cell.protocol
        if reported is None or quantity not in self.measured:
            return None
        if own is None or reported.protocol is None or not reported.protocol.is_comparable(own):
            return None
        return self.measured[quantity].mean - reported.value


@dataclass(frozen=True)
class BaselineView:
    """A baseline's distance, or None so far."""

    name: str
    distance: float | None
    n_images: int | None


@dataclass(frozen=True)
class StudyView:
    """All that a study's store says of its table."""

    study: Study
    cells: tuple[CellView, ...]
    baselines: tuple[BaselineView, ...]
    runs: Mapping[str, SearchRun]

    @property
    def protocols(self) -> list[Protocol]:
        """The protocols of the measured cells, each once."""
        own = [c.cell.protocol for c in self.cells if c.cell.is_measured and c.cell.protocol]
        return list(dict.fromkeys(own))


def read_study(scheduler: Scheduler, store: Store) -> StudyView:
    """Reads what is known of a study.

    Args:
        scheduler: the study's scheduler.
        store: its store.
    """
    study = scheduler.study
    return StudyView(
        study=study,
        cells=tuple(_cell(cell, scheduler) for cell in study.cells),
        baselines=tuple(_baselines(study, store)),
        runs=scheduler.searches,
    )


def _cell(cell: Cell, scheduler: Scheduler) -> CellView:
    if not cell.is_measured:
        return CellView(cell)
    run = scheduler.searches[cell.search.name] if cell.search else None
    winner = run.winner if run else None
    if run and winner is None:
        failed = "every trial failed" if run.is_complete else None
        return CellView(cell, n_missing=cell.n_seeds, failed=failed, best_so_far=run.best_so_far)
    jobs = scheduler.cell_jobs(cell)
    results = [scheduler.lookup(job) for job in jobs if not isinstance(job, Frames)]
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
        scores=tuple(job for job in jobs if isinstance(job, Score)),
        first_images=next((of for job in jobs if (of := _first_images(job))), None),
        measured=measured,
        frames=next((job for job in jobs if isinstance(job, Frames)), None),
        n_missing=missing,
        failed=failures[0] if failures else None,
    )


def _first_images(job: Job) -> Chunk | RealFeatures | None:
    if isinstance(job, RealScore):
        return job.features
    return job.chunks()[0] if isinstance(job, Score | GeneratedShares) else None


def _baselines(study: Study, store: Store) -> list[BaselineView]:
    names = {"held-out": "train, held-out", "gaussian": "train, Gaussian of the same moments"}
    views = []
    for job in study.baselines:
        manifest = store.manifest(job.stage, job.key)
        result = manifest.result if manifest else {}
        measure = job.reference.extractor.distance_name.split("[")[0]
        name = f"{measure}({names[job.kind]})"
        views.append(BaselineView(name, result.get("distance"), result.get("n_images")))
    return views
