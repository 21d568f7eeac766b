"""The forecast: what a study still needs, before and while it runs.

The searches' future proposals are unknown, but what they cost is not, or nearly so: a trial costs
the same at every step size, and of other parameters random values stand in, after the starts. So
the whole study can be counted in advance: jobs stored and to run, images, network evaluations,
hours, disk. Hours come from the rates measured on this class of device and kept in the store; until
there are any, from multiply-adds and a stated throughput, and are then marked as estimates.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tuning.jobs import Job, Work
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.stages import Chunk, TrainedWeights
from tuning.store.documents import as_name
from tuning.store.store import Manifest, Store
from tuning.study import Cell

STAGES = (
    "classifier", "train", "sample", "frames", "reference", "features", "score", "accuracy",
    "yardstick", "noise", "shares", "renormalisation",
)  # fmt: skip

ASSUMED_MULTIPLY_ADDS_PER_SECOND = {"cpu": 2e10, "gpu": 1.5e13}
"""Stated throughput until measured: one CPU core in float32; a V100-class GPU in TF32 or FP32."""

_ASSUMED_SECONDS = {
    "classifier": 20.0, "reference": 5.0, "features": 5.0, "score": 2.0, "yardstick": 2.0,
    "noise": 1.0, "shares": 2.0, "renormalisation": 1.0,
}  # fmt: skip


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
    left: dict[str, tuple[int, Work]] = field(default_factory=dict)


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
    jobs = list(_all_jobs(scheduler))
    left = _left(jobs, scheduler)
    for job, share in _each_once(jobs):
        count = counts.setdefault(job.stage, _Count())
        if scheduler.is_done(job):
            count.n_stored += 1
        elif job.key in left:
            n_jobs, work = count.left.get(_kind(job), (0, Work()))
            count.left[_kind(job)] = (n_jobs + 1, work + _part(job.work(), share))
    rates = Rates(store)
    rows = []
    for stage, count in counts.items():
        if count.n_stored or count.left:
            n_to_run = sum(n_jobs for n_jobs, _ in count.left.values())
            work = sum((work for _, work in count.left.values()), Work())
            hours = [rates.hours(kind, of, n, device) for kind, (n, of) in count.left.items()]
            rows.append(
                StageForecast(
                    stage, count.n_stored, n_to_run, work,
                    sum(h for h, _ in hours), any(is_estimate for _, is_estimate in hours),
                )
            )  # fmt: skip
    return rows


def _kind(job: Job) -> str:
    """What a job's rate is kept under: its stage, and for networks which and how they are trained.

    Small networks take their time per call, large ones per multiplication: one rate would serve
    neither.
    """
    if isinstance(job, TrainedWeights):
        return f"{job.stage} {job.train.kind}"
    if isinstance(job, Chunk) and job.pixels:
        return "features of pixels"
    if isinstance(job, Chunk):
        networks = [needed.train.kind.split()[0] for needed in job.sample.inputs()]
        return " ".join([job.stage, *networks])
    return job.stage


def _left(jobs: Iterable[Job], scheduler: Scheduler) -> set[str]:
    """Keys of the jobs that are to run: what a stored job rests on is asked for by no one."""
    found: set[str] = set()
    waiting = list(jobs)
    while waiting:
        job = waiting.pop()
        if job.key not in found and not scheduler.is_done(job):
            found.add(job.key)
            waiting += job.inputs()
    return found


def _all_jobs(scheduler: Scheduler) -> Iterable[Job]:
    """Every job of the study; values that cost the same stand in for future trials."""
    study = scheduler.study
    yield from study.fixed_jobs
    for run in scheduler.searches.values():
        yield from _search_jobs(run, study.cells)


def _search_jobs(run: SearchRun, cells: Iterable[Cell]) -> Iterable[Job]:
    search, space, trials = run.search, run.space, run.trials
    is_spent = run.is_complete or len(trials) >= search.n_trials
    n_trials = len(trials) if is_spent else search.n_trials
    # What a search tries first is known.
    known = [*(t.values for t in (*run.ranked(trials), *trials)), *search.starts]
    # By key: a start may be a trial already, or round to one.
    tried = list({space.score(values).key: values for values in known}.values())
    placeholder_values = space.placeholder_values(max(1, n_trials - len(tried)), tried)
    tried = (tried + placeholder_values)[:n_trials]
    for values in tried:
        yield from space.scores(values)
    # Who goes on is not known: of those not measured, values that share no work with a cell.
    ranked = [t.values for t in run.ranked(trials)]
    tried = ranked + [v for v in reversed(tried) if v not in ranked]
    reached = run.rungs() if is_spent else []
    for number, rung in enumerate(search.ladder, start=1):
        is_known = number < len(reached)
        tried = [t.values for t in reached[number]] if is_known else tried[: rung.keep]
        for values in tried:
            yield from space.scores(values, rung)
    best = run.winner.score if run.winner else space.score((placeholder_values or tried)[-1])
    for cell in cells:
        if cell.search is search:
            yield from cell.jobs(best)


def stored_jobs(scheduler: Scheduler) -> Iterator[Job]:
    """All finished jobs that a study rests on, inputs first, each once."""
    return (job for job, _ in _each_once(_all_jobs(scheduler)) if scheduler.is_done(job))


def total_work(jobs: Iterable[Job]) -> Work:
    """What jobs and all they rest on cost, each counted once, whether stored or not."""
    return sum((_part(job.work(), share) for job, share in _each_once(jobs)), Work())


def _each_once(jobs: Iterable[Job]) -> Iterator[tuple[Job, float]]:
    """Jobs and all they rest on, inputs first, each once, and the share of its work it does.

    A snapshot continues from the one before it, in whatever order they are met.
    """
    seen: set[str] = set()
    trained: dict[str, int] = {}

    def visit(job: Job) -> Iterator[tuple[Job, float]]:
        if job.key in seen:
            return
        seen.add(job.key)
        for needed in job.inputs():
            yield from visit(needed)
        share = 1.0
        if isinstance(job, TrainedWeights):
            start = trained.get(job.train.key, 0)
            trained[job.train.key] = max(start, job.iteration)
            share = max(0, job.iteration - start) / job.iteration
        yield job, share

    for job in jobs:
        yield from visit(job)


def _part(work: Work, share: float) -> Work:
    """A share of some work; what is left in the store is left all the same."""
    if share == 1.0:
        return work
    return Work(
        round(work.images * share), round(work.evaluations * share),
        work.multiply_adds * share, work.n_bytes,
    )  # fmt: skip


class Rates:
    """Measured throughput by kind of job and class of device, kept in the store.

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
        n_jobs, seconds, done = totals.get(_kind(job), (0, 0.0, 0.0))
        seconds += float(manifest.cost["seconds"])
        totals[_kind(job)] = (n_jobs + 1, seconds, done + _rated_multiply_adds(job, manifest))
        self._store.put_document("rates", device, totals)

    def hours(self, kind: str, work: Work, n_jobs: int, device: str) -> tuple[float, bool]:
        """Hours that jobs of a kind take on one device, and whether that is an estimate."""
        stage = kind.split()[0]
        measured = (self._store.document("rates", as_name(device)) or {}).get(kind)
        if measured is not None:
            n_measured, seconds, multiply_adds = measured
            if stage in _ASSUMED_SECONDS or not multiply_adds:
                return n_jobs * seconds / n_measured / 3600, False
            return work.multiply_adds / (multiply_adds / seconds) / 3600, False
        if stage in _ASSUMED_SECONDS:
            return n_jobs * _ASSUMED_SECONDS[stage] / 3600, True
        sort = "cpu" if device.startswith("cpu") else "gpu"
        return work.multiply_adds / ASSUMED_MULTIPLY_ADDS_PER_SECOND[sort] / 3600, True


def _rated_multiply_adds(job: Job, manifest: Manifest) -> float:
    """Multiply-adds done in a finished job; a snapshot that continued a run did only its part."""
    if isinstance(job, TrainedWeights):
        done = job.iteration - int(manifest.cost.get("started_at", 0))
        return float(manifest.cost["multiply_adds"]) * done / job.iteration
    return float(manifest.cost["multiply_adds"]) if isinstance(job, Chunk) else 0.0


def needs_in_words(rows: list[StageForecast]) -> str:
    """Hours and disk of a forecast, in a few words."""
    hours = sum(row.hours for row in rows)
    n_bytes = sum(row.work.n_bytes for row in rows)
    mark = "est. " if any(row.is_estimate for row in rows if row.n_to_run) else ""
    return f"{mark}{hours:,.1f} hours of one device and {n_bytes / 1e9:,.1f} GB of disk"
