"""The score stage: one number measured of generated images, of the raw and of the denoised ones.

Which number, and how, is its protocol's business (`tuning.stages.protocols`). Scores of one
`SampleSpec` with the same extractor rest on the same chunks of images.
"""

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import torch
from torch import Tensor

from scorelib.errors import require_input
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage
from tuning.stages.features.reference import RealFeatures
from tuning.stages.protocols import Images, Measurement, Protocol
from tuning.stages.sample import Chunk, SampleSpec

Output = Literal["raw", "denoised"]
"""Which of the two kinds of images of one sampling run."""

_BY_CLASS = "classes.json"

OUTPUTS: tuple[Output, ...] = ("raw", "denoised")

SCORING = Stage("score", 70, "score", assumed_seconds=2.0)
"""The stage of all that is measured of finished images or networks."""


@dataclass(frozen=True, kw_only=True)
class Score(Job):
    """A number of the raw and of the denoised images of a SampleSpec.

    Attributes:
        sample: what images.
        protocol: how they are measured, and how many.
    """

    KIND = "Score"
    STAGE: ClassVar[Stage] = SCORING

    sample: SampleSpec
    protocol: Protocol

    def validate(self) -> None:
        """Refuses images that the protocol cannot measure."""
        self.protocol.require_suitable(self.sample.labels(self.protocol.n_images))

    def chunks(self) -> tuple[Chunk, ...]:
        """The chunks that hold the images."""
        return self.sample.chunks(self.protocol.n_images, self.protocol.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """The chunks, and what the protocol rests on."""
        return (*self.chunks(), *self.protocol.inputs())

    def title(self) -> str:
        """What this job is."""
        sampled = self.chunks()[0].title().split(" #")[0]
        return f"{self.protocol.name} of {sampled} on {self.protocol.n_images:,}"

    def wants_gpu(self) -> bool:
        """As its chunks: a worker that held other resources could not be kept for the next."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Measures both kinds of images."""
        chunks, found = self.chunks(), dict[Output, Measurement]()
        # Read once for each kind: of 50,000 images both are too much to hold for a small worker.
        for which in OUTPUTS:
            parts: list[Tensor] = []
            for chunk in chunks:
                parts.append(chunk.features(at)[f"{which}.{self.protocol.reads}"])
                yield Progress(len(found) * len(chunks) + len(parts), 2 * len(chunks), "chunks")
            found[which] = self.protocol.measure(self._joined(parts), at)
        result: dict[str, Any] = {which: of.value for which, of in found.items()}
        by_class = {which: dict(of.by_class) for which, of in found.items() if of.by_class}
        files = {_BY_CLASS: json.dumps(by_class).encode()} if by_class else {}
        return Outcome(result=result, files=files)

    def _joined(self, parts: list[Tensor]) -> Images:
        """What the protocol sees; the parts are let go."""
        n_images = self.protocol.n_images
        values = torch.cat(parts)[:n_images]
        parts.clear()
        return Images(values, self.sample.labels(n_images))

    def by_class(self, at: ExecutionContext, which: Output) -> dict[int, float]:
        """What a finished mean over classes is the mean of, by label; {} if it is none."""
        if _BY_CLASS not in at.manifest(self).files:
            return {}
        found = json.loads(at.read(self, _BY_CLASS))[which]
        return {int(label): value for label, value in found.items()}


@dataclass(frozen=True, kw_only=True)
class RealScore(Job):
    """A number of real examples in place of generated ones: what perfect samples score.

    Its only quantity is "raw".

    Attributes:
        features: of the real examples; the first `protocol.n_images` are measured.
        protocol: how.
    """

    KIND = "RealScore"
    STAGE: ClassVar[Stage] = SCORING

    features: RealFeatures
    protocol: Protocol

    def validate(self) -> None:
        """Refuses too few examples and other features than the protocol's."""
        data, needed = self.features.data, self.protocol.n_images
        there_are = data.n_images(self.features.split)
        require_input(
            there_are >= needed and self.features.extractor == self.protocol.extractor,
            f"features must be {self.protocol.extractor.name} of at least {needed} examples; got "
            f"{self.features.extractor.name} of {there_are}",
        )
        require_input(
            self.protocol.reads == "features",
            f"protocol must read features, which is all there is; got {self.protocol.name}",
        )

    def inputs(self) -> tuple[Job, ...]:
        """The features, and what the protocol rests on."""
        return (self.features, *self.protocol.inputs())

    def title(self) -> str:
        """What this job is."""
        return f"{self.protocol.name} of {self.features.data.name} {self.features.split}"

    def run(self, at: ExecutionContext) -> Run:
        """Measures the real examples."""
        yield Progress(0, 1, "sets")
        n = self.protocol.n_images
        features, labels = self.features.read(at)
        images = Images(features[:n], labels[:n])
        return Outcome(result={"raw": self.protocol.measure(images, at).value})
