"""Jobs: specs that can be run, and the context in which they run.

A job is a spec with a stage. A job names the jobs that it needs (`inputs`), runs as a generator
that yields its progress, and returns an `Outcome`. The caller commits the outcome to the store
under the job's key. A job reads only its spec and the results of its inputs. Everything that does
not change the result (the device, batch sizes of inference, the folder of data files) comes from
the `ExecutionContext`.

A *result* may be a failure: the settings of the job lead to a loss or a sample that is not finite.
The failure is stored with its cause, and the job is not run again. An *incident* (a killed process,
exhausted memory, a full disk) raises an exception: nothing is stored, and the job is run again. An
exception of a user's job that a sweep tries is a failure too, unless it is an incident.
"""

import json
import logging
import math
import os
import socket
import time
import traceback
from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

import numpy as np
import torch
from torch import Tensor

from scorelib.data import DataSpec, Split
from scorelib.data.facts import digest_of
from scorelib.data.files import as_floats
from scorelib.errors import InputError
from scorelib.sources import own_source, source_file
from scorelib.spec import Spec
from tuning.store.data_records import require_same_data
from tuning.store.sources import codes_of, note_code, require_own_sources
from tuning.store.store import CorruptObjectError, Manifest, Store


@dataclass(frozen=True)
class Progress:
    """The progress of a job.

    Attributes:
        done: number of units done, from 0 to `total`.
        total: number of units of the whole job.
        unit: name of the unit, such as "iterations" or "steps".
    """

    done: int
    total: int
    unit: str


@dataclass(frozen=True)
class Outcome:
    """The outcome of a job, as the store keeps it.

    Attributes:
        result: numbers and, if the result is a failure, its cause under "failed"; JSON.
        files: contents of files, by name.
        cost: facts about the computation, such as its duration, that are no part of the result;
            JSON.
        once_stored: function that is called after the outcome is in the store, for example to
            remove a checkpoint.
    """

    result: dict[str, Any] = field(default_factory=dict)
    files: Mapping[str, bytes] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    once_stored: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Work:
    """The expected cost of a job, known before the job runs.

    Attributes:
        images: number of images trained on or generated.
        evaluations: number of evaluations of the score network, counted per image.
        multiply_adds: number of multiply-adds of all network evaluations; a training pass (forward
            and backward) counts as three evaluations.
        n_bytes: bytes that the job will write to the store.
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
    """An input of a job is not (or no longer) in the store and must be computed first."""


@dataclass(frozen=True)
class ExecutionContext:
    """The environment in which a job runs; it changes results only by rounding errors.

    Attributes:
        store: store from which inputs are read and to which checkpoints are written.
        device: torch device, such as "cpu" or "cuda".
        batch_images: maximum number of images per network call. Larger batches are split; in
            training the gradients of the parts are added up.
        compile: whether score networks run through `torch.compile`, in training and in sampling.
        data_root: folder of data sets that are read from files; None for the default folder.
        inception_weights: file of the Inception weights; None to let the library download them.
        weights: files and folders of weights that may be imported.
        spot_check: whether weights that do not denoise are refused.
        pieces: where files outside the store lie that jobs read, by digest: the path, and the
            position of the first image; see `Job.pieces`.
    """

    store: Store
    device: str = "cpu"
    batch_images: int = 500
    compile: bool = False
    data_root: Path | None = None
    inception_weights: Path | None = None
    weights: tuple[Path, ...] = ()
    spot_check: bool = True
    pieces: Mapping[str, tuple[str, int]] = field(default_factory=dict)

    def piece(self, digest: str) -> tuple[str, int]:
        """Returns where a piece of the files outside the store lies: path and first position.

        Args:
            digest: one of a job's `pieces`.

        Raises:
            InputError: the study's settings name no path to the piece.
        """
        if digest not in self.pieces:
            raise InputError(
                f"the pictures or statistics of digest {digest[:12]}... must be among the paths of "
                "data.pictures, but are not: name their folder or file again",
                "data.pictures",
            )
        path, first = self.pieces[digest]
        return path, first

    def examples(self, data: DataSpec, split: Split) -> tuple[Tensor, Tensor]:
        """Returns the stored examples and labels of a split, compared with the store's record.

        Args:
            data: data set.
            split: ``train`` or the held-out ``test``.

        Raises:
            MissingDataError: the files are absent, corrupt or not what they claim to be.
            InputError: the examples are not those that the store's results were made with.
        """
        found = data.stored(split, self.data_root)
        require_same_data(self.store, data, {split: digest_of(*found)})
        return found

    def images(self, data: DataSpec, split: Split) -> tuple[Tensor, Tensor]:
        """Returns the `examples` of a split in floating point, and the labels."""
        examples, labels = self.examples(data, split)
        return as_floats(examples), labels

    def images_per_call(self, shape: tuple[int, ...]) -> int | None:
        """Returns the maximum number of examples per network call.

        Args:
            shape: shape of one example: (C, H, W) for images, anything else for points.

        Returns:
            `batch_images` for images, or None (no limit) for points, which are small.
        """
        return self.batch_images if len(shape) == 3 else None

    def manifest(self, job: "Job") -> Manifest:
        """Returns the manifest of a finished input.

        Args:
            job: the input.

        Raises:
            MissingInputError: if the input is not stored or its manifest is corrupt.
        """
        manifest = self.store.manifest(job.stage, job.key)
        if manifest is None:
            raise MissingInputError(f"{job.stage} {job.key}")
        return manifest

    def read(self, job: "Job", name: str) -> bytes:
        """Returns the content of a file of a finished input.

        Args:
            job: the input.
            name: name of the file.

        Raises:
            MissingInputError: if the input is not stored or is corrupt.
            KeyError: if the input has no file of this name.
        """
        try:
            return self.store.read(job.stage, job.key, name)
        except CorruptObjectError as error:
            raise MissingInputError(str(error)) from error


Run = Generator[Progress, None, Outcome]


@dataclass(frozen=True)
class Stage:
    """The properties that all jobs of one stage share.

    Attributes:
        name: name of the stage. It is part of the path of results in the store, so it never
            changes.
        order: position of the stage in a plan; stages of lower order come first.
        timeout: which time-out applies to the jobs: that of training, of sampling or of scoring.
        assumed_seconds: assumed duration in seconds of a job that evaluates no network, until such
            a job has been measured. The duration of any other job is estimated from its
            multiply-adds.
        fills_gpu: whether a job takes the GPU share of training; otherwise it takes the share of
            sampling.
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
        STAGE: stage of the job; several classes may share a stage.
        lower_is_better: whether lower numbers of the result are better; None if neither direction
            is better or if a protocol sets the direction.
    """

    KIND = "Job"
    STAGE: ClassVar[Stage]
    lower_is_better: ClassVar[bool | None] = None

    @property
    def stage(self) -> str:
        """The name of the job's stage."""
        return self.STAGE.name

    @property
    def rate_name(self) -> str:
        """The name under which the store keeps the measured rate of jobs like this one."""
        return self.stage

    def inputs(self) -> tuple["Job", ...]:
        """Returns the jobs whose results this job reads."""
        return ()

    @property
    def pieces(self) -> tuple[str, ...]:
        """Digests of what the job reads from files outside the store, other than data sets."""
        return ()

    @property
    def chain(self) -> str | None:
        """The name of the job's chain, or None.

        Each job of a chain continues the previous job. Jobs of a chain run one at a time, in order
        of `position`.
        """
        return None

    @property
    def position(self) -> int:
        """The distance of the job from the start of its chain; 0 for a job without a chain."""
        return 0

    @abstractmethod
    def title(self) -> str:
        """Returns a description of the job in a few words, for display."""

    def summary(self) -> str:
        """Returns how the job's numbers are measured, in a few words, for the head of a table."""
        return self.title()

    def work(self) -> Work:
        """Returns the expected cost of the job.

        The cost of a job of a chain counts from the start of the chain. The cost is zero unless the
        job trains a network or generates images; the stage's `assumed_seconds` then estimate the
        duration.
        """
        return Work()

    def wants_gpu(self) -> bool:
        """Returns whether the job would take unreasonably long on a CPU."""
        return False

    @abstractmethod
    def run(self, at: ExecutionContext) -> Run:
        """Runs the job.

        Args:
            at: environment in which the job runs.

        Yields:
            The job's progress, often enough that the job can be stopped and its progress shown.

        Returns:
            The outcome to store.

        Raises:
            MissingInputError: if an input must be computed (again) first.
        """


_INCIDENTS = (
    InputError, MissingInputError, OSError, MemoryError, ImportError, torch.OutOfMemoryError,
    torch.AcceleratorError,
)  # fmt: skip
"""Exceptions that say nothing about a job's values: of inputs, machines or installations."""

_SIGNS_OF_AN_INCIDENT = ("can't allocate memory", "CUDA error")  # in a plain RuntimeError of torch


def execute(
    job: Job, at: ExecutionContext, *, is_trial: bool = False
) -> Generator[Progress, None, Manifest]:
    """Runs a job and commits its outcome to the store, unless the job is already stored.

    If the result of an input is a failure, the job is not run: its result is a failure with the
    same cause.

    Args:
        job: job to run; its inputs must be stored.
        at: environment in which the job runs.
        is_trial: whether a search tries the job. If the job is a user's own, an exception that is
            no incident is then the job's result, a failure with its cause.

    Yields:
        The job's progress.

    Returns:
        The job's manifest.

    Raises:
        MissingInputError: if an input must be computed (again) first.
        InputError: if the store knows the kind of a foreign class with other source.
    """
    parts = list(job.parts())
    require_own_sources(at.store, parts, note=True)
    stored = at.store.manifest(job.stage, job.key)
    if stored is not None:
        return stored
    started = time.monotonic()
    if at.device.startswith("cuda") and torch.cuda.is_available():
        torch.cuda.reset_peak_memory_stats(at.device)
    inputs = [at.manifest(needed) for needed in job.inputs()]
    failed = next((cause for i in inputs if (cause := i.result.get("failed")) is not None), None)
    outcome = (yield from _run(job, at, is_trial)) if failed is None else _failure(failed)
    return committed(job, outcome, at, started)


def _run(job: Job, at: ExecutionContext, is_trial: bool) -> Run:
    """Runs a job; returns its outcome, for the trial of a sweep also if it raised an exception."""
    try:
        running: Run = job.run(at)
        if isinstance(running, Generator):
            return (yield from running)
        return _failure("run must yield a Progress before its Outcome, but has no yield")
    except _INCIDENTS:
        raise
    except Exception as error:
        is_own = own_source(type(job)) is not None
        if not (is_trial and is_own) or any(sign in str(error) for sign in _SIGNS_OF_AN_INCIDENT):
            raise
        logging.getLogger(__name__).info("%s", traceback.format_exc())
        return _failure(_cause(error, type(job)))


def _cause(error: Exception, of: type) -> str:
    """Returns an exception in one line, with the last line of the job's file that it passed."""
    said = " ".join(traceback.format_exception_only(error)[-1].split())
    passed = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in passed if frame.filename == str(source_file(of))]
    return f"{said} ({Path(own[-1].filename).name}:{own[-1].lineno})" if own else said


def committed(job: Job, outcome: Outcome, at: ExecutionContext, started: float) -> Manifest:
    """Commits the outcome of a job that has run to the store, and returns the job's manifest.

    Args:
        job: the job; its inputs are stored.
        outcome: what `Job.run` returned; scalars of NumPy and torch become numbers of Python.
        at: environment in which the job ran.
        started: time of the start, by `time.monotonic`.

    Raises:
        MissingInputError: if an input must be computed (again) first.
    """
    outcome = _usable(outcome)
    inputs = [at.manifest(needed) for needed in job.inputs()]
    parts = list(job.parts())
    code = codes_of(job.stage, note_code(at.store, parts), ((i.stage, i.code) for i in inputs))
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
        code=code,
    )
    outcome.once_stored()
    return at.manifest(job)


def _usable(outcome: Any) -> Outcome:
    """Returns the outcome of a job with plain numbers, or the failure that takes its place."""
    if not isinstance(outcome, Outcome):
        return _failure(f"the job must return an Outcome, but returned {type(outcome).__name__}")
    if not isinstance(outcome.result, Mapping):
        found = type(outcome.result).__name__
        return _failure(f"an Outcome must map names to numbers, but holds {found}")
    result = {name: _plain(value) for name, value in outcome.result.items()}
    for name, value in result.items():
        if isinstance(value, float) and not math.isfinite(value):
            return _failure(f"the numbers of a result must be finite, but {name} is {value}")
        try:
            json.dumps(value)
        except (TypeError, ValueError):
            found = f"{type(value).__module__}.{type(value).__qualname__}"
            return _failure(f"the numbers of a result must be int or float, but {name} is {found}")
    return replace(outcome, result=result)


def _failure(cause: str) -> Outcome:
    return Outcome({"failed": cause})


def _plain(value: Any) -> Any:
    """Returns a scalar of NumPy or torch, also in an array of one, as a number of Python."""
    if isinstance(value, np.generic | np.ndarray | Tensor):
        one = value.numel() if isinstance(value, Tensor) else value.size
        return value.item() if one == 1 else value
    return value


def _gpu_memory(device: str) -> dict[str, int]:
    """Returns the peak of reserved GPU memory since the last reset and the GPU's total, in bytes.

    The result is empty on a CPU.
    """
    if not device.startswith("cuda"):
        return {}
    return {
        "gpu_bytes": torch.cuda.max_memory_reserved(device),
        "gpu_total_bytes": torch.cuda.get_device_properties(device).total_memory,
    }


def device_class(device: str) -> str:
    """Returns the class of a device; rates measured on one device hold for its whole class.

    Args:
        device: torch device.

    Returns:
        The name of the GPU, or "cpu xN" with the number N of torch's threads.
    """
    if device.startswith("cuda"):
        return str(torch.cuda.get_device_name(device))
    return f"cpu x{torch.get_num_threads()}"
