"""The score stage: how far a number of generated images are from the data.

A number without its protocol is not comparable: `FidProtocol` says which features, which reference,
how images were rounded, how many there were and whether the seed had a part in choosing epsilon.
Differences and verdicts exist only between equal protocols.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch

from scorelib.data import DataSpec
from scorelib.metrics.features import Extractor
from scorelib.metrics.frechet import frechet_distance, moments
from scorelib.spec import Spec
from tuning.jobs import Job, Outcome, Progress, Run, Work, Workplace, failure_of, require_input
from tuning.stages.reference import Reference
from tuning.stages.sample import Chunk, SampleSpec

Objective = Literal["raw", "denoised"]
"""Which of the two kinds of images of one sampling run."""

OBJECTIVES: tuple[Objective, ...] = ("raw", "denoised")


@dataclass(frozen=True, kw_only=True)
class FidProtocol(Spec):
    """How a Frechet distance was measured.

    Attributes:
        extractor: features, with their weights and the resizing they do.
        data: data set of the reference.
        split: reference split.
        n_images: generated images, > 1.
        rounding: images are clamped to [0, 1] and rounded to 8 bits, as PNG files hold them.
        seeds: "search": the images that the step size was chosen on (flattering); "fresh": images
            no choice has seen; "unstated": as a paper that does not say.
    """

    extractor: Extractor
    data: DataSpec
    split: Literal["train", "test"] = "train"
    n_images: int
    rounding: Literal["8-bit"] = "8-bit"
    seeds: Literal["search", "fresh", "unstated"] = "search"

    def validate(self) -> None:
        """Refuses sets of images without a covariance."""
        require_input(self.n_images > 1, f"n_images must be above 1; got {self.n_images}")

    def is_comparable(self, other: "FidProtocol") -> bool:
        """Whether numbers of the two may be subtracted: all equal, but for seeds left unstated."""
        if "unstated" in (self.seeds, other.seeds):
            return self.replace(seeds="unstated") == other.replace(seeds="unstated")
        return self == other

    @property
    def reference(self) -> Reference:
        """The job that makes the reference statistics."""
        return Reference(data=self.data, split=self.split, extractor=self.extractor)

    @property
    def distance_name(self) -> str:
        """What the numbers are, for people: "fid" or such as "fd[digits-cnn]"."""
        return self.extractor.distance_name

    @property
    def metric_name(self) -> str:
        """The same without brackets, for MLflow: "fid" or "fd"."""
        return self.distance_name.split("[")[0]

    def describe(self) -> str:
        """The protocol in one line."""
        return (
            f"{self.distance_name}, {self.n_images:,} images, {self.data.name} {self.split}, "
            f"{self.rounding}, {self.seeds} seeds"
        )


@dataclass(frozen=True, kw_only=True)
class Score(Job):
    """Distances of raw and denoised images of a SampleSpec to the data.

    Attributes:
        sample: what images.
        protocol: how they are measured, and how many.
    """

    stage: ClassVar[str] = "score"

    sample: SampleSpec
    protocol: FidProtocol

    def chunks(self) -> tuple[Chunk, ...]:
        """The chunks that hold the images."""
        n_chunks = math.ceil(self.protocol.n_images / self.sample.chunk_images)
        extractor = self.protocol.extractor
        return tuple(
            Chunk(sample=self.sample, index=i, extractor=extractor) for i in range(n_chunks)
        )

    def inputs(self) -> tuple[Job, ...]:
        """The chunks and the reference statistics."""
        return (*self.chunks(), self.protocol.reference)

    def title(self) -> str:
        """What this job is."""
        return f"score {self.chunks()[0].title().split(' #')[0]} on {self.protocol.n_images:,}"

    def work(self) -> Work:
        """The chunks did the work."""
        return Work()

    def wants_gpu(self) -> bool:
        """As its chunks: a worker that held other resources could not be kept for the next."""
        return self.sample.model.wants_gpu()

    def run(self, at: Workplace) -> Run:
        """Measures both distances, in float64."""
        failed = failure_of(at, *self.chunks())
        if failed is not None:
            return Outcome(result={"failed": failed})
        chunks = []
        for chunk in self.chunks():
            chunks.append(chunk.features(at))
            yield Progress(len(chunks), len(self.chunks()), "chunks")
        reference = self.protocol.reference.moments(at)
        result: dict[str, Any] = {}
        for name in OBJECTIVES:
            features = torch.cat([c[f"{name}.features"] for c in chunks])[: self.protocol.n_images]
            result[name] = frechet_distance(reference, moments(features))
        return Outcome(result=result)
