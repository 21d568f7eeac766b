"""The protocol of Frechet distances."""

from dataclasses import dataclass
from typing import Literal

from scorelib.data import DataSpec
from scorelib.data.own.pictures import Pictures
from scorelib.errors import require_input
from scorelib.metrics.frechet import distances_without, frechet_distance, moments
from scorelib.metrics.statistics import Statistics
from tuning.jobs import ExecutionContext, Job
from tuning.stages.features.pictures import PicturesReference, StatisticsReference
from tuning.stages.features.reference import MomentsJob, Reference
from tuning.stages.protocols.base import N_GROUPS, Images, Measurement, Protocol


@dataclass(frozen=True, kw_only=True)
class FidProtocol(Protocol):
    """The squared Frechet distance to a split of the data; the FID with Inception features.

    Attributes:
        split: reference split, if the reference is a data set.
        n_images: number of generated images, > 1.
        rounding: rounding of the images; "8-bit" clamps to [0, 1] and rounds to 8 bits, as in PNG
            files.
    """

    KIND = "FidProtocol"

    split: Literal["train", "test"] = "train"
    rounding: Literal["8-bit"] = "8-bit"

    def validate(self) -> None:
        """Raises InputError for fewer than two images, points, or other features."""
        require_input(self.n_images > 1, f"n_images must be above 1, but got {self.n_images}")
        require_input(
            len(self.data.shape) != 1,
            f"data must be images (C, H, W), but {self.data.name} has shape {self.data.shape}; use "
            "a DistanceProtocol for points",
        )
        if isinstance(self.data, Statistics):
            self.data.require_features_of(self.extractor)

    @property
    def reference(self) -> MomentsJob:
        """Job that computes, or reads, the mean and covariance of the reference features."""
        if isinstance(self.data, DataSpec):
            return Reference(data=self.data, split=self.split, extractor=self.extractor)
        if isinstance(self.data, Pictures):
            unnamed = self.data.replace(name="")
            return PicturesReference(pictures=unnamed, extractor=self.extractor)
        return StatisticsReference(statistics=self.data, extractor=self.extractor)

    @property
    def name(self) -> str:
        """Display name of the metric, such as "fid" or "fd[digits-cnn]"."""
        return self.extractor.distance_name

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values are better: always."""
        return True

    @property
    def about(self) -> str:
        """Display name of the reference, with the split of a data set."""
        return (
            f"{self.data.name} {self.split}" if isinstance(self.data, DataSpec) else self.data.name
        )

    @property
    def details(self) -> tuple[str, ...]:
        """Rounding of the images."""
        return (self.rounding,)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the reference statistics."""
        return (self.reference,)

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """Measures the distance to the reference, in float64; see `Protocol.measure`."""
        return Measurement(frechet_distance(self.reference.moments(at), moments(images.values)))

    def without_groups(self, images: Images, at: ExecutionContext) -> tuple[float, ...]:
        """Measures the distance without each group, to first order; see `Protocol.without_groups`.

        The twenty distances cost about as much as three, so that 2,048 features are no obstacle;
        `distances_without` has the derivation.
        """
        if len(images.values) < 2 * N_GROUPS:
            return ()
        found = distances_without(self.reference.moments(at), images.values, images.groups)
        return tuple(found.tolist())
