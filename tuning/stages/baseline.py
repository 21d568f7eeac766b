"""The baseline stage: Frechet distances of known image sets, as a scale for other distances."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor

from scorelib.data.files import as_floats
from scorelib.errors import require_input
from scorelib.metrics.features import extract
from scorelib.metrics.frechet import frechet_distance, moments
from scorelib.seeds import generator_of
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.features.extractors import build_extractor
from tuning.stages.features.reference import Reference

_SUMMED_IMAGES = 1000
"""Images converted to floats at a time in sums over a large set."""


@dataclass(frozen=True, kw_only=True)
class Baseline(Job):
    """The Frechet distance of a known set of images to the reference.

    Its result has the squared distance ("distance") and the number of images ("n_images").

    Attributes:
        reference: statistics that the distance is measured to.
        kind: the set of images. "held-out": the real images of the test split; "gaussian": images
            drawn from a normal distribution with the mean and covariance of the training pixels, as
            from a model that has learned only the first two moments.
        n_images: number of images drawn for "gaussian", > 1.
        seed: seed of the draw for "gaussian".
    """

    KIND = "Yardstick"
    STAGE: ClassVar[Stage] = Stage("yardstick", 90, "score", assumed_seconds=2.0)  # as stored

    reference: Reference
    kind: Literal["held-out", "gaussian"]
    n_images: int = 5000
    seed: int = 0

    def validate(self) -> None:
        """Raises InputError if there are too few images to have a covariance."""
        require_input(self.n_images > 1, f"n_images must be above 1, but got {self.n_images}")

    def inputs(self) -> tuple[Job, ...]:
        """Returns the reference statistics and their inputs."""
        return (self.reference, *self.reference.inputs())

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"baseline {self.kind}"

    def work(self) -> Work:
        """Returns the number of images; as no network is evaluated, a fixed time is assumed."""
        return Work(images=self.n_images)

    def wants_gpu(self) -> bool:
        """Returns whether the reference statistics need a GPU, since the features are the same."""
        return self.reference.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Measures the distance; see `Job.run`."""
        data = self.reference.data
        if self.kind == "held-out":
            images, _ = at.examples(data, "test")
        else:
            images, _ = at.examples(data, "train")
            images = gaussian_like(images, self.n_images, self.seed, at.device)
        yield Progress(0, 1, "splits")
        module = build_extractor(self.reference.extractor, at)
        features, _ = extract(module, images, at.batch_images)
        distance = frechet_distance(self.reference.moments(at), moments(features))
        return Outcome(result={"distance": distance, "n_images": len(images)})


def gaussian_like(images: Tensor, n_images: int, seed: int, device: str = "cpu") -> Tensor:
    """Draws images from a normal distribution with the mean and covariance of given images.

    If an image has fewer values D = C H W than there are images, the draw uses a square root of the
    (D, D) covariance. Otherwise this matrix would be too large (309 GB in float64 for colour images
    of 256 x 256 pixels): each drawn image is then the mean plus a sum of the centred images,
    weighted by normal random numbers, which has the same covariance.

    Args:
        images: images of shape (N, C, H, W), float32 in [0, 1] or uint8, N > 1.
        n_images: number of images to draw.
        seed: seed of the draw.
        device: device that computes the sums over images.

    Returns:
        Images of shape (n_images, C, H, W), float32 on the CPU, not clamped to [0, 1].
    """
    draw = generator_of("gaussian", seed)
    n, size = len(images), images[0].numel()
    if size < n:
        flat = as_floats(images).flatten(1).double()
        values, vectors = torch.linalg.eigh(torch.cov(flat.T))
        factor = vectors * values.clamp(min=0).sqrt()
        noise = torch.randn(n_images, size, generator=draw, dtype=torch.float64)
        drawn: Tensor = flat.mean(0) + noise @ factor.T
        return drawn.float().reshape(n_images, *images.shape[1:])
    parts = [images[i : i + _SUMMED_IMAGES] for i in range(0, n, _SUMMED_IMAGES)]
    total = torch.zeros(size, dtype=torch.float64)
    for part in parts:
        total += as_floats(part).flatten(1).double().sum(0)
    mean = (total / n).float()
    drawn = mean.expand(n_images, size).to(device, copy=True)
    for part in parts:
        weights = torch.randn(n_images, len(part), generator=draw) / math.sqrt(n - 1)
        centred = as_floats(part).flatten(1) - mean
        drawn.addmm_(weights.to(device), centred.to(device))
    return drawn.cpu().reshape(n_images, *images.shape[1:])
