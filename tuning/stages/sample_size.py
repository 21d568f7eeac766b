"""The part of a Frechet distance that is due to the number of images, for a reported number."""

from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from scorelib.errors import require_input
from scorelib.metrics.sample_size import extrapolated, is_extrapolated, perfect_distance
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage
from tuning.stages.protocols import FidProtocol
from tuning.stages.score import OUTPUTS, SCORING, Output, Score

PERFECT = "perfect"
"""Name of a result: the distance of as many perfect samples as our distance has images."""

PERFECT_REPORTED = "perfect, reported number"
"""Name of a result: the distance of as many perfect samples as the reported number has images."""


def infinite(which: Output) -> str:
    """Returns the name of a result: FID-infinity of our images."""
    return f"infinite {which}"


def half_width(which: Output) -> str:
    """Returns the name of a result: half of the 95% interval of FID-infinity."""
    return f"half width {which}"


def at_reported(which: Output) -> str:
    """Returns the name of a result: the distance of our images, had we as many as reported."""
    return f"{which}, reported number"


@dataclass(frozen=True, kw_only=True)
class SampleSize(Job):
    """An estimate of one of our distances for the number of images of a reported distance.

    The result has the distance of perfect samples for both numbers of images. If there are enough
    images (`scorelib.metrics.sample_size.LEAST_RATIO`), the result also has FID-infinity of our
    images with its interval, and their distance for the reported number of images.

    Attributes:
        score: our distance.
        n_reported: number of images of the reported distance, >= 2.
    """

    KIND = "SampleSize"
    STAGE: ClassVar[Stage] = SCORING

    score: Score
    n_reported: int

    def validate(self) -> None:
        """Raises InputError unless the score is a Frechet distance and the number is above 1."""
        require_input(
            isinstance(self.score.protocol, FidProtocol) and self.n_reported > 1,
            "score must be a Frechet distance and n_reported above 1, but got "
            f"{self.score.protocol.name} and {self.n_reported}",
        )

    def inputs(self) -> tuple[Job, ...]:
        """Returns the inputs of the score: chunks and reference."""
        return self.score.inputs()

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"{self.score.protocol.name} by number of images"

    def wants_gpu(self) -> bool:
        """Returns whether the score needs a GPU: equal resources let the jobs share a worker."""
        return self.score.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Fits the line for both kinds of images and simulates perfect samples; see `Job.run`."""
        protocol = self.score.protocol
        assert isinstance(protocol, FidProtocol)
        reference, n = protocol.reference.moments(at), protocol.n_images
        yield Progress(0, 3, "steps")
        result: dict[str, Any] = {
            PERFECT: perfect_distance(reference, n),
            PERFECT_REPORTED: perfect_distance(reference, self.n_reported),
        }
        for done, which in enumerate(OUTPUTS, start=1):
            yield Progress(done, 3, "steps")
            if is_extrapolated(n, protocol.extractor.n_features):
                line = extrapolated(reference, self._features(which, at))
                result[infinite(which)] = line.infinite
                result[half_width(which)] = line.half_width
                result[at_reported(which)] = line.at(self.n_reported)
        return Outcome(result)

    def _features(self, which: Output, at: ExecutionContext) -> Tensor:
        parts = [chunk.features(at)[f"{which}.features"] for chunk in self.score.chunks()]
        return torch.cat(parts)[: self.score.protocol.n_images]
