"""The frames stage: what images look like on the way from noise to data.

A walk of its own, over a few images: no chunk has to hold what few want to see. Its images are of
the same distribution as those of the chunks, not the same images.
"""

from dataclasses import dataclass
from typing import ClassVar

import torch

from scorelib.errors import require_input
from scorelib.metrics.features import quantize
from scorelib.pictures import grid_png
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.sample import SampleSpec, walk_chunk

FRAMES_FILE = "frames.png"

SIGMAS = "sigmas"
"""Name of a result: the noise level of each frame's last update."""


@dataclass(frozen=True, kw_only=True)
class Frames(Job):
    """A few images at equal distances along the chain, the last frame at its end.

    Attributes:
        sample: what images; its number per chunk has no part in it.
        n_images: rows of the picture, >= 1.
        n_frames: columns, >= 1, at most one for each update.
    """

    KIND = "Frames"
    STAGE: ClassVar[Stage] = Stage("frames", 40, "sample")

    sample: SampleSpec
    n_images: int = 8
    n_frames: int

    def validate(self) -> None:
        """Refuses empty pictures, frames between updates, and data that are no images."""
        require_input(
            self.n_images >= 1 and 1 <= self.n_frames <= self._n_updates,
            f"n_images must be at least 1 and n_frames in [1, {self._n_updates}], the updates; "
            f"got {self.n_images} and {self.n_frames}",
        )
        shape = self.sample.model.train.data.shape
        require_input(len(shape) == 3, f"frames are made of images; got data of shape {shape}")

    @property
    def _n_updates(self) -> int:
        return self.sample.sampler.n_evaluations(self.sample.model.train.schedule)

    def inputs(self) -> tuple[Job, ...]:
        """The weights sampled from."""
        return self.sample.inputs()

    def title(self) -> str:
        """What this job is."""
        return f"{self.n_frames} frames of {self.n_images} images"

    def work(self) -> Work:
        """One network evaluation per image and step."""
        evaluations = self.n_images * self._n_updates
        cost = float(evaluations * self.sample.evaluation_multiply_adds)
        return Work(self.n_images, evaluations, cost)

    def wants_gpu(self) -> bool:
        """As the training it samples from."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Walks, and keeps the frames."""
        total, frames, sigmas = self._n_updates, [], []
        due = [total * (k + 1) // self.n_frames for k in range(self.n_frames)]
        for state in walk_chunk(self.sample.replace(chunk_images=self.n_images), 0, at):
            if not torch.isfinite(state.x).all():
                return Outcome(result={"failed": f"non-finite sample at step {state.step}"})
            if state.step in due:
                frames.append(quantize(state.x.float().cpu()))
                sigmas.append(state.sigma)
            yield Progress(state.step, total, "steps")
        picture = grid_png(torch.stack(frames, 1).flatten(0, 1), columns=self.n_frames)
        return Outcome(result={SIGMAS: sigmas}, files={FRAMES_FILE: picture})
