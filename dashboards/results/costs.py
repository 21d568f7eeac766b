"""Costs of a study's results, and savings by reuse of images and jobs and by halving."""

from collections.abc import Iterable
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


def costs(scheduler: Scheduler, store: Store) -> tuple[list[StageCost], list[str]]:
    """Returns the cost of all finished jobs by stage, and the devices that ran them.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    stages: dict[str, list[StageCost]] = {}
    devices: dict[str, None] = {}
    for job in stored_jobs(scheduler):
        manifest = store.manifest(job.stage, job.key)
        if manifest is not None:
            stages.setdefault(job.stage, []).append(_cost(job, manifest))
            devices[str(manifest.cost.get("device", "unknown"))] = None
    return [_sum(stage, of) for stage, of in stages.items()], list(devices)


def _cost(job: Job, manifest: Manifest) -> StageCost:
    cost, share = manifest.cost, share_done(job, manifest)
    images, evaluations = (round(cost.get(name, 0) * share) for name in ("images", "evaluations"))
    seconds = float(cost.get("seconds", 0.0))
    return StageCost(job.stage, 1, images, evaluations, seconds, manifest.n_bytes)


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
