"""Jobs: specs that can be run, and the place where they run.

A job is a spec with a stage. It names the jobs it needs (`inputs`), runs as a generator that yields
its progress, and returns an `Outcome`, which the caller commits to the store under the job's key.
A job reads only its spec and the results of its inputs; whatever does not change the result (the
device, batch sizes of inference, where data files lie) comes from the `ExecutionContext`.

A *result* may be a failure: a loss or a sample that is not finite is what these settings lead to;
it is stored with its cause and not tried again. An *incident* (a kill, no memory, a full disk) is
an exception: nothing is stored and the job is run again.
"""

import os
import socket
import time
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

import torch

from scorelib.spec import Spec
from tuning.store.store import CorruptObjectError, Manifest, Store


@dataclass(frozen=True)
class Progress:
    """How far a job is: `done` of `total` in `unit` ("iterations", "steps")."""

    done: int
    total: int
    unit: str


@dataclass(frozen=True)
class Outcome:
    """What a job leaves in the store.

    Attributes:
        result: numbers and, if the job failed for good, its cause under "failed"; JSON.
        files: file contents by name.
        cost: what is worth knowing of how it was made; not part of the result.
        once_stored: done after the rest is in the store, such as dropping a checkpoint.
    """

    result: dict[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    once_stored: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Work:
    """What a job costs, before it runs.

    Attributes:
        images: images trained on or generated.
        evaluations: evaluations of the score network, one image each.
        multiply_adds: of all network evaluations; a training pass counts three.
        n_bytes: what it will leave in the store.
    """

    images: int = 0
    evaluations: int = 0
    multiply_adds: float = 0.0
    n_bytes: int = 0

    def __add__(self, other: "Work") -> "Work":
        return Work(
            self.images + other.images,
            self.evaluations + other.evaluations,
            self.multiply_adds + other.multiply_adds,
            self.n_bytes + other.n_bytes,
        )


class MissingInputError(Exception):
    """An input is not in the store (any more): it must be made before this job can run."""


@dataclass(frozen=True)
class ExecutionContext:
    """Where a job runs; nothing here changes a result beyond float rounding.

    Attributes:
        store: where inputs are and checkpoints go.
        device: torch device.
        batch_images: most images per network call; larger batches are split, in training with
            their gradients added up.
        autocast: sample and train in bfloat16 where that is safe.
        compile: run networks through torch.compile.
        data_root: folder of data sets that are files; None for their default.
        inception_weights: the Inception weights' file; None to let the library fetch them.
    """

    store: Store
    device: str = "cpu"
    batch_images: int = 500
    autocast: bool = False
    compile: bool = False
    data_root: Path | None = None
    inception_weights: Path | None = None

    def images_per_call(self, shape: tuple[int, ...]) -> int | None:
        """Most examples of a shape per network call; None, no limit, for points: they are small."""
        return self.batch_images if len(shape) == 3 else None

    def manifest(self, job: "Job") -> Manifest:
        """The manifest of a finished input.

        Raises:
            MissingInputError: it is not stored, or was found corrupt.
        """
        manifest = self.store.manifest(job.stage, job.key)
        if manifest is None:
            raise MissingInputError(f"{job.stage} {job.key}")
        return manifest

    def read(self, job: "Job", name: str) -> bytes:
        """A file of a finished input.

        Raises:
            MissingInputError: it is not stored, or was found corrupt.
        """
        try:
            return self.store.read(job.stage, job.key, name)
        except CorruptObjectError as error:
            raise MissingInputError(str(error)) from error


Run = Generator[Progress, None, Outcome]


@dataclass(frozen=True)
class Stage:
    """What the jobs of one stage have in common.

    Attributes:
        name: part of where results lie, so it never changes.
        order: place in a plan, after the stages of lower order.
        timeout: which time-out holds: that of trainings, of sampling, or of scores.
        assumed_seconds: what a job that evaluates no network takes until it is measured; any other
            is assumed to take the time of its multiply-adds.
        fills_gpu: whether its jobs take a training's share of a GPU, else that of sampling.
    """

    name: str
    order: int
    timeout: Literal["train", "sample", "score"]
    assumed_seconds: float = 0.0
    fills_gpu: bool = False


@dataclass(frozen=True, kw_only=True)
class Job(Spec):
    """A spec that can be run.

    Class attributes:
        STAGE: its stage; classes may share one.
        lower_is_better: of its numbers; None where neither direction is, or a protocol says it.
    """

    KIND = "Job"
    STAGE: ClassVar[Stage]
    lower_is_better: ClassVar[bool | None] = None

    @property
    def stage(self) -> str:
        """Name of its stage."""
        return self.STAGE.name

    @property
    def rate_name(self) -> str:
        """Name that the measured rate of jobs like this one is kept under."""
        return self.stage

    def inputs(self) -> tuple["Job", ...]:
        """The jobs whose results this one reads."""
        return ()

    @property
    def chain(self) -> str | None:
        """Jobs of one chain continue one another: one runs at a time, in order of `position`."""
        return None

    @property
    def position(self) -> int:
        """Order within the chain: how far the job is from the start; 0 for a job of no chain."""
        return 0

    @abstractmethod
    def title(self) -> str:
        """A few words for people: what this job is."""

    def summary(self) -> str:
        """How its numbers were got, in a few words, for the head of a table."""
        return self.title()

    def work(self) -> Work:
        """What it will cost; a job of a chain counts from the chain's start.

        Nothing, unless it trains or makes images: the stage's `assumed_seconds` are what it takes.
        """
        return Work()

    def wants_gpu(self) -> bool:
        """Whether running this on a CPU would take unreasonably long."""
        return False

    @abstractmethod
    def run(self, at: ExecutionContext) -> Run:
        """Runs the job.

        Args:
            at: where it runs.

        Yields:
            Progress, often enough to be stopped and shown.

        Returns:
            What to store.

        Raises:
            MissingInputError: an input has to be made (again) first.
        """


def execute(job: Job, at: ExecutionContext) -> Generator[Progress, None, Manifest]:
    """Runs a job and commits its outcome; a job already stored is only looked up.

    A job with an input that is a failure is not run: the job's result is a failure of that cause.

    Args:
        job: what to run; its inputs must be stored.
        at: where.

    Yields:
        The job's progress.

    Returns:
        The job's manifest.

    Raises:
        MissingInputError: an input has to be made (again) first.
    """
    stored = at.store.manifest(job.stage, job.key)
    if stored is not None:
        return stored
    started = time.monotonic()
    if at.device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats(at.device)
    causes = [at.manifest(needed).result.get("failed") for needed in job.inputs()]
    failed = next((cause for cause in causes if cause is not None), None)
    outcome = (yield from job.run(at)) if failed is None else Outcome({"failed": failed})
    work = job.work()
    at.store.commit(
        job.stage,
        job.key,
        spec=job.to_json(),
        result=outcome.result,
        cost={
            "seconds": time.monotonic() - started,
            "images": work.images,
            "evaluations": work.evaluations,
            "multiply_adds": work.multiply_adds,
            "device": device_class(at.device),
            "process": f"{socket.gethostname()}:{os.getpid()}",
        }
        | _gpu_memory(at.device)
        | outcome.cost,
        files=outcome.files,
    )
    outcome.once_stored()
    return at.manifest(job)


def _gpu_memory(device: str) -> dict[str, int]:
    """The most GPU memory reserved since the peak was reset, and the GPU's; nothing on a CPU."""
    if not device.startswith("cuda"):
        return {}
    return {
        "gpu_bytes": torch.cuda.max_memory_reserved(device),
        "gpu_total_bytes": torch.cuda.get_device_properties(device).total_memory,
    }


def device_class(device: str) -> str:
    """What kind of device this is, so that rates measured on one serve for its like."""
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"cpu x{torch.get_num_threads()}"
