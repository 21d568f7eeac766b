"""Feature extractors with their weights, and the training of the demo classifier.

Most extractors load their weights themselves. Where the weights are the result of a training, the
training is registered for the class of the extractor (`extractor_training`).
"""

from dataclasses import dataclass
from functools import singledispatch
from pathlib import Path
from typing import ClassVar

import safetensors.torch
import torch
from torch import nn

from scorelib.errors import InputError, require_input
from scorelib.metrics.classifier import (
    ClassifierFeatures,
    ClassifierSpec,
    accuracy,
    train_classifier,
)
from scorelib.metrics.features import Extractor, extract
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work

_KEPT: dict[tuple[object, ...], nn.Module] = {}
"""The last module built from weights that need no training, by all that determines the module."""

TEST_CERTAINTY = "test_certainty"
"""Name of a result: how sure a classifier is of real images that it was not trained on."""


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(Job):
    """The training of the classifier whose features replace Inception features on embedded data.

    Its result is {"test_accuracy": accuracy, "test_certainty": certainty}, both in [0, 1]: the
    share of held-out images that are classified correctly, and how sure the classifier is of
    these images (`ClassifierFeatures.certainty`); results of version 0.2 and earlier lack the
    second number.

    Attributes:
        classifier: classifier, its data set and its training settings.
    """

    KIND = "TrainClassifier"
    STAGE: ClassVar[Stage] = Stage("classifier", 10, "train", assumed_seconds=20.0)

    classifier: ClassifierSpec

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"train {self.classifier.data.name} classifier"

    def summary(self) -> str:
        """Returns how the accuracy is measured, in a few words."""
        return f"accuracy of the classifier on {self.classifier.data.name} test"

    def work(self) -> Work:
        """Returns the number of images; a fixed time, the stage's `assumed_seconds`, is assumed."""
        return Work(images=self.classifier.iterations * self.classifier.batch_size)

    def run(self, at: ExecutionContext) -> Run:
        """Trains the classifier, and stores its weights and test accuracy; see `Job.run`."""
        spec = self.classifier
        images, labels = at.images(spec.data, "train")
        classifier = spec.build().to(at.device)
        for done, _ in enumerate(train_classifier(spec, classifier, images, labels), start=1):
            yield Progress(done, spec.iterations, "iterations")
        test_images, test_labels = at.images(spec.data, "test")
        result = {"test_accuracy": accuracy(classifier.eval(), test_images, test_labels)}
        _, probabilities = extract(classifier, test_images)
        result[TEST_CERTAINTY] = ClassifierFeatures(classifier=spec).certainty(probabilities)
        weights = {k: v.cpu().contiguous() for k, v in classifier.state_dict().items()}
        return Outcome(
            result=result, files={"weights.safetensors": safetensors.torch.save(weights)}
        )


@singledispatch
def extractor_training(extractor: Extractor) -> Job | None:
    """Returns the job whose file ``weights.safetensors`` holds the extractor's weights.

    An extractor of any class has None, and loads its weights itself (`Extractor.load_weights`),
    unless a function is registered for the class: ``@extractor_training.register``.

    Args:
        extractor: feature extractor.
    """
    return None


@extractor_training.register
def _(extractor: ClassifierFeatures) -> Job:
    return TrainClassifier(classifier=extractor.classifier)


def extractor_inputs(extractor: Extractor) -> tuple[Job, ...]:
    """Returns the jobs that an extractor needs: the training of its weights, if any."""
    job = extractor_training(extractor)
    return () if job is None else (job,)


def build_extractor(extractor: Extractor, at: ExecutionContext) -> nn.Module:
    """Returns the extractor as a module with its weights, on the device, in evaluation mode.

    The module of an extractor that needs no training is kept for the next job of this process, so
    callers must not change it. Reading, checking and building Inception takes .3 to .5 s (measured
    on one CPU core), which each chunk of images would wait for.

    Args:
        extractor: feature extractor.
        at: execution context, which gives the device and the location of the weights.

    Raises:
        MissingInputError: the weights come from a training and are not stored, or were found
            corrupt.
    """
    job = extractor_training(extractor)
    if job is not None:
        weights = safetensors.torch.load(at.read(job, "weights.safetensors"))
        return extractor.build(weights).to(at.device)
    wanted = (type(extractor), extractor.key, _version(at.inception_weights), at.device)
    if wanted not in _KEPT:
        module = extractor.build(extractor.load_weights(at.inception_weights)).to(at.device)
        _KEPT.clear()
        _KEPT[wanted] = module
    return _KEPT[wanted]


def _version(file: Path | None) -> tuple[Path, int, int] | None:
    """Returns the path, the size and the time of change of a file; None without a file."""
    if file is None or not file.exists():
        return None
    status = file.stat()
    return file, status.st_size, status.st_mtime_ns


def require_extractor(
    extractor: Extractor, shape: tuple[int, ...], weights_path: Path | None
) -> None:
    """Builds an extractor that needs no training, and applies it to two images.

    Args:
        extractor: feature extractor; of one with a registered training, only the shape of images
            that a classifier is for is compared.
        shape: shape of an image, (C, H, W), or of a point, (D,).
        weights_path: file of Inception weights; None if there is none.

    Raises:
        InputError: the extractor cannot be built or applied, returns tensors of other shapes than
            it declares, or is a classifier for images of another shape.
    """
    if isinstance(extractor, ClassifierFeatures):
        data = extractor.classifier.data
        require_input(
            extractor.shape == shape,
            f"images must have the shape {extractor.shape}, for which the classifier of "
            f"{extractor.name} is trained, but have {shape}: train the classifier on such images "
            f"(its setting data, now {data.name}), or use another extractor",
        )
    if extractor_training(extractor) is not None:
        return
    wanted = [(2, extractor.n_features), (2, extractor.n_classes)]
    try:
        module = extractor.build(extractor.load_weights(weights_path))
        got = [tuple(part.shape) for part in extract(module, torch.zeros(2, *shape))]
    except InputError:
        raise
    except Exception as error:  # an extractor of the user may raise anything
        raise InputError(
            f"the extractor {extractor.KIND} must map images of shape {shape} to features, but "
            f"failed: {type(error).__name__}: {error}"
        ) from error
    require_input(
        got == wanted,
        f"the extractor {extractor.KIND} must return features and probabilities of shapes "
        f"{wanted[0]} and {wanted[1]} for two images, but returned {got[0]} and {got[1]}",
    )
