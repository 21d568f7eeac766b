"""The score stage: jobs that measure one metric on generated images.

A stage is a kind of job. In this package, a *score* is the value of a metric, such as a Frechet
distance; the scores that networks estimate, gradients of log densities, are another matter. A
`Protocol` defines the metric and how to measure it (see `tuning.stages.protocols`).

The metric is measured twice: on the *raw* images, the last iterates of the sampler, which still
contain noise of the lowest level, and on the *denoised* images, the expected images without noise.
Images are stored in *chunks*, one sampling job each (see `tuning.stages.sample`). All scores that
read the same images with the same feature extractor read the same chunks.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from scorelib.data.own.pictures import Pictures
from scorelib.errors import require_input
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage
from tuning.stages.features.pictures import PictureChunk, picture_chunks
from tuning.stages.features.reference import RealFeatures
from tuning.stages.protocols import Images, Measurement, Protocol
from tuning.stages.sample import Chunk, SampleSpec

Output = Literal["raw", "denoised"]
"""Kind of images: raw or denoised (see the module docstring). A sampling run yields both kinds."""

_BY_CLASS = "classes.json"

OUTPUTS: tuple[Output, ...] = ("raw", "denoised")


def certainty_of(which: Output) -> str:
    """Returns the name of a result: how sure the classifier of a metric is of the images."""
    return f"certainty of {which}"


def without_group(which: Output, group: int) -> str:
    """Returns the name of a result: the value without one of `N_GROUPS` groups of the images."""
    return f"{which} without group {group}"


SCORING = Stage("score", 70, "score", assumed_seconds=2.0)
"""The stage of all measurements of finished images or networks."""


@dataclass(frozen=True, kw_only=True)
class Score(Job):
    """A metric measured on the raw and on the denoised images of a `SampleSpec`.

    Its result is {"raw": value, "denoised": value}. If the metric rests on a trained classifier
    (`Protocol.classifier`), the result also has how sure the classifier is of the images
    (`certainty_of`); results of version 0.2 and earlier lack this number. On the images of a
    search, many metrics are also measured without each of 20 groups of the images
    (`without_group`), from which a search estimates the noise of differences.

    Attributes:
        sample: images; the first `protocol.n_images` of them are measured.
        protocol: metric with its settings, including the number of images.
    """

    KIND = "Score"
    STAGE: ClassVar[Stage] = SCORING

    sample: SampleSpec
    protocol: Protocol

    def validate(self) -> None:
        """Raises InputError if the protocol cannot measure the images."""
        self.protocol.require_suitable(self.sample.labels(self.protocol.n_images))

    def chunks(self) -> tuple[Chunk, ...]:
        """Returns the chunks that hold the images."""
        return self.sample.chunks(self.protocol.n_images, self.protocol.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the chunks and the inputs of the protocol."""
        return (*self.chunks(), *self.protocol.inputs())

    def title(self) -> str:
        """Returns the title shown for the job."""
        sampled = self.chunks()[0].title().split(" #")[0]
        return f"{self.protocol.name} of {sampled} on {self.protocol.n_images:,}"

    def wants_gpu(self) -> bool:
        """Returns whether the chunks need a GPU.

        The score requests the same resources as its chunks, so that they can share a worker.
        """
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Measures both kinds of images; see `Job.run`."""
        chunks, found = self.chunks(), dict[Output, Measurement]()
        classifier, more = self.protocol.classifier, dict[str, float]()
        # One kind at a time: both kinds of 50,000 images do not fit in a small worker's memory.
        for which in OUTPUTS:
            parts: list[Tensor] = []
            probabilities: list[Tensor] = []
            for chunk in chunks:
                tensors = chunk.features(at)
                parts.append(tensors[f"{which}.{self.protocol.reads}"])
                if classifier:
                    probabilities.append(tensors[f"{which}.probabilities"])
                yield Progress(len(found) * len(chunks) + len(parts), 2 * len(chunks), "chunks")
            if classifier:
                counted = torch.cat(probabilities)[: self.protocol.n_images]
                more[certainty_of(which)] = classifier.certainty(counted)
            images = self._joined(parts)
            found[which] = self.protocol.measure(images, at)
            if self.protocol.seeds == "search":
                left_out = self.protocol.without_groups(images, at)
                more |= {without_group(which, g): value for g, value in enumerate(left_out)}
        result: dict[str, Any] = {which: of.value for which, of in found.items()} | more
        by_class = {which: dict(of.by_class) for which, of in found.items() if of.by_class}
        files = {_BY_CLASS: json.dumps(by_class).encode()} if by_class else {}
        return Outcome(result=result, files=files)

    def _joined(self, parts: list[Tensor]) -> Images:
        """Returns the images for the protocol; clears `parts` to free memory."""
        n_images = self.protocol.n_images
        values = torch.cat(parts)[:n_images]
        parts.clear()
        labels = self.sample.labels(n_images)
        return Images(values, None if labels is None else labels.clone())

    def by_class(self, at: ExecutionContext, which: Output) -> dict[int, float]:
        """Returns the value of each class, if the finished score is a mean over classes.

        Args:
            at: execution context that holds the score.
            which: kind of images.

        Returns:
            The value of each class by label; empty if the score is not a mean over classes.

        Raises:
            MissingInputError: the score is not stored, or was found corrupt.
        """
        if _BY_CLASS not in at.manifest(self).files:
            return {}
        found = json.loads(at.read(self, _BY_CLASS))[which]
        return {int(label): value for label, value in found.items()}


@dataclass(frozen=True, kw_only=True)
class RealScore(Job):
    """A metric measured on real examples: the value that a perfect generator would reach.

    Its result is {"raw": value}.

    Attributes:
        features: features of real examples, of which the first `protocol.n_images` are measured.
        protocol: metric with its settings, measured on features (not on class probabilities), with
            the same extractor as `features`.
    """

    KIND = "RealScore"
    STAGE: ClassVar[Stage] = SCORING

    features: RealFeatures
    protocol: Protocol

    def validate(self) -> None:
        """Raises InputError for too few examples, or features that the protocol does not read."""
        data, needed = self.features.data, self.protocol.n_images
        there_are = data.n_images(self.features.split)
        require_input(
            there_are >= needed,
            f"features must hold at least the {needed:,} examples of protocol.n_images, but "
            f"{data.name} {self.features.split} has {there_are:,}",
        )
        ours, theirs = self.features.extractor, self.protocol.extractor
        require_input(
            ours == theirs,
            "features.extractor must equal protocol.extractor, but got "
            f"{ours.name} (key {ours.key[:8]}) and {theirs.name} (key {theirs.key[:8]})",
        )
        require_input(
            self.protocol.reads == "features",
            f"protocol must measure features, but got {self.protocol.name}, which measures "
            f"{self.protocol.reads}",
        )

    def inputs(self) -> tuple[Job, ...]:
        """Returns the features and the inputs of the protocol."""
        return (self.features, *self.protocol.inputs())

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"{self.protocol.name} of {self.features.data.name} {self.features.split}"

    def wants_gpu(self) -> bool:
        """Returns whether the features need a GPU: equal resources let the jobs share a worker."""
        return self.features.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Measures the real examples; see `Job.run`."""
        yield Progress(0, 1, "sets")
        n = self.protocol.n_images
        features, labels = self.features.read(at)
        images = Images(features[:n], labels[:n])
        return Outcome(result={"raw": self.protocol.measure(images, at).value})


@dataclass(frozen=True, kw_only=True)
class PicturesScore(Job):
    """A metric measured on pictures that were made elsewhere.

    Its result is {"raw": value} and, if the metric rests on a trained classifier, how sure the
    classifier is of the pictures; see `Score`.

    Attributes:
        pictures: the pictures; the first `protocol.n_images` of them are measured.
        protocol: metric with its settings.
    """

    KIND = "PicturesScore"
    STAGE: ClassVar[Stage] = SCORING

    pictures: Pictures
    protocol: Protocol

    def validate(self) -> None:
        """Raises InputError for too few pictures, or a metric that needs classes."""
        there_are, needed = self.pictures.n_images, self.protocol.n_images
        require_input(
            there_are >= needed,
            f"pictures must be at least the {needed:,} of protocol.n_images, but are {there_are:,}",
        )
        self.protocol.require_suitable(None)

    def chunks(self) -> tuple[PictureChunk, ...]:
        """Returns the chunks that hold the pictures."""
        return picture_chunks(self.pictures, self.protocol.n_images, self.protocol.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the chunks and the inputs of the protocol."""
        return (*self.chunks(), *self.protocol.inputs())

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"{self.protocol.name} of {self.protocol.n_images:,} pictures"

    def wants_gpu(self) -> bool:
        """Returns whether the features need a GPU: equal resources let the jobs share a worker."""
        return self.protocol.extractor.needs_gpu

    def run(self, at: ExecutionContext) -> Run:
        """Measures the pictures; see `Job.run`."""
        yield Progress(0, 1, "sets")
        n, result = self.protocol.n_images, dict[str, Any]()
        if classifier := self.protocol.classifier:
            parts = [chunk.read(at, "probabilities") for chunk in self.chunks()]
            result[certainty_of("raw")] = classifier.certainty(torch.cat(parts)[:n])
        values = torch.cat([chunk.read(at, self.protocol.reads) for chunk in self.chunks()])[:n]
        return Outcome(result | {"raw": self.protocol.measure(Images(values), at).value})
