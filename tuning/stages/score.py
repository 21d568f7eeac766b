"""The score stage: one number measured of generated images, of the raw and of the denoised ones.

Which number, and how, is its protocol's business (`tuning.stages.protocols`). Scores of one
`SampleSpec` with the same extractor rest on the same chunks of images.
"""

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from tuning.jobs import Job, Outcome, Progress, Run, Work, Workplace, failure_of
from tuning.stages.protocols import Protocol
from tuning.stages.sample import Chunk, SampleSpec

Objective = Literal["raw", "denoised"]
"""Which of the two kinds of images of one sampling run."""

OBJECTIVES: tuple[Objective, ...] = ("raw", "denoised")


@dataclass(frozen=True, kw_only=True)
class Score(Job):
    """A number of the raw and of the denoised images of a SampleSpec.

    Attributes:
        sample: what images.
        protocol: how they are measured, and how many.
    """

    stage: ClassVar[str] = "score"

    sample: SampleSpec
    protocol: Protocol

    def chunks(self) -> tuple[Chunk, ...]:
        """The chunks that hold the images."""
        n_chunks = math.ceil(self.protocol.n_images / self.sample.chunk_images)
        extractor = self.protocol.extractor
        return tuple(
            Chunk(sample=self.sample, index=i, extractor=extractor) for i in range(n_chunks)
        )

    def inputs(self) -> tuple[Job, ...]:
        """The chunks, and what the protocol rests on."""
        return (*self.chunks(), *self.protocol.inputs())

    def title(self) -> str:
        """What this job is."""
        sampled = self.chunks()[0].title().split(" #")[0]
        return f"{self.protocol.name} of {sampled} on {self.protocol.n_images:,}"

    def work(self) -> Work:
        """The chunks did the work."""
        return Work()

    def wants_gpu(self) -> bool:
        """As its chunks: a worker that held other resources could not be kept for the next."""
        return self.sample.model.wants_gpu()

    def run(self, at: Workplace) -> Run:
        """Measures both kinds of images."""
        failed = failure_of(at, *self.chunks())
        if failed is not None:
            return Outcome(result={"failed": failed})
        chunks = []
        for chunk in self.chunks():
            chunks.append(chunk.features(at))
            yield Progress(len(chunks), len(self.chunks()), "chunks")

        def images(name: str) -> Tensor:
            return torch.cat([chunk[name] for chunk in chunks])[: self.protocol.n_images]

        result: dict[str, Any] = {
            which: self.protocol.measure(
                images(f"{which}.features"), images(f"{which}.probabilities"), at
            )
            for which in OBJECTIVES
        }
        return Outcome(result=result)
