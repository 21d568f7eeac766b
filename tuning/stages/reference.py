"""Small stages that scores rest on: the demo classifier, real images' features, yardsticks."""

import math
from dataclasses import dataclass
from typing import ClassVar, Literal

import safetensors.torch
import torch
from torch import Tensor, nn

from scorelib.data import DataSpec
from scorelib.data.files import as_floats
from scorelib.metrics.classifier import (
    ClassifierFeatures,
    ClassifierSpec,
    accuracy,
    train_classifier,
)
from scorelib.metrics.features import Coordinates, Extractor, Pixels, extract
from scorelib.metrics.frechet import Moments, frechet_distance, moments
from scorelib.metrics.inception import InceptionFeatures
from scorelib.pictures import scatter_png
from scorelib.seeds import generator_of
from tuning.jobs import Job, Outcome, Progress, Run, Work, Workplace, require_input

PICTURE_POINTS = 500
"""Points of either kind in a picture of points over others."""

_SUMMED_IMAGES = 1000
"""Images that are floats at a time in the sums over a large set."""


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(Job):
    """The classifier whose features stand in for Inception's on embedded data.

    Attributes:
        classifier: what is trained, on what.
    """

    stage: ClassVar[str] = "classifier"

    classifier: ClassifierSpec

    def title(self) -> str:
        """What this job is."""
        return f"train {self.classifier.data.name} classifier"

    def summary(self) -> str:
        """How its accuracy was got."""
        return f"accuracy of the classifier on {self.classifier.data.name} test"

    def work(self) -> Work:
        """Next to nothing."""
        return Work(images=self.classifier.iterations * self.classifier.batch_size)

    def run(self, at: Workplace) -> Run:
        """Trains it from its seed; stores the weights and the test accuracy."""
        spec = self.classifier
        images, labels = spec.data.load("train", at.data_root)
        classifier = spec.build().to(at.device)
        for done, _ in enumerate(train_classifier(spec, classifier, images, labels), start=1):
            yield Progress(done, spec.iterations, "iterations")
        test_images, test_labels = spec.data.load("test", at.data_root)
        result = {"test_accuracy": accuracy(classifier.eval(), test_images, test_labels)}
        weights = {k: v.cpu().contiguous() for k, v in classifier.state_dict().items()}
        return Outcome(
            result=result, files={"weights.safetensors": safetensors.torch.save(weights)}
        )


def extractor_inputs(extractor: Extractor) -> tuple[Job, ...]:
    """The jobs an extractor needs: its classifier's training, if it has one."""
    if isinstance(extractor, ClassifierFeatures):
        return (TrainClassifier(classifier=extractor.classifier),)
    return ()


def build_extractor(extractor: Extractor, at: Workplace) -> nn.Module:
    """The extractor with its weights, on the workplace's device, in eval mode."""
    if isinstance(extractor, ClassifierFeatures):
        (job,) = extractor_inputs(extractor)
        weights = safetensors.torch.load(at.read(job, "weights.safetensors"))
    elif isinstance(extractor, InceptionFeatures):
        weights = extractor.load_weights(at.inception_weights)
    elif isinstance(extractor, Coordinates | Pixels):
        weights = {}
    else:
        raise TypeError(f"no way is known to load weights of {type(extractor).__name__}")
    return extractor.build(weights).to(at.device)


@dataclass(frozen=True, kw_only=True)
class RealJob(Job):
    """Base of what is made of the features of every image of a data split.

    Attributes:
        data: data set.
        split: which split.
        extractor: which features.
    """

    data: DataSpec
    split: Literal["train", "test"]
    extractor: Extractor

    def inputs(self) -> tuple[Job, ...]:
        """What the extractor needs."""
        return extractor_inputs(self.extractor)

    def wants_gpu(self) -> bool:
        """Inception on a whole data set does."""
        return isinstance(self.extractor, InceptionFeatures)

    def _extracted(self, at: Workplace) -> tuple[Tensor, Tensor]:
        """Features of the 8-bit images, (N, d), and labels, (N,)."""
        images, labels = self.data.stored(self.split, at.data_root)
        features, _ = extract(build_extractor(self.extractor, at), images, at.batch_images)
        return features, labels


@dataclass(frozen=True, kw_only=True)
class Reference(RealJob):
    """Mean and covariance of a data split's features."""

    stage: ClassVar[str] = "reference"

    def title(self) -> str:
        """What this job is."""
        return f"statistics of {self.data.name} {self.split}"

    def work(self) -> Work:
        """One feature extraction per image; no network evaluations."""
        d = self.extractor.n_features
        return Work(images=self.data.n_images(self.split), n_bytes=8 * d * (d + 1))

    def run(self, at: Workplace) -> Run:
        """Extracts the features and fits their moments."""
        yield Progress(0, 1, "splits")
        features, _ = self._extracted(at)
        fit = moments(features)
        tensors = {"mean": fit.mean.contiguous(), "factor": fit.factor.contiguous()}
        files = {"moments.safetensors": safetensors.torch.save(tensors)}
        return Outcome(result={"n_images": len(features)}, files=files)

    def moments(self, at: Workplace) -> Moments:
        """The finished statistics."""
        tensors = safetensors.torch.load(at.read(self, "moments.safetensors"))
        n_images = int(at.manifest(self).result["n_images"])
        return Moments(tensors["mean"], tensors["factor"], n_images)


@dataclass(frozen=True, kw_only=True)
class RealFeatures(RealJob):
    """The features of every image of a data split, for what is no function of their moments.

    Of points there is a picture too, over those of the other split.
    """

    stage: ClassVar[str] = "features"

    def title(self) -> str:
        """What this job is."""
        return f"features of {self.data.name} {self.split}"

    def work(self) -> Work:
        """One feature extraction per image; no network evaluations."""
        n = self.data.n_images(self.split)
        return Work(images=n, n_bytes=n * (4 * self.extractor.n_features + 8))

    def run(self, at: Workplace) -> Run:
        """Extracts the features, and keeps them with the labels."""
        yield Progress(0, 1, "splits")
        features, labels = self._extracted(at)
        tensors = {"features": features.contiguous(), "labels": labels.contiguous()}
        files = {"features.safetensors": safetensors.torch.save(tensors)}
        if isinstance(self.extractor, Coordinates):
            others, _ = self.data.load("test" if self.split == "train" else "train", at.data_root)
            files["raw.png"] = scatter_png(others[:PICTURE_POINTS], features[:PICTURE_POINTS])
        return Outcome(result={"n_images": len(features)}, files=files)

    def read(self, at: Workplace) -> tuple[Tensor, Tensor]:
        """The finished features, (N, d) float32, and labels, (N,) int64, in the data's order."""
        tensors = safetensors.torch.load(at.read(self, "features.safetensors"))
        return tensors["features"], tensors["labels"]


@dataclass(frozen=True, kw_only=True)
class Yardstick(Job):
    """Distance of something known to the reference, to read other distances by.

    Attributes:
        reference: statistics distances are measured to.
        kind: "held-out": the test split, what real images score; "gaussian": images drawn from a
            normal distribution with the data's pixel mean and covariance, what getting nothing
            but the first two moments scores.
        n_images: images drawn for "gaussian", > 1.
        seed: of the draw.
    """

    stage: ClassVar[str] = "yardstick"

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
        return f"yardstick {self.kind}"

    def work(self) -> Work:
        """Next to nothing."""
        return Work(images=self.n_images)

    def wants_gpu(self) -> bool:
        """As the reference statistics."""
        return self.reference.wants_gpu()

    def run(self, at: Workplace) -> Run:
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
