"""The forecast of a study's remaining work, before and during a run.

The future proposals of a search are unknown, but their cost is known, at least approximately: a
trial costs the same at every step size, and random values stand in for other parameters. A search
counts with its cap of trials until it ends. The whole study can therefore be counted in advance:
jobs stored and to run, images, network evaluations, hours (see `rates`) and disk space.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field

from tuning.cells import Cell
from tuning.jobs import Job, Stage, Work
from tuning.scheduling.amounts import duration
from tuning.scheduling.rates import Rates
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.store.store import Store


@dataclass(frozen=True)
class StageForecast:
    """The forecast of one stage of a study, or of all stages together.

    Attributes:
        stage: name of the stage, or "all" for all stages.
        n_stored: number of finished jobs.
        n_to_run: number of jobs to run, including the jobs of future trials.
        work: total work of the jobs to run.
        hours: time of the jobs to run on one device, one after another, in hours.
        is_estimate: whether `hours` is based on an assumed throughput.
    """

    stage: str
    n_stored: int
    n_to_run: int
    work: Work
    hours: float
    is_estimate: bool

    @property
    def n_jobs(self) -> int:
        """Number of all jobs, finished and to run."""
        return self.n_stored + self.n_to_run

    @property
    def mark(self) -> str:
        """Prefix of the remaining time: "est. " if the time is an estimate, else ""."""
        return "est. " if self.is_estimate and self.n_to_run else ""

    @property
    def time_left(self) -> str:
        """Remaining time as text with its prefix, such as "est. 7h05m"; "" if no job is left."""
        return f"{self.mark}{duration(self.hours * 3600)}" if self.n_to_run else ""


def total(rows: Sequence[StageForecast]) -> StageForecast:
    """Returns the sum of all stages of a forecast, as the stage "all"."""
    return StageForecast(
        "all",
        sum(row.n_stored for row in rows),
        sum(row.n_to_run for row in rows),
        sum((row.work for row in rows), Work()),
        sum(row.hours for row in rows),
        any(row.is_estimate for row in rows if row.n_to_run),
    )


@dataclass
class _Count:
    n_stored: int = 0
    left: defaultdict[str, list[Work]] = field(default_factory=lambda: defaultdict(list))


def forecast(scheduler: Scheduler, store: Store, device: str) -> list[StageForecast]:
    """Forecasts the remaining work of a study, stage by stage.

    Args:
        scheduler: scheduler of the study.
        store: store of the study, which holds the measured rates.
        device: class of the device that runs the expensive jobs, such as "gpu" or "cpu x1".

    Returns:
        One row for each stage that has jobs, in the order of the stages.
    """
    counts: defaultdict[Stage, _Count] = defaultdict(_Count)
    jobs = list(_all_jobs(scheduler))
    left = _left(jobs, scheduler)
    for job, share in _each_once(jobs):
        if scheduler.is_done(job):
            counts[job.STAGE].n_stored += 1
        elif job.key in left:
            counts[job.STAGE].left[job.rate_name].append(_part(job.work(), share))
    rates = Rates(store)
    rows = []
    for stage, count in sorted(counts.items(), key=lambda item: item[0].order):
        work = {name: sum(each, Work()) for name, each in count.left.items()}
        hours = [
            rates.hours(name, stage, work[name], len(each), device)
            for name, each in count.left.items()
        ]
        rows.append(
            StageForecast(
                stage.name, count.n_stored, sum(map(len, count.left.values())),
                sum(work.values(), Work()),
                sum(h for h, _ in hours), any(is_estimate for _, is_estimate in hours),
            )
        )  # fmt: skip
    return rows


def _left(jobs: Iterable[Job], scheduler: Scheduler) -> set[str]:
    """Returns the keys of the jobs to run; inputs that only stored jobs need are left out."""
    found: set[str] = set()
    waiting = list(jobs)
    while waiting:
        job = waiting.pop()
        if job.key not in found and not scheduler.is_done(job):
            found.add(job.key)
            waiting += job.inputs()
    return found


def _all_jobs(scheduler: Scheduler) -> Iterable[Job]:
    """Yields every job of the study, with placeholders of equal cost for future trials."""
    study = scheduler.study
    yield from study.fixed_jobs
    for run in scheduler.searches.values():
        yield from _search_jobs(run, study.cells)


def _search_jobs(run: SearchRun, cells: Iterable[Cell]) -> Iterable[Job]:
    search, space, trials = run.search, run.space, run.trials
    is_spent = run.is_spent
    n_trials = len(trials) if is_spent else search.n_trials
    # The first values of a search are known.
    known = [*(t.values for t in (*run.ranked(trials), *trials)), *search.starts]
    # Unique by key: a start may already be a trial, or equal a trial after rounding.
    tried = list({space.score(values).key: values for values in known}.values())
    placeholders = space.placeholder_values(max(1, n_trials - len(tried)), tried)
    tried = (tried + placeholders)[:n_trials]
    for values in tried:
        yield from space.scores(values)
    # It is not known which trials reach the next rung. Of the trials not measured, the last are
    # taken first: they are placeholders, which share no work with a cell.
    ranked = [t.values for t in run.ranked(trials)]
    tried = ranked + [v for v in reversed(tried) if v not in ranked]
    reached = run.rungs() if is_spent else []
    for number, rung in enumerate(search.ladder, start=1):
        is_known = number < len(reached)
        if run.is_complete and not is_known:  # the best stood alone: nothing is measured again
            break
        tried = [t.values for t in reached[number]] if is_known else tried[: rung.keep]
        for values in tried:
            yield from space.scores(values, rung)
    best = run.winner.score if run.winner else space.score((placeholders or tried)[-1])
    for cell in cells:
        if cell.search is search:
            yield from cell.jobs(best)


def stored_jobs(scheduler: Scheduler) -> Iterator[Job]:
    """Yields each finished job that a study depends on once, inputs first."""
    return (job for job, _ in _each_once(_all_jobs(scheduler)) if scheduler.is_done(job))


def total_work(jobs: Iterable[Job]) -> Work:
    """Returns the cost of jobs and all their dependencies, each counted once, stored or not."""
    return sum((_part(job.work(), share) for job, share in _each_once(jobs)), Work())


def _each_once(jobs: Iterable[Job]) -> Iterator[tuple[Job, float]]:
    """Yields jobs and all their dependencies, each once, inputs first.

    A job of a chain continues from the furthest job of the chain before it, in whatever order the
    jobs are visited.

    Yields:
        A job and the share of its work that it does itself, in [0, 1].
    """
    seen: set[str] = set()
    reached: dict[str, int] = {}

    def visit(job: Job) -> Iterator[tuple[Job, float]]:
        if job.key in seen:
            return
        seen.add(job.key)
        for needed in job.inputs():
            yield from visit(needed)
        share = 1.0
        if job.chain is not None:
            start = reached.get(job.chain, 0)
            reached[job.chain] = max(start, job.position)
            share = max(0, job.position - start) / job.position
        yield job, share

    for job in jobs:
        yield from visit(job)


def _part(work: Work, share: float) -> Work:
    """Returns a share of some work; the number of stored bytes stays the same."""
    if share == 1.0:
        return work
    return Work(
        round(work.images * share), round(work.evaluations * share),
        work.multiply_adds * share, work.n_bytes,
    )  # fmt: skip
