"""What a protocol is, what it measures of, and what it gives."""

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor

from scorelib.data import DataSpec
from scorelib.errors import require_input
from scorelib.metrics.features import Extractor
from scorelib.spec import Spec
from tuning.jobs import ExecutionContext, Job

Reads = Literal["features", "probabilities"]
"""What of a chunk's images a protocol needs."""


@dataclass(frozen=True)
class Images:
    """What a protocol sees of the images it measures.

    Attributes:
        values: what it `reads` of them: features, (n, d), or probabilities of the extractor's
            classes, (n, K); float32.
        labels: classes the images were asked for, (n,) int64; None if they were asked for none.
    """

    values: Tensor
    labels: Tensor | None = None


@dataclass(frozen=True)
class Measurement:
    """A number and, if it is a mean over classes, that of each.

    Attributes:
        value: the number.
        by_class: by label, what `value` is the mean of; empty for other numbers.
    """

    value: float
    by_class: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Protocol(Spec):
    """How a number was measured; base of all kinds.

    Attributes:
        reads: what of the images it needs.
        extractor: features and classes, with their weights and the resizing they do.
        data: data set that the images are to resemble.
        n_images: generated images, >= 1.
        seeds: "search": the images that the step size was chosen on (flattering); "fresh": images
            no choice has seen; "unstated": as a paper that does not say.
    """

    KIND = "Protocol"
    reads: ClassVar[Reads] = "features"

    extractor: Extractor
    data: DataSpec
    n_images: int
    seeds: Literal["search", "fresh", "unstated"] = "search"

    def validate(self) -> None:
        """Refuses to measure no images."""
        require_input(self.n_images >= 1, f"n_images must be at least 1; got {self.n_images}")

    @property
    @abstractmethod
    def name(self) -> str:
        """What the number is, for people: such as "fid", "fd[digits-cnn]", "modes"."""

    @property
    def metric_name(self) -> str:
        """The name without brackets, for MLflow: such as "fid", "fd", "modes"."""
        return self.name.split("[")[0]

    @property
    @abstractmethod
    def lower_is_better(self) -> bool:
        """Whether a lower number is the better one."""

    @property
    def unit(self) -> str:
        """What the data set's examples are called."""
        return "images" if len(self.data.shape) == 3 else "points"

    @property
    def about(self) -> str:
        """What the images are measured against, for people."""
        return self.data.name

    @property
    def details(self) -> tuple[str, ...]:
        """What else the number depends on, a few words each."""
        return ()

    def summary(self) -> str:
        """What was measured, in a few words."""
        return f"{self.name}, {self.about}, {self.n_images:,} {self.unit}"

    def describe(self) -> str:
        """The protocol in one line."""
        images = f"{self.n_images:,} {self.unit}"
        return ", ".join((self.name, images, self.about, *self.details, f"{self.seeds} seeds"))

    def is_comparable(self, other: "Protocol") -> bool:
        """Whether numbers of the two may be subtracted: all equal, but for seeds left unstated."""
        if "unstated" in (self.seeds, other.seeds):
            return self.replace(seeds="unstated") == other.replace(seeds="unstated")
        return self == other

    def inputs(self) -> tuple[Job, ...]:
        """The jobs whose results `measure` reads."""
        return ()

    def require_suitable(self, labels: Tensor | None) -> None:
        """Refuses images that it could not measure, before there are any.

        Args:
            labels: as in `Images`.

        Raises:
            InputError: they do not suit.
        """

    @abstractmethod
    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """The number.

        Args:
            images: the generated images, `n_images` of them.
            at: where the results of `inputs` are.

        Raises:
            MissingInputError: an input has to be made (again) first.
        """
