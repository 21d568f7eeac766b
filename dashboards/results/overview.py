"""Overview of all studies of a store: how far each is."""

from dataclasses import dataclass

from dashboards.results.cells import read_study
from scorelib.errors import InputError
from studies.opening.open_study import last_run_studies
from tuning.drivers.driver import Driver
from tuning.drivers.lock import holder_of
from tuning.execution.resources import likely_device
from tuning.scheduling.forecast import forecast, total
from tuning.scheduling.scheduler import Scheduler
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
        is_running: whether a process runs the study.
    """

    name: str
    title: str
    n_done: int
    n_jobs: int
    n_cells_done: int
    n_cells: int
    is_running: bool

    @property
    def state(self) -> str:
        """State of the study: "done", "running" or "not running"."""
        if self.n_done == self.n_jobs:
            return "done"
        return "running" if self.is_running else "not running"


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
    jobs = total(forecast(scheduler, store, likely_device(study)))
    cells = [cell for cell in read_study(scheduler, store).cells if cell.cell.is_measured]
    return StudyRow(
        name=study.id,
        title=f"{study.exhibit}. {study.title}",
        n_done=jobs.n_stored,
        n_jobs=jobs.n_jobs,
        n_cells_done=sum(cell.is_done for cell in cells),
        n_cells=len(cells),
        is_running=holder_of(observer, study.id) is not None,
    )
