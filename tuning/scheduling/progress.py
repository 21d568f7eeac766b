"""The live display of a run: stages with rate and ETA, running jobs, best trials and failures.

In a terminal and in a notebook the display is redrawn in place. Elsewhere (a log file, a pipe) it
prints one plain line every 30 seconds, without escape codes.
"""

import contextlib
import html
import io
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Self

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.table import Table
from rich.text import Text

from tuning.jobs import Job
from tuning.scheduling.amounts import duration
from tuning.scheduling.forecast import StageForecast, forecast, total
from tuning.scheduling.pace import Pace
from tuning.scheduling.rates import Rates
from tuning.scheduling.scheduler import Scheduler
from tuning.scheduling.status import Status, status_of
from tuning.store.documents import StoreError
from tuning.store.history import now
from tuning.store.store import Store

_REDRAW_SECONDS = 1.0
_LINE_SECONDS = 30.0
_STATUS_SECONDS = 5.0
_NOTEBOOK_COLUMNS = 100
_SHOWN_FAILURES = 3


@dataclass(frozen=True)
class Gpus:
    """The GPUs of a run.

    Attributes:
        number: number of GPUs that the run has or can get.
        share_of: function that returns the number of GPUs, possibly fractional, a job occupies.
    """

    number: float
    share_of: Callable[[Job], float]


class NotebookOutput:
    """An output below a notebook's cell that is replaced in place."""

    def __init__(self) -> None:
        from IPython.display import display  # installed where a notebook runs, and only there

        self._handle = display({"text/plain": ""}, raw=True, display_id=True)

    def show(self, shown: RenderableType) -> None:
        """Replaces the content of the output by what rich renders, as text."""
        text = io.StringIO()
        plain_text = Console(
            file=text, width=_NOTEBOOK_COLUMNS, color_system=None, force_jupyter=False
        )
        plain_text.print(shown)
        plain = text.getvalue().rstrip()
        content = {"text/plain": plain, "text/html": f"<pre>{html.escape(plain)}</pre>"}
        self._handle.update(content, raw=True)


class Display:
    """A context manager that shows the progress of a scheduler while it is active.

    Args:
        scheduler: scheduler whose progress is shown.
        store: store of the study, which holds the measured rates.
        device: class of the device that runs the expensive jobs, as in `forecast`.
        concurrent: number of jobs that run at the same time; values below 1 count as 1.
        console: console to write to.
        gpus: GPUs of the run; None if the run has no GPU.
        on_status: function that receives the status every five seconds or so, and at the end.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        store: Store,
        device: str,
        concurrent: int,
        console: Console,
        gpus: Gpus | None = None,
        on_status: Callable[[Status], None] = lambda status: None,
    ) -> None:
        self._on_status, self._started_at = on_status, now()
        self._next_status = self._next_line = 0.0
        self._scheduler, self._store, self._device, self._gpus = scheduler, store, device, gpus
        self._concurrent, self._console = max(1, concurrent), console
        self._pace = Pace(self._predicted_seconds)
        self._started = time.monotonic()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._loop, daemon=True, name="display")

    def __enter__(self) -> Self:
        self._live = Live(console=self._console, auto_refresh=False, transient=True)
        if self._console.is_terminal:
            self._live.start()
        elif self._console.is_jupyter:
            self._output = NotebookOutput()
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        if self._console.is_terminal:
            self._live.stop()
        with contextlib.suppress(StoreError):
            rows = self._rows()
            self._on_status(self.status(rows))
            if self._console.is_jupyter and not self._console.is_terminal:
                self._output.show(self._panel(rows))  # stays below the cell: must show the end

    def _loop(self) -> None:
        in_place = self._console.is_terminal or self._console.is_jupyter
        shortest = min(_REDRAW_SECONDS if in_place else _LINE_SECONDS, _STATUS_SECONDS)
        pause, self._next_line = shortest, time.monotonic() + _LINE_SECONDS
        while not self._stop.wait(pause):
            started = time.thread_time()
            # If the store is briefly unavailable, the running jobs report the error.
            with contextlib.suppress(StoreError):
                self._draw()
            # Counting thousands of jobs takes time: spend at most a twentieth of the time on it.
            pause = max(shortest, 20 * (time.thread_time() - started))

    def _rows(self) -> list[StageForecast]:
        self._pace.note(list(self._scheduler.progress.values()), time.monotonic())
        return [
            replace(row, hours=row.hours * self._pace.factor(row.stage)) if row.is_estimate else row
            for row in forecast(self._scheduler, self._store, self._device)
        ]

    def _draw(self) -> None:
        rows, at = self._rows(), time.monotonic()
        if at >= self._next_status:
            self._next_status = at + _STATUS_SECONDS
            self._on_status(self.status(rows))
        if self._console.is_terminal:
            self._live.update(self._panel(rows), refresh=True)
        elif self._console.is_jupyter:
            self._output.show(self._panel(rows))
        elif at >= self._next_line:
            self._next_line = at + _LINE_SECONDS
            self._console.print(self._line(rows), soft_wrap=True, highlight=False)

    def status(self, rows: list[StageForecast]) -> Status:
        """Returns the status of the launch.

        Args:
            rows: forecast of the study, by stage.
        """
        return status_of(
            self._scheduler, rows,
            started=self._started_at, minutes=max(time.monotonic() - self._started, 1e-3) / 60,
            seconds_left=self._seconds_left(rows), spread=self._spread,
            gpus=(self._gpus_taken(), self._gpus.number) if self._gpus else None,
        )  # fmt: skip

    def _panel(self, rows: list[StageForecast]) -> Group:
        stages = Table("stage", "done", "rate", "left", box=None, pad_edge=False)
        for row in rows:
            left = duration(row.hours * 3600 / self._spread(row)) if row.n_to_run else "done"
            stages.add_row(row.stage, f"{row.n_stored}/{row.n_jobs}", self._rate(row.stage), left)
        end = " | ".join([*self._gpus_in_use(), f"ETA {self._eta(rows)}"])
        failures = [Text(f"  {line}", style="red") for line in self._failures()]
        return Group(stages, *self._running(), *self._searches(), *failures, Text(end))

    def _line(self, rows: list[StageForecast]) -> str:
        done = " ".join(
            " ".join(
                part
                for part in (
                    f"{r.stage} {r.n_stored}/{r.n_jobs}", self._inside(r.stage), self._rate(r.stage)
                )
                if part
            )
            for r in rows
        )  # fmt: skip
        best = " ".join(text.plain for text in self._searches())
        elapsed = duration(time.monotonic() - self._started)
        rest = (*self._failures(), *self._gpus_in_use(), f"ETA {self._eta(rows)}")
        return " | ".join(part for part in (elapsed, done, best, *rest) if part)

    def _failures(self) -> list[str]:
        """Returns a line for each of the latest failures, after the number of earlier ones."""
        failures = list(self._scheduler.failures.values())
        earlier = len(failures) - _SHOWN_FAILURES
        lines = [f"{earlier} failures before these"] if earlier > 0 else []
        for failure in failures[-_SHOWN_FAILURES:]:
            cause = " ".join(failure.cause.split())
            lines.append(f"failed ({failure.then}): {failure.job.title()}: {cause}")
        return lines

    def _gpus_in_use(self) -> list[str]:
        if self._gpus is None:
            return []
        return [f"GPUs in use: {self._gpus_taken():g} of {self._gpus.number:g}"]

    def _gpus_taken(self) -> float:
        assert self._gpus is not None
        # A job without progress may still be waiting for resources.
        running = [job for job, at in list(self._scheduler.progress.values()) if at is not None]
        return sum(map(self._gpus.share_of, running))

    def _running(self) -> list[Text]:
        lines = []
        for job, progress in list(self._scheduler.progress.values()):
            if progress is not None:
                share = f"{progress.done:,}/{progress.total:,} {progress.unit}"
                lines.append(Text(f"  {job.title()}: {share}", style="dim"))
        return lines

    def _inside(self, stage: str) -> str:
        """Returns how far the running jobs of a stage are, as text; "" without progress."""
        running = [p for job, p in list(self._scheduler.progress.values()) if job.stage == stage]
        known = [progress for progress in running if progress is not None]
        if len(known) == 1:
            return f"({known[0].done:,}/{known[0].total:,} {known[0].unit})"
        mean = sum(p.done / max(1, p.total) for p in known) / max(1, len(known))
        return f"({len(known)} running, {mean:.0%} on average)" if known else ""

    def _predicted_seconds(self, job: Job) -> float:
        rates = Rates(self._store)
        hours, _ = rates.hours(job.rate_name, job.STAGE, job.work(), 1, self._device)
        return hours * 3600

    def _searches(self) -> list[Text]:
        """Returns a line for each running search, after the number of complete searches."""
        lines, searches = [], self._scheduler.searches
        done = sum(run.is_complete for run in searches.values())
        if done:
            lines.append(Text(f"{done} of {len(searches)} searches done"))
        for name, run in searches.items():
            best = run.best_so_far
            if best is not None and not run.is_complete:
                tried = sum(t.result is not None for t in run.trials)
                lines.append(
                    Text(f"{name}: best {best.value:.4g} ({tried} of {run.search.budget})")
                )
        return lines

    def _rate(self, stage: str) -> str:
        """Returns the jobs of a stage finished per minute in this launch, as text; "" for none."""
        finished = self._scheduler.finished_here[stage]
        minutes = (time.monotonic() - self._started) / 60
        return f"{finished / minutes:.1f}/min" if finished else ""

    def _spread(self, row: StageForecast) -> int:
        """Returns how many devices a stage can use; snapshots of one run are trained one by one."""
        snapshots = self._scheduler.study.snapshots
        runs = {snapshot.chain for snapshot in snapshots if snapshot.stage == row.stage}
        return min(len(runs) or self._concurrent, self._concurrent)

    def _eta(self, rows: list[StageForecast]) -> str:
        return f"{total(rows).mark}{duration(self._seconds_left(rows))}"

    def _seconds_left(self, rows: list[StageForecast]) -> float:
        seconds = sum(row.hours * 3600 / self._spread(row) for row in rows)
        for job, progress in list(self._scheduler.progress.values()):
            row = next((row for row in rows if row.stage == job.stage and row.n_to_run), None)
            if progress is not None and row is not None:
                one = row.hours * 3600 / row.n_to_run / self._spread(row)
                seconds -= one * min(1.0, progress.done / max(1, progress.total))
        return max(0.0, seconds)
