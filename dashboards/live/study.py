"""One study of a store, read again and again while somebody looks at its page."""

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.drawing.charts import draw_chart, figures_as_json
from dashboards.figures.registry import figures
from dashboards.live.failures import FailureLine, failure_lines
from dashboards.live.fresh import Fresh
from dashboards.live.newest import Pictured, newest
from dashboards.live.stages import StageLine, stage_lines
from dashboards.live.tables import LiveTable, live_table
from dashboards.results.cells import StudyView, read_study
from dashboards.results.costs import JobCost, job_costs
from dashboards.text.answers import answer
from dashboards.text.table import foot, heading
from tuning.drivers.driver import Driver, Holder
from tuning.drivers.lock import holder_of
from tuning.execution.resources import likely_device
from tuning.scheduling.forecast import forecast
from tuning.scheduling.scheduler import Scheduler
from tuning.store.history import Start, history, latest_status
from tuning.store.store import Store
from tuning.study import Study

_PICTURED = 4


@dataclass(frozen=True)
class Results:
    """The results of a study at a moment.

    Attributes:
        scheduler: scheduler that holds the results.
        view: results of cells and searches.
        table: the table as it fills.
        failures: what failed.
        newest: newest samples.
        status: last status of the latest launch; None if there is none.
        holder: process that runs the study; None if none does.
        starts: launches, the latest first.
        is_complete: whether nothing is left to run.
    """

    scheduler: Scheduler
    view: StudyView
    table: LiveTable
    failures: list[FailureLine]
    newest: list[Pictured]
    status: Mapping[str, Any] | None
    holder: Holder | None
    starts: list[Start]
    is_complete: bool

    @property
    def state(self) -> str:
        """State of the study: "done", "running" or "not running"."""
        return "running" if self.holder else "done" if self.is_complete else "not running"

    @property
    def process(self) -> str:
        """The process that runs the study, as text; "" if none does."""
        holder = self.holder
        return f"process {holder['pid']} on {str(holder['host']).split('/')[0]}" if holder else ""

    @property
    def gpus(self) -> str:
        """GPUs in use, as text; "" if no launch runs or the launch has no GPU."""
        if self.holder is None or not self.status or not self.status["gpus"]:
            return ""
        taken, number = self.status["gpus"]
        return f"{taken:g} of {number:g} GPUs in use"

    @property
    def n_done(self) -> int:
        """Number of cells that are measured or have failed."""
        return sum(cell.is_done for cell in self.view.cells if cell.cell.is_measured)

    @property
    def n_cells(self) -> int:
        """Number of cells to measure."""
        return sum(cell.cell.is_measured for cell in self.view.cells)

    @property
    def best(self) -> list[str]:
        """Best value of each unfinished search, one line of text each."""
        runs = self.view.runs.values()
        return [
            f"{run.search.name}: {run.best_so_far.value:.4g}"
            for run in runs
            if run.best_so_far and run.best_so_far.value is not None and not run.is_complete
        ]


@dataclass(frozen=True)
class Amounts:
    """How much of a study is done and left, and what its results say.

    Attributes:
        lines: a line for each stage, and the line of all stages at the end.
        devices: device time so far in seconds, by class of device.
        n_bytes: size of the results in the store.
        answer: answer to the study's question so far.
        heading: line that explains the numbers of the table.
        notes: notes under the table.
    """

    lines: list[StageLine]
    devices: Mapping[str, float]
    n_bytes: int
    answer: str
    heading: str
    notes: list[str]

    @property
    def all(self) -> StageLine:
        """The line of all stages together."""
        return self.lines[-1]


class LiveStudy:
    """A study of a store as it is now.

    Args:
        study: the study, with the settings of its last run.
        store: the store.
        observer: driver that detects which other drivers are running; it is never entered.

    Attributes:
        results: its results.
        amounts: how much is done and left; counted after the results.
    """

    def __init__(self, study: Study, store: Store, observer: Driver) -> None:
        self.study, self.store, self._observer = study, store, observer
        self._costs: dict[str, JobCost] = {}
        self.results = Fresh(self._read)
        self.amounts = Fresh(self._count)
        self._drawing = threading.Lock()
        self._drawn: tuple[Results | None, str] = (None, "[]")

    def _read(self, before: Results | None) -> Results:
        name, store = self.study.id, self.store
        scheduler = Scheduler(self.study, store, known=before.scheduler if before else None)
        view, status = read_study(scheduler, store), latest_status(store, name)
        return Results(
            scheduler,
            view,
            live_table(view),
            failure_lines(view, status),
            newest(view, store, _PICTURED),
            status,
            holder_of(self._observer, name),
            history(store, name)[::-1],
            scheduler.is_complete(),
        )

    def _count(self, before: Amounts | None) -> Amounts:
        results = self.results.latest()
        view = results.view
        scheduler, status = results.scheduler, results.status if results.holder else None
        rows = forecast(scheduler, self.store, likely_device(self.study))
        costs = list(job_costs(scheduler, self.store, self._costs))
        devices: dict[str, float] = {}
        for job in costs:
            devices[job.device] = devices.get(job.device, 0.0) + job.cost.seconds
        n_bytes = sum(job.cost.n_bytes for job in costs)
        return Amounts(
            stage_lines(rows, costs, status),
            devices,
            n_bytes,
            " ".join(answer(view)),
            heading(view),
            foot(view),
        )

    def figures(self) -> str:
        """Returns the figures so far as JSON: title, shape and plotly figure of each."""
        results = self.results.latest()
        with self._drawing:
            if self._drawn[0] is not results:
                charts = figures(results.scheduler, self.store)
                text = figures_as_json(
                    {"title": chart.title, "shape": chart.shape, "figure": draw_chart(chart)}
                    for chart in charts
                )
                self._drawn = results, text
            return self._drawn[1]
