"""The resources that each stage requests from Ray, and the check that the cluster has them.

A CPU job takes one CPU and runs torch on one thread, so its numbers do not depend on the number of
cores of the machine. A training job takes a whole GPU, because it keeps the GPU busy. Jobs that
sample or measure images share a GPU, according to the GPU memory that such jobs were measured to
need. All jobs other than training take the same share, because a worker can only be reused for a
job that requests the same resources.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import torch

from scorelib.errors import InputError
from tuning.jobs import Job
from tuning.store.documents import as_name
from tuning.store.store import Manifest, Store
from tuning.study import Study

DEFAULT_SHARE = 0.5
"""Share of a GPU per job that samples or measures images, until memory use is measured."""

_MEMORY = "gpu-memory"
_MOST_TO_A_GPU = 8
_CONTEXT_BYTES = 600_000_000  # CUDA context and libraries of a process, in addition to its tensors
_HEADROOM = 1.15


@dataclass(frozen=True)
class GpuShares:
    """The shares of a GPU that jobs request, each in (0, 1].

    Attributes:
        train: share of a job whose stage fills a GPU (training).
        sample: share of any other job.
    """

    train: float = 1.0
    sample: float = DEFAULT_SHARE


class GpuMemory:
    """The measured GPU memory of jobs, kept in the store by GPU model.

    Args:
        store: store that keeps the measurements.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, job: Job, manifest: Manifest) -> None:
        """Records the GPU memory that a finished job reserved.

        CPU jobs and training jobs are ignored. The store keeps the largest peak per GPU model.

        Args:
            job: finished job.
            manifest: manifest of the job; its cost holds the reserved and the total memory.
        """
        peak, total = (int(manifest.cost.get(n, 0)) for n in ("gpu_bytes", "gpu_total_bytes"))
        if not peak or job.STAGE.fills_gpu:
            return
        name = as_name(str(manifest.cost["device"]))
        known = self._store.document(_MEMORY, name)
        if known is None or peak > known["peak_bytes"]:
            self._store.put_document(_MEMORY, name, {"peak_bytes": peak, "total_bytes": total})

    def share(self) -> float:
        """Returns the share of a GPU for jobs other than training, from the measured memory.

        Returns:
            1/n for the largest n <= 8 such that n jobs fit on every GPU model measured so far;
            `DEFAULT_SHARE` before the first measurement.
        """
        shares = []
        for name in self._store.document_names(_MEMORY):
            known = self._store.document(_MEMORY, name)
            if known is not None:
                needed = known["peak_bytes"] * _HEADROOM + _CONTEXT_BYTES
                shares.append(1 / max(1, min(_MOST_TO_A_GPU, int(known["total_bytes"] // needed))))
        return max(shares, default=DEFAULT_SHARE)


@dataclass(frozen=True)
class Capacity:
    """The numbers of CPUs and GPUs of a cluster, including those that its autoscaler can add.

    Attributes:
        cpus: maximum number of CPUs.
        gpus: maximum number of GPUs.
    """

    cpus: float
    gpus: float


def likely_device(study: Study, gpus: int | None = None) -> str:
    """Returns the class of device of a study's expensive jobs, as far as known without a cluster.

    Args:
        study: study whose jobs are inspected.
        gpus: number of GPUs to assume; None for the number of GPUs of this machine.

    Returns:
        The name of this machine's first GPU, "gpu" if there is none, or "cpu x1" if no job needs a
        GPU.
    """
    if not any(job.wants_gpu() for job in study.known_jobs):
        return "cpu x1"
    there_are = torch.cuda.device_count() if gpus is None else gpus
    if torch.cuda.is_available() and there_are:
        return str(torch.cuda.get_device_name(0))
    return "gpu"


def gpu_share(job: Job, shares: GpuShares) -> float:
    """Returns the share of a GPU that a job requests; 0 for a job that runs on a CPU."""
    if not job.wants_gpu():
        return 0.0
    return shares.train if job.STAGE.fills_gpu else shares.sample


def bundle(gpus: float) -> dict[str, float]:
    """Returns the Ray resources of one job: one CPU and its share of a GPU, if any."""
    return {"CPU": 1.0, "GPU": gpus} if gpus else {"CPU": 1.0}


def require_gpus(jobs: Iterable[Job], capacity: Capacity, needs: str, allow_cpu: bool) -> None:
    """Raises InputError if jobs need a GPU, but there is none and none can be added.

    Args:
        jobs: jobs left to run.
        capacity: numbers of CPUs and GPUs of the cluster.
        needs: time and disk space that the study needs, for the message.
        allow_cpu: whether such jobs may run on CPUs; then no error is raised.
    """
    if allow_cpu or capacity.gpus > 0:
        return
    wanting = [job for job in jobs if job.wants_gpu()]
    if wanting:
        raise InputError(
            f"{len(wanting)} jobs need a GPU, but there is none and the cluster cannot add one; "
            f"the study needs about {needs}: give the address of a cluster with GPUs, and the "
            "number of GPUs if it adds them on demand, or allow CPUs",
            "address",
            "gpus",
            "allow_cpu",
        )
