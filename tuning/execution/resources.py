"""What each stage asks of Ray, and whether the cluster can give it.

A CPU job takes one CPU and runs torch on one thread, so its numbers do not depend on the machine's
size. On GPUs training takes a whole one, for it keeps the GPU busy; sampling and scoring share one
by the memory that such jobs were measured to take there. All that is no training takes the same
share: a worker that held another could not be kept for the next job.
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
"""Share of a GPU for sampling and scoring until their memory was measured: two jobs to a GPU."""

_MEMORY = "gpu-memory"
_MOST_TO_A_GPU = 8
_CONTEXT_BYTES = 600_000_000  # a process's CUDA context and libraries, beside its tensors
_HEADROOM = 1.15


@dataclass(frozen=True)
class GpuShares:
    """Shares of a GPU that jobs ask for, each in (0, 1].

    Attributes:
        train: of a job whose stage fills a GPU: a training.
        sample: of any other job.
    """

    train: float = 1.0
    sample: float = DEFAULT_SHARE


class GpuMemory:
    """GPU memory that jobs were measured to take, kept in the store by kind of GPU.

    Args:
        store: where.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, job: Job, manifest: Manifest) -> None:
        """Takes in what a finished job reserved, if it ran on a GPU and is no training."""
        peak, total = (int(manifest.cost.get(n, 0)) for n in ("gpu_bytes", "gpu_total_bytes"))
        if not peak or job.STAGE.fills_gpu:
            return
        name = as_name(str(manifest.cost["device"]))
        known = self._store.document(_MEMORY, name)
        if known is None or peak > known["peak_bytes"]:
            self._store.put_document(_MEMORY, name, {"peak_bytes": peak, "total_bytes": total})

    def share(self) -> float:
        """Share of a GPU for jobs that are no training, such that the kinds seen so far hold them.

        Returns:
            1/n for the largest n of at most 8 that fits; `DEFAULT_SHARE` while nothing is measured.
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
    """The most CPUs and GPUs that there are or that the autoscaler can add."""

    cpus: float
    gpus: float


def likely_device(study: Study, gpus: int | None = None) -> str:
    """Class of the device that a study's expensive jobs run on, if it is known without a cluster.

    Args:
        study: the study.
        gpus: how many there are to be; None for those found here.

    Returns:
        The GPU's name, "gpu" where there is none, or "cpu x1" if no job wants one.
    """
    if not any(job.wants_gpu() for job in study.known_jobs):
        return "cpu x1"
    there_are = torch.cuda.device_count() if gpus is None else gpus
    if torch.cuda.is_available() and there_are:
        return str(torch.cuda.get_device_name(0))
    return "gpu"


def gpu_share(job: Job, shares: GpuShares) -> float:
    """GPUs a job asks for: its share, or 0 for what a CPU does as well."""
    if not job.wants_gpu():
        return 0.0
    return shares.train if job.STAGE.fills_gpu else shares.sample


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
            f"the study needs about {needs}: name a cluster with GPUs, and how many if it adds "
            "them as needed, or allow CPUs",
            "address",
            "gpus",
            "allow_cpu",
        )
