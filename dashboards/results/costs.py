"""Costs of a study's results, and savings by reuse of images and jobs and by halving."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from dashboards.results.halving_savings import halving_savings
from tuning.jobs import Job
from tuning.scheduling.forecast import stored_jobs
from tuning.scheduling.rates import share_done
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Chunk, Score
from tuning.store.store import Manifest, Store


@dataclass(frozen=True)
class StageCost:
    """The cost of the finished jobs of one stage.

    Attributes:
        stage: name of the stage.
        n_jobs: number of finished jobs.
        images: number of images trained on or generated.
        evaluations: number of network evaluations, of one image each.
        seconds: total time on one device, one job after another.
        n_bytes: size of the results in the store.
    """

    stage: str
    n_jobs: int
    images: int
    evaluations: int
    seconds: float
    n_bytes: int


@dataclass(frozen=True)
class JobCost:
    """The cost of a finished job.

    Attributes:
        cost: its cost, as that of a stage with one job.
        device: class of the device that ran the job.
        rate_name: name of the job's rate; jobs of one name take equal times for equal work.
        pace: seconds per multiply-add, or the seconds of a job without multiply-adds; None if the
            job did no work of its own.
    """

    cost: StageCost
    device: str
    rate_name: str
    pace: float | None


def costs(scheduler: Scheduler, store: Store) -> tuple[list[StageCost], list[str]]:
    """Returns the cost of all finished jobs by stage, and the devices that ran them.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    found = list(job_costs(scheduler, store, {}))
    stages: dict[str, list[StageCost]] = {}
    for job in found:
        stages.setdefault(job.cost.stage, []).append(job.cost)
    devices = dict.fromkeys(job.device for job in found)
    return [_sum(stage, of) for stage, of in stages.items()], list(devices)


def job_costs(scheduler: Scheduler, store: Store, known: dict[str, JobCost]) -> Iterator[JobCost]:
    """Yields the cost of each finished job.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
        known: costs by key of the job, which need not be read again; the rest is added.
    """
    for job in stored_jobs(scheduler):
        if job.key not in known:
            manifest = store.manifest(job.stage, job.key)
            if manifest is None:
                continue
            known[job.key] = _cost(job, manifest)
        yield known[job.key]


def _cost(job: Job, manifest: Manifest) -> JobCost:
    cost, share = manifest.cost, share_done(job, manifest)
    images, evaluations = (round(cost.get(name, 0) * share) for name in ("images", "evaluations"))
    seconds, work = float(cost.get("seconds", 0.0)), float(cost.get("multiply_adds", 0.0)) * share
    return JobCost(
        StageCost(job.stage, 1, images, evaluations, seconds, manifest.n_bytes),
        str(cost.get("device", "unknown")),
        job.rate_name,
        (seconds / work if work else seconds) if share else None,
    )


def _sum(stage: str, parts: Iterable[StageCost]) -> StageCost:
    parts = list(parts)
    return StageCost(
        stage,
        sum(p.n_jobs for p in parts),
        sum(p.images for p in parts),
        sum(p.evaluations for p in parts),
        sum(p.seconds for p in parts),
        sum(p.n_bytes for p in parts),
    )


def savings(scheduler: Scheduler, others: Iterable[Scheduler]) -> list[str]:
    """Returns sentences on the saved work, one line each.

    Args:
        scheduler: scheduler of the study.
        others: schedulers of other studies on the same store.
    """
    jobs = list(stored_jobs(scheduler))
    lines = []
    measured = sum(job.protocol.n_images for job in jobs if isinstance(job, Score))
    chunks = {job.key: job for job in jobs if isinstance(job, Chunk)}
    sampled = [c for c in chunks.values() if not (c.pixels and c.pixels.key in chunks)]
    made = sum(chunk.sample.chunk_images for chunk in sampled)
    if measured > made > 0:
        lines.append(
            f"{measured:,} measured images needed only {made:,} generated images: larger samples "
            "extend smaller samples, and several metrics are measured on the same images"
        )
    for other in others:
        keys = {job.key for job in stored_jobs(other)}
        shared = sum(job.key in keys for job in jobs)
        if shared:
            lines.append(f"{shared:,} of {len(jobs):,} jobs are shared with {other.study.name}")
    spared = [found for run in scheduler.searches.values() if (found := halving_savings(run))]
    if spared:
        took, in_full = (sum(e.evaluations for e in spared), sum(e.in_full for e in spared))
        lines.append(
            f"successive halving in {len(spared)} searches took {took:,} network evaluations; to "
            f"measure all trials on the last rung would take {in_full:,}. Halving saved "
            f"{1 - took / in_full:.0%}"
        )
    return lines
