"""The baseline stage: the distance of something known, to read other distances by."""

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
"""Images that are floats at a time in the sums over a large set."""


@dataclass(frozen=True, kw_only=True)
class Baseline(Job):
    """Distance of something known to the reference, to read other distances by.

    Attributes:
        reference: statistics distances are measured to.
        kind: "held-out": the test split, what real images score; "gaussian": images drawn from a
            normal distribution with the data's pixel mean and covariance, what getting nothing
            but the first two moments scores.
        n_images: images drawn for "gaussian", > 1.
        seed: of the draw.
    """

    KIND = "Yardstick"
    STAGE: ClassVar[Stage] = Stage("yardstick", 90, "score", assumed_seconds=2.0)  # as stored

    reference: Reference
    kind: Literal["held-out", "gaussian"]
    n_images: int = 5000
    seed: int = 0

    def validate(self) -> None:
        """Refuses draws too small to have a covariance."""
        require_input(self.n_images > 1, f"n_images must be above 1; got {self.n_images}")

    def inputs(self) -> tuple[Job, ...]:
        """The reference statistics, and what the extractor needs."""
        return (self.reference, *self.reference.inputs())

    def title(self) -> str:
        """What this job is."""
        return f"baseline {self.kind}"

    def work(self) -> Work:
        """No network: a fixed time, the stage's `assumed_seconds`, is assumed."""
        return Work(images=self.n_images)

    def wants_gpu(self) -> bool:
        """As the reference statistics."""
        return self.reference.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Measures the distance."""
        data = self.reference.data
        if self.kind == "held-out":
            images, _ = data.stored("test", at.data_root)
        else:
            images, _ = data.stored("train", at.data_root)
            images = gaussian_like(images, self.n_images, self.seed, at.device)
        yield Progress(0, 1, "splits")
        module = build_extractor(self.reference.extractor, at)
        features, _ = extract(module, images, at.batch_images)
        distance = frechet_distance(self.reference.moments(at), moments(features))
        return Outcome(result={"distance": distance, "n_images": len(images)})


def gaussian_like(images: Tensor, n_images: int, seed: int, device: str = "cpu") -> Tensor:
    """Draws from a normal distribution with the images' mean and covariance.

    Of images with fewer dimensions than there are images, by a square root of the covariance. Of
    others that would be the larger matrix (of 256 x 256 colour pixels, 309 GB); there, a draw is
    the mean plus the centred images weighted by normal numbers, which has the same covariance.

    Args:
        images: (N, C, H, W), float32 in [0, 1] or uint8.
        n_images: how many to draw.
        seed: of the draw.
        device: where large sums are made.

    Returns:
        (n, C, H, W) float32 on the CPU, not clamped.
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
