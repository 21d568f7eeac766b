"""The features of real images, or the mean and covariance of the features."""

from dataclasses import dataclass
from typing import ClassVar, Literal

import safetensors.torch
from torch import Tensor

from scorelib.data import DataSpec
from scorelib.metrics.features import Coordinates, Extractor, extract
from scorelib.metrics.frechet import Moments, moments
from scorelib.pictures import scatter_png
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.features.extractors import build_extractor, extractor_inputs

PICTURE_POINTS = 500
"""Number of points of each set in a scatter plot of two sets of points."""


@dataclass(frozen=True, kw_only=True)
class MomentsJob(Job):
    """Base of jobs that store the mean and covariance of features, to measure distances to."""

    KIND = "MomentsJob"
    STAGE: ClassVar[Stage] = Stage("reference", 50, "score", assumed_seconds=5.0)

    def outcome(self, fit: Moments) -> Outcome:
        """Returns the outcome that stores a mean and covariance."""
        tensors = {"mean": fit.mean.contiguous(), "factor": fit.factor.contiguous()}
        files = {"moments.safetensors": safetensors.torch.save(tensors)}
        return Outcome(result={"n_images": fit.n_images}, files=files)

    def moments(self, at: ExecutionContext) -> Moments:
        """Returns the finished mean and covariance.

        Raises:
            MissingInputError: the statistics are not stored, or were found corrupt.
        """
        tensors = safetensors.torch.load(at.read(self, "moments.safetensors"))
        n_images = int(at.manifest(self).result["n_images"])
        return Moments(tensors["mean"], tensors["factor"], n_images)


@dataclass(frozen=True, kw_only=True)
class RealJob(Job):
    """Base of jobs on the features of all images of a data split.

    Attributes:
        data: data set.
        split: split of the data set.
        extractor: feature extractor.
    """

    KIND = "RealJob"

    data: DataSpec
    split: Literal["train", "test"]
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """Returns the inputs of the extractor."""
        return extractor_inputs(self.extractor)

    def wants_gpu(self) -> bool:
        """Returns whether the extractor is slow on a CPU, as Inception is."""
        return self.extractor.needs_gpu

    def _extracted(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """Returns the features of the 8-bit images, (N, d), and the labels, (N,)."""
        images, labels = at.examples(self.data, self.split)
        features, _ = extract(build_extractor(self.extractor, at), images, at.batch_images)
        return features, labels


@dataclass(frozen=True, kw_only=True)
class Reference(RealJob, MomentsJob):
    """The mean and covariance of the features of a data split."""

    KIND = "Reference"

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"statistics of {self.data.name} {self.split}"

    def work(self) -> Work:
        """Returns the number of images; feature extraction counts no network evaluations."""
        d = self.extractor.n_features
        return Work(images=self.data.n_images(self.split), n_bytes=8 * d * (d + 1))

    def run(self, at: ExecutionContext) -> Run:
        """Extracts the features and stores their moments; see `Job.run`."""
        yield Progress(0, 1, "splits")
        features, _ = self._extracted(at)
        return self.outcome(moments(features))


@dataclass(frozen=True, kw_only=True)
class RealFeatures(RealJob):
    """The features of all images of a data split, for metrics that need more than moments.

    For points, the job also stores a scatter plot over the points of the other split.
    """

    KIND = "RealFeatures"
    STAGE: ClassVar[Stage] = Stage("features", 60, "score", assumed_seconds=5.0)

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"features of {self.data.name} {self.split}"

    def work(self) -> Work:
        """Returns the number of images; feature extraction counts no network evaluations."""
        n = self.data.n_images(self.split)
        return Work(images=n, n_bytes=n * (4 * self.extractor.n_features + 8))

    def run(self, at: ExecutionContext) -> Run:
        """Extracts the features, and stores them with the labels; see `Job.run`."""
        yield Progress(0, 1, "splits")
        features, labels = self._extracted(at)
        tensors = {"features": features.contiguous(), "labels": labels.contiguous()}
        files = {"features.safetensors": safetensors.torch.save(tensors)}
        if isinstance(self.extractor, Coordinates):
            others, _ = at.images(self.data, "test" if self.split == "train" else "train")
            files["raw.png"] = scatter_png(others[:PICTURE_POINTS], features[:PICTURE_POINTS])
        return Outcome(result={"n_images": len(features)}, files=files)

    def read(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """Returns the finished features and labels, in the order of the data set.

        Returns:
            Features, (N, d) float32, and labels, (N,) int64.

        Raises:
            MissingInputError: the features are not stored, or were found corrupt.
        """
        tensors = safetensors.torch.load(at.read(self, "features.safetensors"))
        return tensors["features"], tensors["labels"]
