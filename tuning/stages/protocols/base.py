"""Protocols: what is measured of generated images, and how.

A number without its protocol is not comparable. A protocol says which features, of which data, how
many images there were and whether the seed had a part in choosing epsilon; each kind adds what else
its number depends on. Differences and verdicts exist only between equal protocols, and never
between different kinds.

One protocol measures one number. A table of two (modes and KL, say) has two protocols, whose scores
share their chunks of images.
"""

from abc import abstractmethod
from dataclasses import dataclass, field
from typing import ClassVar, Literal

from torch import Tensor

from scorelib.data import DataSpec, Stacked, Toy
from scorelib.metrics.features import Coordinates, Extractor
from scorelib.metrics.frechet import frechet_distance, moments
from scorelib.metrics.inception_score import inception_score
from scorelib.metrics.modes import mode_coverage, stack_classes
from scorelib.metrics.stacked import StackedClassifierFeatures
from scorelib.spec import Spec
from tuning.jobs import Job, Workplace, require_input
from tuning.stages.reference import Reference


@dataclass(frozen=True, kw_only=True)
class Protocol(Spec):
    """How a number was measured; base of all kinds.

    Attributes:
        extractor: features and classes, with their weights and the resizing they do.
        data: data set that the images are to resemble.
        n_images: generated images, >= 1.
        seeds: "search": the images that the step size was chosen on (flattering); "fresh": images
            no choice has seen; "unstated": as a paper that does not say.
        unit: what the data set's examples are called.
    """

    unit: ClassVar[str] = "images"

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

    @abstractmethod
    def measure(self, features: Tensor, probabilities: Tensor, at: Workplace) -> float:
        """The number.

        Args:
            features: of the generated images, (n_images, d).
            probabilities: of their classes, (n_images, k).
            at: where the results of `inputs` are.

        Raises:
            MissingInputError: an input has to be made (again) first.
        """


@dataclass(frozen=True, kw_only=True)
class FidProtocol(Protocol):
    """How a Frechet distance was measured.

    Attributes:
        split: reference split.
        n_images: generated images, > 1.
        rounding: images are clamped to [0, 1] and rounded to 8 bits, as PNG files hold them.
    """

    split: Literal["train", "test"] = "train"
    rounding: Literal["8-bit"] = "8-bit"

    def validate(self) -> None:
        """Refuses sets of images without a covariance, and what is not rounded to 8 bits."""
        require_input(self.n_images > 1, f"n_images must be above 1; got {self.n_images}")
        require_input(
            len(self.data.shape) == 3,
            f"data must be images, which have 8 bits; {self.data.name} has shape "
            f"{self.data.shape}: measure points by a DistanceProtocol",
        )

    @property
    def reference(self) -> Reference:
        """The job that makes the reference statistics."""
        return Reference(data=self.data, split=self.split, extractor=self.extractor)

    @property
    def name(self) -> str:
        """Such as "fid" or "fd[digits-cnn]"."""
        return self.extractor.distance_name

    @property
    def lower_is_better(self) -> bool:
        """It is a distance."""
        return True

    @property
    def about(self) -> str:
        """The reference."""
        return f"{self.data.name} {self.split}"

    @property
    def details(self) -> tuple[str, ...]:
        """The rounding."""
        return (self.rounding,)

    def inputs(self) -> tuple[Job, ...]:
        """The reference statistics."""
        return (self.reference,)

    def measure(self, features: Tensor, probabilities: Tensor, at: Workplace) -> float:
        """The distance to the reference, in float64."""
        return frechet_distance(self.reference.moments(at), moments(features))


@dataclass(frozen=True, kw_only=True)
class InceptionScoreProtocol(Protocol):
    """How an Inception score was measured: the mean over parts of the images.

    Attributes:
        n_images: generated images, at least one for each split.
        n_splits: parts that are scored apart; see `scorelib.metrics.inception_score`.
    """

    n_splits: int = 10

    def validate(self) -> None:
        """Refuses empty parts and features without classes."""
        require_input(
            1 <= self.n_splits <= self.n_images,
            f"1 <= n_splits <= n_images must hold; got n_splits={self.n_splits}, "
            f"n_images={self.n_images}",
        )
        require_input(
            not isinstance(self.extractor, Coordinates | StackedClassifierFeatures),
            f"extractor must give an image one class; got {self.extractor.name}",
        )

    @property
    def name(self) -> str:
        """Such as "is" or "is[digits-cnn]"."""
        return self.extractor.score_name

    @property
    def lower_is_better(self) -> bool:
        """The best score is the number of classes."""
        return False

    @property
    def details(self) -> tuple[str, ...]:
        """The splits."""
        return (f"{self.n_splits} splits",)

    def measure(self, features: Tensor, probabilities: Tensor, at: Workplace) -> float:
        """The mean score of the splits, in float64."""
        return inception_score(probabilities, self.n_splits).mean


@dataclass(frozen=True, kw_only=True)
class ModesProtocol(Protocol):
    """How the spread of stacked digits over their modes was measured; every stack counts once.

    Attributes:
        extractor: classifier of the single images.
        data: the stacks.
        statistic: "modes": how many have any stack; "kl": KL(their shares || equal shares), nats.
    """

    extractor: StackedClassifierFeatures
    data: Stacked
    statistic: Literal["modes", "kl"]

    def validate(self) -> None:
        """Refuses a classifier of other classes than those stacked."""
        super().validate()
        single, stacked = self.extractor.classifier.data, self.data.of
        require_input(
            single.n_classes == stacked.n_classes,
            f"the classifier must know the {stacked.n_classes} classes of {stacked.name}; got "
            f"one of {single.n_classes} ({single.name})",
        )

    @property
    def name(self) -> str:
        """The statistic."""
        return self.statistic

    @property
    def lower_is_better(self) -> bool:
        """Of the divergence."""
        return self.statistic == "kl"

    @property
    def details(self) -> tuple[str, ...]:
        """The classifier."""
        return (self.extractor.name,)

    def measure(self, features: Tensor, probabilities: Tensor, at: Workplace) -> float:
        """The number of modes, or the divergence."""
        k = self.data.of.n_classes
        found = mode_coverage(stack_classes(probabilities, k), k)
        return float(found.n_modes) if self.statistic == "modes" else found.kl


@dataclass(frozen=True, kw_only=True)
class DistanceProtocol(Protocol):
    """How far points in the plane are from the noise-free set, on average.

    Attributes:
        extractor: the points themselves.
        data: the set; its `distances` are exact.
    """

    unit: ClassVar[str] = "points"

    extractor: Coordinates = field(default_factory=Coordinates)
    data: Toy

    @property
    def name(self) -> str:
        """What it is."""
        return "distance"

    @property
    def lower_is_better(self) -> bool:
        """It is a distance."""
        return True

    def measure(self, features: Tensor, probabilities: Tensor, at: Workplace) -> float:
        """The mean distance, in the data's units, in float64."""
        return self.data.distances(features).mean().item()
