"""Inception scores."""

from dataclasses import dataclass
from typing import ClassVar

from scorelib.errors import require_input
from scorelib.metrics.features import Coordinates, Pixels
from scorelib.metrics.inception_score import inception_score
from scorelib.metrics.stacked import StackedClassifierFeatures
from tuning.jobs import ExecutionContext
from tuning.stages.protocols.base import Images, Measurement, Protocol, Reads


@dataclass(frozen=True, kw_only=True)
class InceptionScoreProtocol(Protocol):
    """How an Inception score was measured: the mean over parts of the images.

    Attributes:
        n_images: generated images, at least one for each split.
        n_splits: parts that are scored apart; see `scorelib.metrics.inception_score`.
    """

    KIND = "InceptionScoreProtocol"
    reads: ClassVar[Reads] = "probabilities"

    n_splits: int = 10

    def validate(self) -> None:
        """Refuses empty parts and features without classes."""
        require_input(
            1 <= self.n_splits <= self.n_images,
            f"1 <= n_splits <= n_images must hold; got n_splits={self.n_splits}, "
            f"n_images={self.n_images}",
        )
        require_input(
            not isinstance(self.extractor, Coordinates | Pixels | StackedClassifierFeatures),
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

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """The mean score of the splits, in float64."""
        return Measurement(inception_score(images.values, self.n_splits).mean)
