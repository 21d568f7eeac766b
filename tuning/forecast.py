"""The forecast: what a study still needs, before and while it runs.

The searches' future step sizes are unknown, but what they cost is not: a trial of a search costs
the same at every step size. So the whole study can be counted in advance: jobs stored and to run,
images, network evaluations, hours, disk. Hours come from the rates measured on this class of device
and kept in the store; until there are any, from multiply-adds and a stated throughput, and are then
marked as estimates.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

from tuning.jobs import Job, Work
from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.stages import Chunk, Snapshot
from tuning.store import Manifest, Store, as_name
from tuning.study import Cell

STAGES = ("classifier", "train", "sample", "reference", "score", "yardstick")

ASSUMED_MULTIPLY_ADDS_PER_SECOND = {"cpu": 2e10, "gpu": 1.5e13}
"""Stated throughput until measured: one CPU core in float32; a V100-class GPU in TF32 or FP32."""

_ASSUMED_SECONDS = {"classifier": 20.0, "reference": 5.0, "score": 2.0, "yardstick": 2.0}


@dataclass(frozen=True)
class StageForecast:
    """One stage of a study.

    Attributes:
        stage: its name.
        n_stored: jobs finished.
        n_to_run: jobs left, those of future trials included.
        work: what those left will do.
        hours: how long they take on one device, all after another.
        is_estimate: whether `hours` rests on an assumed throughput.
    """

    stage: str
    n_stored: int
    n_to_run: int
    work: Work
    hours: float
    is_estimate: bool


@dataclass
class _Count:
    n_stored: int = 0
    n_to_run: int = 0
    work: Work = field(default_factory=Work)


def forecast(scheduler: Scheduler, store: Store, device: str) -> list[StageForecast]:
    """Counts a study's jobs by stage.

    Args:
        scheduler: the study's scheduler.
        store: its store, for measured rates.
        device: class of device the dear jobs run on: "gpu", or such as "cpu x1".

    Returns:
        A row for each stage that has jobs.
    """
    counts = {stage: _Count() for stage in STAGES}
    seen: set[str] = set()
    trained: dict[str, int] = {}
    for job in _all_jobs(scheduler):
        _count(job, scheduler, counts, seen, trained)
    rates = Rates(store)
    rows = []
    for stage, count in counts.items():
        if count.n_stored or count.n_to_run:
            hours, is_estimate = rates.hours(stage, count.work, count.n_to_run, device)
            rows.append(
                StageForecast(stage, count.n_stored, count.n_to_run, count.work, hours, is_estimate)
            )
    return rows


def _all_jobs(scheduler: Scheduler) -> Iterable[Job]:
    """Every job of the study; future trials stand in with step sizes that cost the same."""
    study = scheduler.study
    yield from study.fixed_jobs
    for run in scheduler.searches.values():
        yield from _search_jobs(run, study.cells)


def _search_jobs(run: SearchRun, cells: Iterable[Cell]) -> Iterable[Job]:
    search, space = run.search, run.search.space
    low, high = space.sample.sampler.interval(space.sample.model.train.schedule)
    # Stand-ins differ from one another and, not being rounded, from any real proposal.
    n_trials = len(run.trials) if run.is_complete else search.n_trials
    stand_ins = [low + (high - low) * (i + 1.2345678) / (i + 99) for i in range(n_trials)]
    trials = run.trials
    ranked = [t.epsilon for t in run.ranked(trials)]
    others = [t.epsilon for t in trials if t.epsilon not in ranked]
    epsilons = (ranked + others + stand_ins[len(trials) :])[:n_trials]
    yield from (space.score(epsilon, space.protocol.n_images) for epsilon in epsilons)
    for rung in search.ladder:
        epsilons = epsilons[: rung.keep]
        yield from (space.score(epsilon, rung.n_images) for epsilon in epsilons)
    best = run.winner.epsilon if run.winner else low + (high - low) * 0.1234567
    for cell in cells:
        if cell.search is search:
            yield from cell.scores(best)


def _count(
    job: Job,
    scheduler: Scheduler,
    counts: dict[str, _Count],
    seen: set[str],
    trained: dict[str, int],
) -> None:
    if job.key in seen:
        return
    seen.add(job.key)
    for needed in job.inputs():
        _count(needed, scheduler, counts, seen, trained)
    count = counts[job.stage]
    if scheduler.is_done(job):
        count.n_stored += 1
        work = None
    else:
        count.n_to_run += 1
        work = job.work()
    if isinstance(job, Snapshot):
        # A snapshot continues from the one before it, in whatever order they are met.
        start = trained.get(job.train.key, 0)
        trained[job.train.key] = max(start, job.iteration)
        share = max(0, job.iteration - start) / job.iteration
        work = work and Work(
            round(work.images * share), round(work.evaluations * share),
            work.multiply_adds * share, work.n_bytes,
        )  # fmt: skip
    if work:
        count.work += work


class Rates:
    """Measured throughput by stage and class of device, kept in the store.

    Args:
        store: where.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, job: Job, manifest: Manifest) -> None:
        """Adds what a finished job took to the totals of its device."""
        if "failed" in manifest.result:
            return  # it ended early
        device = as_name(str(manifest.cost["device"]))
        totals = self._store.document("rates", device) or {}
        n_jobs, seconds, done = totals.get(job.stage, (0, 0.0, 0.0))
        seconds += float(manifest.cost["seconds"])
        totals[job.stage] = (n_jobs + 1, seconds, done + _rated_multiply_adds(job, manifest))
        self._store.put_document("rates", device, totals)

    def hours(self, stage: str, work: Work, n_jobs: int, device: str) -> tuple[float, bool]:
        """Hours that jobs of a stage take on one device, and whether that is an estimate."""
        measured = (self._store.document("rates", as_name(device)) or {}).get(stage)
        if measured is not None:
            n_measured, seconds, multiply_adds = measured
            if stage in _ASSUMED_SECONDS or not multiply_adds:
                return n_jobs * seconds / n_measured / 3600, False
            return work.multiply_adds / (multiply_adds / seconds) / 3600, False
        if stage in _ASSUMED_SECONDS:
            return n_jobs * _ASSUMED_SECONDS[stage] / 3600, True
        kind = "cpu" if device.startswith("cpu") else "gpu"
        return work.multiply_adds / ASSUMED_MULTIPLY_ADDS_PER_SECOND[kind] / 3600, True


def _rated_multiply_adds(job: Job, manifest: Manifest) -> float:
    """Multiply-adds done in a finished job; a snapshot that continued a run did only its part."""
    if isinstance(job, Snapshot):
        done = job.iteration - int(manifest.cost.get("started_at", 0))
        return float(manifest.cost["multiply_adds"]) * done / job.iteration
    return float(manifest.cost["multiply_adds"]) if isinstance(job, Chunk) else 0.0


def needs_in_words(rows: list[StageForecast]) -> str:
    """Hours and disk of a forecast, in a few words."""
    hours = sum(row.hours for row in rows)
    n_bytes = sum(row.work.n_bytes for row in rows)
    mark = "est. " if any(row.is_estimate for row in rows if row.n_to_run) else ""
    return f"{mark}{hours:,.1f} hours of one device and {n_bytes / 1e9:,.1f} GB of disk"
