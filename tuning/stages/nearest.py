"""The nearest stage: the training images nearest to generated images. Is the network copying?

Nearness is the Euclidean distance between the features of an extractor. A distance alone says
little, so the job also measures how near held-out images are to the training images: a network that
copies comes nearer than images that it has never seen.
"""

import statistics
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from scorelib.errors import require_input
from scorelib.metrics.features import Extractor, extract
from scorelib.pictures import grid_png
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.features.extractors import build_extractor, extractor_inputs
from tuning.stages.features.reference import RealFeatures
from tuning.stages.first_images import first_images
from tuning.stages.sample import SampleSpec

NEAREST_FILE = "nearest.png"
NEAREST, HELD_OUT = "distance to the nearest training image", "the same of held-out images"
"""Names of the results: median distances over the images."""

_N_HELD_OUT = 200


@dataclass(frozen=True, kw_only=True)
class Nearest(Job):
    """A picture of generated images, each followed by its nearest training images.

    Attributes:
        sample: stream of images; its first images are shown, denoised.
        extractor: extractor whose features are compared.
        n_images: number of generated images, the rows of the picture, >= 1.
        n_nearest: number of training images beside each, >= 1.
    """

    KIND = "Nearest"
    STAGE: ClassVar[Stage] = Stage("nearest", 65, "sample", assumed_seconds=5.0)

    sample: SampleSpec
    extractor: Extractor
    n_images: int
    n_nearest: int = 7

    def validate(self) -> None:
        """Raises InputError unless there are images, training images, and a picture of each."""
        require_input(
            self.n_images >= 1 and self.n_nearest >= 1,
            f"n_images and n_nearest must be at least 1, but got {self.n_images} and "
            f"{self.n_nearest}",
        )
        shape = self.sample.target.shape
        require_input(len(shape) == 3, f"data must be images (C, H, W), but got shape {shape}")

    @property
    def features(self) -> RealFeatures:
        """The job that holds the features of the training images."""
        return RealFeatures(data=self.sample.target, split="train", extractor=self.extractor)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the networks, the extractor and the features of the training images."""
        return (*self.sample.inputs(), *extractor_inputs(self.extractor), self.features)

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"nearest training images of {self.n_images} images"

    def work(self) -> Work:
        """Returns the cost of sampling whole chunks again."""
        n_chunks = -(-self.n_images // self.sample.chunk_images)
        images = n_chunks * self.sample.chunk_images
        evaluations = images * self.sample.sampler.n_evaluations(self.sample.model.levels)
        return Work(images, evaluations, evaluations * self.sample.evaluation_multiply_adds)

    def wants_gpu(self) -> bool:
        """Returns whether sampling or the extractor is slow on a CPU."""
        return self.sample.model.wants_gpu() or self.extractor.needs_gpu

    def run(self, at: ExecutionContext) -> Run:
        """Samples the images again, finds their neighbours and draws the picture; see `Job.run`."""
        yield Progress(0, 2, "parts")
        images = first_images(self.sample, self.n_images, "denoised", at)
        yield Progress(1, 2, "parts")
        module = build_extractor(self.extractor, at)
        known, _ = self.features.read(at)
        training, _ = at.images(self.sample.target, "train")
        held_out, _ = at.images(self.sample.target, "test")
        found, places = self._nearest(images, module, known, at)
        others, _ = self._nearest(held_out[:_N_HELD_OUT], module, known, at)
        rows = torch.cat([images[:, None], training[places.cpu()]], 1)
        picture = grid_png(rows.flatten(0, 1), columns=rows.shape[1])
        result = {
            NEAREST: statistics.median(found[:, 0].tolist()),
            HELD_OUT: statistics.median(others[:, 0].tolist()),
        }
        return Outcome(result=result, files={NEAREST_FILE: picture})

    def _nearest(
        self, images: Tensor, module: torch.nn.Module, known: Tensor, at: ExecutionContext
    ) -> tuple[Tensor, Tensor]:
        """Returns distances and places of the nearest training images, (n, n_nearest) each."""
        features, _ = extract(module, images, at.batch_images)
        distances = torch.cdist(features.double().cpu(), known.double())
        return distances.topk(min(self.n_nearest, len(known)), largest=False)
