"""The accuracy stage: trains a classifier on generated images and tests it on real images.

The accuracy is a separate job, not a protocol of scores: at paper scale the training takes hours,
and after an interruption it resumes from its newest checkpoint. The images are read from chunks of
pixels, in which class-conditional images are always stored.
"""

import time
from dataclasses import dataclass
from typing import ClassVar

import safetensors.torch
import torch
from torch import Tensor

from scorelib.errors import require_input
from scorelib.metrics.accuracy import AccuracySpec, AccuracyTraining
from scorelib.metrics.features import Pixels
from scorelib.networks import multiply_adds
from scorelib.training.base import NonFiniteError
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.sample import Chunk, SampleSpec
from tuning.stages.score import Output
from tuning.store.store import Store

_CHECKPOINT_SECONDS = 30.0


@dataclass(frozen=True, kw_only=True)
class ClassificationAccuracy(Job):
    """The accuracy on real test images of a classifier trained on generated images only.

    Its result is {"denoised": accuracy} or {"raw": accuracy}, in [0, 1].

    Attributes:
        sample: stream of class-conditional images.
        n_images: number of training images, at least the batch size of the classifier.
        classifier: classifier and its training settings.
        which: kind of images to train on.
    """

    KIND = "ClassificationAccuracy"
    STAGE: ClassVar[Stage] = Stage("accuracy", 80, "train")
    lower_is_better: ClassVar[bool | None] = False

    sample: SampleSpec
    n_images: int
    classifier: AccuracySpec
    which: Output = "denoised"

    def validate(self) -> None:
        """Raises InputError for too few images, or images without requested classes."""
        batch = self.classifier.batch_size
        require_input(
            self.n_images >= batch,
            f"n_images must be at least {batch}, the classifier's batch_size, "
            f"but got {self.n_images}",
        )
        require_input(
            self.sample.labels(1) is not None,  # of a million, they take milliseconds
            "sample must be class-conditional to label its images, but no classes were requested",
        )

    def chunks(self) -> tuple[Chunk, ...]:
        """Returns the chunks that hold the images."""
        return self.sample.chunks(self.n_images, self._pixels)

    @property
    def _pixels(self) -> Pixels:
        return Pixels(shape=self.sample.model.target.shape)

    def inputs(self) -> tuple[Job, ...]:
        """Returns the chunks that hold the images."""
        return self.chunks()

    def title(self) -> str:
        """Returns the title shown for the job."""
        sampled = self.chunks()[0].title().split(" #")[0]
        return f"accuracy of {self.classifier.network} taught by {sampled}, {self.which}"

    def work(self) -> Work:
        """Returns the cost of the training; a forward and a backward pass count as three passes."""
        data = self.sample.model.target
        with torch.device("meta"):
            network = self.classifier.build(data.shape, data.n_classes).eval()
        images = self.classifier.iterations * self.classifier.batch_size
        return Work(images, multiply_adds=3.0 * images * multiply_adds(network, data.shape))

    def wants_gpu(self) -> bool:
        """Returns whether the chunks need a GPU: equal resources let the jobs share a worker."""
        return self.sample.model.wants_gpu()

    def run(self, at: ExecutionContext) -> Run:
        """Trains the classifier from its newest checkpoint and tests it; see `Job.run`.

        The result is a failure if a loss is not finite.
        """
        labels = self.sample.labels(self.n_images)
        assert labels is not None
        data, total = self.sample.model.target, self.classifier.iterations
        training = AccuracyTraining(
            self.classifier, self._images(at), labels, data.n_classes,
            device=at.device,
        )  # fmt: skip
        kept = _Checkpoint(at.store, self.key)
        kept.restore(training)
        try:
            for step in training.steps(total):
                kept.save_if_due(training)
                yield Progress(step.iteration, total, "iterations")
        except NonFiniteError as error:
            return Outcome(result={"failed": str(error)}, once_stored=kept.drop)
        found = training.accuracy(*at.images(data, "test"))
        return Outcome(result={self.which: found}, once_stored=kept.drop)

    def _images(self, at: ExecutionContext) -> Tensor:
        """Returns the generated images, (n_images, C, H, W) uint8."""
        name = f"{self.which}.features"
        parts = [self._pixels.images(chunk.features(at)[name]) for chunk in self.chunks()]
        return torch.cat(parts)[: self.n_images]


class _Checkpoint:
    """The newest checkpoint of a training run: one file in the store, replaced when due."""

    _NAME = "newest.safetensors"

    def __init__(self, store: Store, key: str) -> None:
        self._store, self._key = store, key
        self._due = time.monotonic() + _CHECKPOINT_SECONDS

    def restore(self, training: AccuracyTraining) -> None:
        data = self._store.checkpoint(self._key, self._NAME)
        if data is not None:
            training.restore(safetensors.torch.load(data))

    def save_if_due(self, training: AccuracyTraining) -> None:
        if time.monotonic() >= self._due:
            self._store.put_checkpoint(
                self._key, self._NAME, safetensors.torch.save(training.state())
            )
            self._due = time.monotonic() + _CHECKPOINT_SECONDS

    def drop(self) -> None:
        if self._NAME in self._store.checkpoint_names(self._key):
            self._store.drop_checkpoint(self._key, self._NAME)
