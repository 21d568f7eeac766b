"""The frames stage: pictures of images at several steps between noise and data.

The frames come from a separate sampling run over a few images, so that chunks need not store
intermediate steps. The images have the same distribution as those of the chunks, but are not the
same images.
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
"""Name of a result: the noise level of the last update before each frame."""


@dataclass(frozen=True, kw_only=True)
class Frames(Job):
    """A picture of a few images at equally spaced steps of a sampling run, the last at its end.

    Attributes:
        sample: the sampling run; `chunk_images` is replaced by `n_images`.
        n_images: number of images, the rows of the picture, >= 1.
        n_frames: number of frames, the columns of the picture, in [1, number of updates].
    """

    KIND = "Frames"
    STAGE: ClassVar[Stage] = Stage("frames", 40, "sample")

    sample: SampleSpec
    n_images: int = 8
    n_frames: int

    def validate(self) -> None:
        """Raises InputError for empty pictures, too many frames, or data that are not images."""
        require_input(
            self.n_images >= 1 and 1 <= self.n_frames <= self._n_updates,
            f"n_images must be at least 1 and n_frames in [1, {self._n_updates}], at most one per "
            f"update, but got n_images={self.n_images}, n_frames={self.n_frames}",
        )
        shape = self.sample.model.target.shape
        require_input(len(shape) == 3, f"data must be images (C, H, W), but got shape {shape}")

    @property
    def _n_updates(self) -> int:
        return self.sample.sampler.n_evaluations(self.sample.model.levels)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the weights of the networks that the images are sampled with."""
        return self.sample.inputs()

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"{self.n_frames} frames of {self.n_images} images"

    def work(self) -> Work:
        """Returns the cost of one network evaluation per image and update."""
        evaluations = self.n_images * self._n_updates
        cost = float(evaluations * self.sample.evaluation_multiply_adds)
        return Work(self.n_images, evaluations, cost)

    def wants_gpu(self) -> bool:
        """Returns whether the score network needs a GPU."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Samples the images and stores the picture of the frames; see `Job.run`."""
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
