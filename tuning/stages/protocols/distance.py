"""Distances of points in the plane."""

from dataclasses import dataclass, field

from scorelib.data import Toy
from scorelib.metrics.features import Coordinates
from tuning.jobs import ExecutionContext
from tuning.stages.protocols.base import Images, Measurement, Protocol


@dataclass(frozen=True, kw_only=True)
class DistanceProtocol(Protocol):
    """How far points in the plane are from the noise-free set, on average.

    Attributes:
        extractor: the points themselves.
        data: the set; its `distances` are exact.
    """

    KIND = "DistanceProtocol"

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

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """The mean distance, in the data's units, in float64."""
        return Measurement(self.data.distances(images.values).mean().item())
