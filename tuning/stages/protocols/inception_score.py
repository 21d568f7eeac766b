"""The protocol of Inception scores."""

from dataclasses import dataclass
from typing import ClassVar

from scorelib.errors import require_input
from scorelib.metrics.inception_score import inception_score
from tuning.jobs import ExecutionContext
from tuning.stages.protocols.base import Images, Measurement, Protocol, Reads


@dataclass(frozen=True, kw_only=True)
class InceptionScoreProtocol(Protocol):
    """The Inception score, as a mean over splits of the images.

    Attributes:
        n_images: number of generated images, at least `n_splits`.
        n_splits: number of splits, each scored separately, >= 1; see
            `scorelib.metrics.inception_score`.
    """

    KIND = "InceptionScoreProtocol"
    reads: ClassVar[Reads] = "probabilities"

    n_splits: int = 10

    def validate(self) -> None:
        """Raises InputError for empty splits, or an extractor without one class per image."""
        require_input(
            1 <= self.n_splits <= self.n_images,
            f"1 <= n_splits <= n_images must hold, but got n_splits={self.n_splits}, "
            f"n_images={self.n_images}",
        )
        require_input(
            self.extractor.n_classes > 0 and self.extractor.one_class_per_image,
            f"extractor must give one class per image, but got {self.extractor.name}",
        )

    @property
    def name(self) -> str:
        """Display name of the metric, such as "is" or "is[digits-cnn]"."""
        return self.extractor.score_name

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values are better: never; the best score is the number of classes."""
        return False

    @property
    def details(self) -> tuple[str, ...]:
        """Number of splits."""
        return (f"{self.n_splits} splits",)

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """Measures the mean score of the splits, in float64; see `Protocol.measure`."""
        return Measurement(inception_score(images.values, self.n_splits).mean)
