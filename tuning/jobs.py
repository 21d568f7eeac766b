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

from abc import abstractmethod
from collections.abc import Callable, Generator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Literal

from torch import Tensor

from scorelib.data import DataSpec, Split
from scorelib.data.facts import digest_of
from scorelib.data.files import as_floats
from scorelib.errors import InputError
from scorelib.spec import Spec
from tuning.store.data_records import require_same_data
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
