"""Frechet distances."""

from dataclasses import dataclass
from typing import Literal

from scorelib.errors import require_input
from scorelib.metrics.frechet import frechet_distance, moments
from tuning.jobs import ExecutionContext, Job
from tuning.stages.features.reference import Reference
from tuning.stages.protocols.base import Images, Measurement, Protocol


@dataclass(frozen=True, kw_only=True)
class FidProtocol(Protocol):
    """How a Frechet distance was measured.

    Attributes:
        split: reference split.
        n_images: generated images, > 1.
        rounding: images are clamped to [0, 1] and rounded to 8 bits, as PNG files hold them.
    """

    KIND = "FidProtocol"

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

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """The distance to the reference, in float64."""
        return Measurement(frechet_distance(self.reference.moments(at), moments(images.values)))
