"""The shares stage: counts how generated or real images spread over the classes.

The class of a generated image is the most likely class according to a classifier. The class of a
real image is its label.
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
from tuning.stages.score import Output, certainty_of

REACHING = "reaching"
"""Name of a result: number of classes with the equal share inside their interval."""


COUNTING = Stage("shares", 110, "score", assumed_seconds=2.0)
"""The stage of all jobs that count classes."""


def share_of(label: int) -> str:
    """Returns the name of a result: the share of a class."""
    return f"share of {label}"


def ends_of(label: int) -> tuple[str, str]:
    """Returns the names of two results: the ends of the interval of a class's share."""
    return f"lower end of {label}", f"upper end of {label}"


@dataclass(frozen=True, kw_only=True)
class GeneratedShares(Job):
    """The class shares of generated images, according to a classifier.

    Its result has the share of each class, in [0, 1], the ends of its confidence interval, and the
    number of classes with the equal share inside their interval; see `class_shares`. The result
    also has how sure the classifier is of the images (`certainty_of`), which results of version
    0.2 and earlier lack.

    Attributes:
        sample: stream of images.
        n_images: number of images, >= 1.
        extractor: classifier.
        images: kind of images, raw or denoised.
    """

    KIND = "GeneratedShares"
    STAGE: ClassVar[Stage] = COUNTING

    sample: SampleSpec
    n_images: int
    extractor: ClassifierFeatures
    images: Output = "raw"

    def validate(self) -> None:
        """Raises InputError if there are no images."""
        require_input(self.n_images >= 1, f"n_images must be at least 1, but got {self.n_images}")

    def chunks(self) -> tuple[Chunk, ...]:
        """Returns the chunks that hold the images."""
        return self.sample.chunks(self.n_images, self.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the chunks that hold the images."""
        return self.chunks()

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"classes of {self.n_images:,} images"

    def summary(self) -> str:
        """Returns how the numbers are obtained, in a few words."""
        return (
            f"shares of {self.n_images:,} {self.images} images by {self.extractor.name}, "
            f"{CONFIDENCE:.0%} intervals"
        )

    def wants_gpu(self) -> bool:
        """Returns whether the chunks need a GPU: equal resources let the jobs share a worker."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Counts the most likely classes; see `Job.run`."""
        parts = []
        for chunk in self.chunks():
            parts.append(chunk.features(at)[f"{self.images}.probabilities"])
            yield Progress(len(parts), len(self.chunks()), "chunks")
        probabilities = torch.cat(parts)[: self.n_images]
        sure = {certainty_of(self.images): self.extractor.certainty(probabilities)}
        return Outcome(_result(probabilities.argmax(1), self.extractor.n_classes) | sure)


@dataclass(frozen=True, kw_only=True)
class DataShares(Job):
    """The class shares of a data split, according to its labels.

    Its result has the form of that of `GeneratedShares`.

    Attributes:
        data: data set.
        split: split of the data set.
    """

    KIND = "DataShares"
    STAGE: ClassVar[Stage] = COUNTING

    data: DataSpec
    split: Split

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"classes of {self.data.name} {self.split}"

    def summary(self) -> str:
        """Returns how the numbers are obtained, in a few words."""
        return f"labels of {self.data.name} {self.split}"

    def work(self) -> Work:
        """Returns the number of images; as no network is evaluated, a fixed time is assumed."""
        return Work(images=self.data.n_images(self.split))

    def run(self, at: ExecutionContext) -> Run:
        """Counts the labels; see `Job.run`."""
        yield Progress(0, 1, "splits")
        _, labels = at.examples(self.data, self.split)
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
