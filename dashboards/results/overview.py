"""Overview of all studies of a store: progress, running process and best trials so far."""

from dataclasses import dataclass

from dashboards.results.cells import read_study
from scorelib.errors import InputError
from studies.opening.open_study import last_run_studies
from tuning.drivers.driver import Driver, Holder
from tuning.drivers.lock import holder_of
from tuning.execution.resources import likely_device
from tuning.scheduling.amounts import duration
from tuning.scheduling.forecast import forecast, total
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import TrainedWeights
from tuning.store.store import Store


@dataclass(frozen=True)
class StudyRow:
    """The progress of a study.

    Attributes:
        name: name and scale, which identify the study on a store.
        title: exhibit and caption.
        n_done: number of finished jobs.
        n_jobs: number of all jobs, including the jobs of future trials.
        n_cells_done: number of cells that are measured or have failed.
        n_cells: number of cells to measure.
        best: best value of each unfinished search, one line of text each.
        time_left: remaining time on one device as text; "" if no job is left.
        process: text that names the process that runs the study; None if no process does.
        has_searches: whether the study has searches.
        has_trainings: whether a training is stored.
    """

    name: str
    title: str
    n_done: int
    n_jobs: int
    n_cells_done: int
    n_cells: int
    best: tuple[str, ...]
    time_left: str
    process: str | None
    has_searches: bool
    has_trainings: bool

    @property
    def share(self) -> float:
        """Share of finished jobs, in [0, 1]."""
        return self.n_done / self.n_jobs if self.n_jobs else 1.0

    @property
    def state(self) -> str:
        """State of the study: "done", "running" or "not running"."""
        if self.n_done == self.n_jobs:
            return "done"
        return "running" if self.process else "not running"


@dataclass(frozen=True)
class Overview:
    """The studies that were run on a store.

    Attributes:
        rows: progress of each study.
        unreadable: errors that say why studies cannot be shown, by name, such as studies of another
            version.
    """

    rows: list[StudyRow]
    unreadable: dict[str, InputError]


def overview(store: Store, observer: Driver) -> Overview:
    """Returns the progress of every study that was run on a store.

    Args:
        store: the store.
        observer: driver that detects which other drivers are running; the caller passes the same
            object to every call and never enters it.
    """
    last_run = last_run_studies(store)
    rows = [_row(Scheduler(study, store), store, observer) for study in last_run.studies]
    return Overview(rows, last_run.unreadable)


def _row(scheduler: Scheduler, store: Store, observer: Driver) -> StudyRow:
    study = scheduler.study
    name = study.id
    rows = forecast(scheduler, store, likely_device(study))
    jobs = total(rows)
    cells = [cell for cell in read_study(scheduler, store).cells if cell.cell.is_measured]
    best = []
    for run in scheduler.searches.values():
        found = run.best_so_far
        if found and not run.is_complete:
            best.append(f"{run.search.name}: {found.value:.4g}")
    holder = holder_of(observer, name)
    return StudyRow(
        name=name,
        title=f"{study.exhibit}. {study.title}",
        n_done=jobs.n_stored,
        n_jobs=jobs.n_jobs,
        n_cells_done=sum(cell.is_done for cell in cells),
        n_cells=len(cells),
        best=tuple(best),
        time_left=duration(jobs.hours * 3600) if jobs.n_to_run else "",
        process=_process_name(holder) if holder else None,
        has_searches=bool(scheduler.searches),
        has_trainings=any(row.stage == TrainedWeights.STAGE.name and row.n_stored for row in rows),
    )


def _process_name(holder: Holder) -> str:
    return f"process {holder['pid']} on {str(holder['host']).split('/')[0]}"
