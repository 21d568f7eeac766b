"""The shares stages: how images, generated or real, spread over the classes.

The classes of generated images are the likeliest by a classifier, those of real ones their labels.
"""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from scorelib.data import DataSpec, Split
from scorelib.errors import require_input
from scorelib.metrics.class_shares import CONFIDENCE, class_shares
from scorelib.metrics.classifier import ClassifierFeatures
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.sample import Chunk, SampleSpec
from tuning.stages.score import Output

REACHING = "reaching"
"""Name of a result: how many classes have the equal share in their interval."""


COUNTING = Stage("shares", 110, "score", assumed_seconds=2.0)
"""The stage of all that counts classes."""


def share_of(label: int) -> str:
    """Name of a result: the share of a class."""
    return f"share of {label}"


def ends_of(label: int) -> tuple[str, str]:
    """Names of two results: the lower and upper end of the interval of a class's share."""
    return f"lower end of {label}", f"upper end of {label}"


@dataclass(frozen=True, kw_only=True)
class GeneratedShares(Job):
    """Shares of the classes of generated images, by a classifier.

    Attributes:
        sample: what images.
        n_images: how many, >= 1.
        extractor: the classifier.
        images: which of the two kinds.
    """

    KIND = "GeneratedShares"
    STAGE: ClassVar[Stage] = COUNTING

    sample: SampleSpec
    n_images: int
    extractor: ClassifierFeatures
    images: Output = "raw"

    def validate(self) -> None:
        """Refuses to count no images."""
        require_input(self.n_images >= 1, f"n_images must be at least 1; got {self.n_images}")

    def chunks(self) -> tuple[Chunk, ...]:
        """The chunks that hold the images."""
        return self.sample.chunks(self.n_images, self.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """The chunks."""
        return self.chunks()

    def title(self) -> str:
        """What this job is."""
        return f"classes of {self.n_images:,} images"

    def summary(self) -> str:
        """How its numbers were got."""
        return (
            f"shares of {self.n_images:,} {self.images} images by {self.extractor.name}, "
            f"{CONFIDENCE:.0%} intervals"
        )

    def wants_gpu(self) -> bool:
        """As its chunks: a worker that held other resources could not be kept for the next."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Counts the likeliest classes."""
        classes = []
        for chunk in self.chunks():
            classes.append(chunk.features(at)[f"{self.images}.probabilities"].argmax(1))
            yield Progress(len(classes), len(self.chunks()), "chunks")
        found = torch.cat(classes)[: self.n_images]
        return Outcome(_result(found, self.extractor.n_classes))


@dataclass(frozen=True, kw_only=True)
class DataShares(Job):
    """Shares of the classes of a split of a data set, by its labels.

    Attributes:
        data: the data set.
        split: which split.
    """

    KIND = "DataShares"
    STAGE: ClassVar[Stage] = COUNTING

    data: DataSpec
    split: Split

    def title(self) -> str:
        """What this job is."""
        return f"classes of {self.data.name} {self.split}"

    def summary(self) -> str:
        """How its numbers were got."""
        return f"labels of {self.data.name} {self.split}"

    def work(self) -> Work:
        """No network: a fixed time, the stage's `assumed_seconds`, is assumed."""
        return Work(images=self.data.n_images(self.split))

    def run(self, at: ExecutionContext) -> Run:
        """Counts the labels."""
        yield Progress(0, 1, "splits")
        _, labels = self.data.load(self.split, at.data_root)
        return Outcome(_result(labels, self.data.n_classes))


def _result(classes: Tensor, n_classes: int) -> dict[str, Any]:
    found = class_shares(classes, n_classes)
    result: dict[str, Any] = {REACHING: found.n_reaching}
    for label in range(n_classes):
        low, high = ends_of(label)
        result |= {
            share_of(label): found.shares[label],
            low: found.lower[label],
            high: found.upper[label],
        }
    return result
