"""What each stage asks of Ray, and whether the cluster can give it.

A CPU job takes one CPU and runs torch on one thread, so its numbers do not depend on the machine's
size. On GPUs training takes a whole one; sampling and scoring images of up to 64x64 leave most of a
GPU's memory free and share it.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from scorelib.errors import InputError
from tuning.jobs import Job
from tuning.stages import Snapshot

_SHARED_GPU = 0.5
"""Default share of a GPU for a job that is not a training: two such jobs to a GPU."""


@dataclass(frozen=True)
class Capacity:
    """The most CPUs and GPUs that there are or that the autoscaler can add."""

    cpus: float
    gpus: float


def gpu_share(job: Job) -> float:
    """GPUs a job asks for: 1 for training, a share for the rest, 0 for what a CPU does as well."""
    if not job.wants_gpu():
        return 0.0
    return 1.0 if isinstance(job, Snapshot) else _SHARED_GPU


def bundle(gpus: float) -> dict[str, float]:
    """The Ray resources of one job."""
    return {"CPU": 1.0, "GPU": gpus} if gpus else {"CPU": 1.0}


def require_gpus(jobs: Iterable[Job], capacity: Capacity, needs: str, allow_cpu: bool) -> None:
    """Raises InputError if jobs ask for a GPU that will never be there.

    Args:
        jobs: jobs left to run.
        capacity: what there is.
        needs: what the jobs would need, for the message.
        allow_cpu: run them on CPUs nevertheless.
    """
    if allow_cpu or capacity.gpus > 0:
        return
    wanting = [job for job in jobs if job.wants_gpu()]
    if wanting:
        raise InputError(
            f"{len(wanting)} jobs need a GPU and there is none, nor one the cluster could add; "
            f"the study needs about {needs}: use --address of a cluster with GPUs, or --allow-cpu"
        )
