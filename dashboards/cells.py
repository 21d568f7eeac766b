"""What is known of a study's cells and yardsticks: read from the store, written nowhere.

The one place where results meet the paper's numbers. A difference exists only where the protocols
are equal; everything that shows a cell (terminal, CSV, MLflow) shows what is computed here.
"""

import statistics
from dataclasses import dataclass

from tuning.scheduler import Scheduler
from tuning.search import Trial
from tuning.stages import OBJECTIVES, FidProtocol, Objective
from tuning.store import Store
from tuning.study import Cell, Study


@dataclass(frozen=True)
class Measured:
    """A distance over seeds.

    Attributes:
        mean: over the seeds.
        spread: standard deviation over the seeds (n - 1); None with one seed.
        n_seeds: seeds measured.
    """

    mean: float
    spread: float | None
    n_seeds: int


@dataclass(frozen=True)
class CellView:
    """A cell as far as it is known.

    Attributes:
        cell: the cell.
        winner: the trial its step size comes from, or None so far.
        measured: by "raw" and "denoised"; empty until all seeds are in.
        n_missing: scores still to be made; all of them are unknown while there is no winner.
        failed: why it will stay empty, or None.
        best_so_far: the search's best trial while there is no winner.
        trials: the search's trials.
    """

    cell: Cell
    winner: Trial | None
    measured: dict[Objective, Measured]
    n_missing: int
    failed: str | None
    best_so_far: Trial | None
    trials: tuple[Trial, ...] = ()

    def difference(self, which: Objective) -> float | None:
        """Ours minus the paper's, only where both were measured by the same protocol."""
        reported = self.cell.reported.get(which)
        if reported is None or which not in self.measured:
            return None
        if not reported.protocol.is_comparable(self.cell.protocol):
            return None
        return self.measured[which].mean - reported.value

    @property
    def edge(self) -> str | None:
        """The side, "lower" or "upper", on which nothing was tried beyond the best, or None."""
        if self.winner is None or len(self.trials) < 2:
            return None
        tried = [t.epsilon for t in self.trials]
        if self.winner.epsilon == min(tried):
            return "lower"
        return "upper" if self.winner.epsilon == max(tried) else None


@dataclass(frozen=True)
class YardstickView:
    """A yardstick's distance, or None so far."""

    name: str
    distance: float | None
    n_images: int | None


@dataclass(frozen=True)
class StudyView:
    """All that a study's store says of its table."""

    study: Study
    cells: tuple[CellView, ...]
    yardsticks: tuple[YardstickView, ...]

    @property
    def protocol(self) -> FidProtocol:
        """The protocol of the measured cells."""
        return next(c.cell.protocol for c in self.cells if c.cell.search)


def view(scheduler: Scheduler, store: Store) -> StudyView:
    """Reads what is known of a study.

    Args:
        scheduler: the study's scheduler.
        store: its store.
    """
    study = scheduler.study
    return StudyView(
        study=study,
        cells=tuple(_cell(cell, scheduler) for cell in study.cells),
        yardsticks=tuple(_yardsticks(study, store)),
    )


def _cell(cell: Cell, scheduler: Scheduler) -> CellView:
    if cell.search is None:
        return CellView(cell, None, {}, 0, None, None)
    run = scheduler.searches[cell.search.name]
    trials = tuple(run.trials)
    winner = run.winner
    if winner is None:
        failed = "every step size failed" if run.is_complete else None
        return CellView(cell, None, {}, cell.n_seeds, failed, run.best_so_far, trials)
    results = [scheduler.lookup(score) for score in cell.scores(winner.epsilon)]
    failures = [r.failed for r in results if r is not None and r.failed]
    missing = sum(r is None for r in results)
    measured: dict[Objective, Measured] = {}
    if not missing and not failures:
        for which in OBJECTIVES:
            values = [v for r in results if r and (v := r.of(which)) is not None]
            spread = statistics.stdev(values) if len(values) > 1 else None
            measured[which] = Measured(statistics.fmean(values), spread, len(values))
    failed = failures[0] if failures else None
    return CellView(cell, winner, measured, missing, failed, None, trials)


def _yardsticks(study: Study, store: Store) -> list[YardstickView]:
    names = {"held-out": "train, held-out", "gaussian": "train, Gaussian of the same moments"}
    views = []
    for job in study.yardsticks:
        manifest = store.manifest(job.stage, job.key)
        result = manifest.result if manifest else {}
        views.append(YardstickView(names[job.kind], result.get("distance"), result.get("n_images")))
    return views
