"""The protocol of distances of points in the plane."""

from dataclasses import dataclass, field

from scorelib.data import Toy
from scorelib.metrics.features import Coordinates
from tuning.jobs import ExecutionContext
from tuning.stages.protocols.base import Images, Measurement, Protocol


@dataclass(frozen=True, kw_only=True)
class DistanceProtocol(Protocol):
    """The mean distance of points in the plane from the noise-free data set.

    Attributes:
        extractor: extractor that returns the points themselves.
        data: toy data set, which defines the distances (`Toy.distances`).
    """

    KIND = "DistanceProtocol"

    extractor: Coordinates = field(default_factory=Coordinates)
    data: Toy

    @property
    def name(self) -> str:
        """Display name of the metric."""
        return "distance"

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values are better: always."""
        return True

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """Measures the mean distance, in the data's units, in float64; see `Protocol.measure`."""
        return Measurement(self.data.distances(images.values).mean().item())
