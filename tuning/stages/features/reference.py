"""The features of real images: of a whole data split, or their moments."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import safetensors.torch
from torch import Tensor

from scorelib.data import DataSpec
from scorelib.metrics.features import Coordinates, Extractor, extract
from scorelib.metrics.frechet import Moments, moments
from scorelib.metrics.inception import InceptionFeatures
from scorelib.pictures import scatter_png
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.features.extractors import build_extractor, extractor_inputs

PICTURE_POINTS = 500
"""Points of either kind in a picture of points over others."""


@dataclass(frozen=True, kw_only=True)
class RealJob(Job):
    """Base of what is made of the features of every image of a data split.

    Attributes:
        data: data set.
        split: which split.
        extractor: which features.
    """

    KIND = "RealJob"

    data: DataSpec
    split: Literal["train", "test"]
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """What the extractor needs."""
        return extractor_inputs(self.extractor)

    def wants_gpu(self) -> bool:
        """Inception on a whole data set does."""
        return isinstance(self.extractor, InceptionFeatures)

    def _extracted(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """Features of the 8-bit images, (N, d), and labels, (N,)."""
        images, labels = self.data.stored(self.split, at.data_root)
        features, _ = extract(build_extractor(self.extractor, at), images, at.batch_images)
        return features, labels


@dataclass(frozen=True, kw_only=True)
class Reference(RealJob):
    """Mean and covariance of a data split's features."""

    KIND = "Reference"
    STAGE: ClassVar[Stage] = Stage("reference", 50, "score", assumed_seconds=5.0)

    def title(self) -> str:
        """What this job is."""
        return f"statistics of {self.data.name} {self.split}"

    def work(self) -> Work:
        """One feature extraction per image; no network evaluations."""
        d = self.extractor.n_features
        return Work(images=self.data.n_images(self.split), n_bytes=8 * d * (d + 1))

    def run(self, at: ExecutionContext) -> Run:
        """Extracts the features and fits their moments."""
        yield Progress(0, 1, "splits")
        features, _ = self._extracted(at)
        fit = moments(features)
        tensors = {"mean": fit.mean.contiguous(), "factor": fit.factor.contiguous()}
        files = {"moments.safetensors": safetensors.torch.save(tensors)}
        return Outcome(result={"n_images": len(features)}, files=files)

    def moments(self, at: ExecutionContext) -> Moments:
        """The finished statistics."""
        tensors = safetensors.torch.load(at.read(self, "moments.safetensors"))
        n_images = int(at.manifest(self).result["n_images"])
        return Moments(tensors["mean"], tensors["factor"], n_images)


@dataclass(frozen=True, kw_only=True)
class RealFeatures(RealJob):
    """The features of every image of a data split, for what is no function of their moments.

    Of points there is a picture too, over those of the other split.
    """

    KIND = "RealFeatures"
    STAGE: ClassVar[Stage] = Stage("features", 60, "score", assumed_seconds=5.0)

    def title(self) -> str:
        """What this job is."""
        return f"features of {self.data.name} {self.split}"

    def work(self) -> Work:
        """One feature extraction per image; no network evaluations."""
        n = self.data.n_images(self.split)
        return Work(images=n, n_bytes=n * (4 * self.extractor.n_features + 8))

    def run(self, at: ExecutionContext) -> Run:
        """Extracts the features, and keeps them with the labels."""
        yield Progress(0, 1, "splits")
        features, labels = self._extracted(at)
        tensors = {"features": features.contiguous(), "labels": labels.contiguous()}
        files = {"features.safetensors": safetensors.torch.save(tensors)}
        if isinstance(self.extractor, Coordinates):
            others, _ = self.data.load("test" if self.split == "train" else "train", at.data_root)
            files["raw.png"] = scatter_png(others[:PICTURE_POINTS], features[:PICTURE_POINTS])
        return Outcome(result={"n_images": len(features)}, files=files)

    def read(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """The finished features, (N, d) float32, and labels, (N,) int64, in the data's order."""
        tensors = safetensors.torch.load(at.read(self, "features.safetensors"))
        return tensors["features"], tensors["labels"]
