"""Feature extractors with their weights, and the training of the demo classifier."""

from dataclasses import dataclass
from typing import ClassVar

import safetensors.torch
from torch import nn

from scorelib.metrics.classifier import (
    ClassifierFeatures,
    ClassifierSpec,
    accuracy,
    train_classifier,
)
from scorelib.metrics.features import Coordinates, Extractor, Pixels, extract
from scorelib.metrics.inception import InceptionFeatures
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work

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


def extractor_inputs(extractor: Extractor) -> tuple[Job, ...]:
    """Returns the jobs that an extractor needs: the training of its classifier, if any."""
    if isinstance(extractor, ClassifierFeatures):
        return (TrainClassifier(classifier=extractor.classifier),)
    return ()


def build_extractor(extractor: Extractor, at: ExecutionContext) -> nn.Module:
    """Returns the extractor as a module with its weights, on the device, in evaluation mode.

    Args:
        extractor: feature extractor.
        at: execution context, which gives the device and the location of the weights.

    Raises:
        MissingInputError: the weights of the classifier are not stored, or were found corrupt.
        TypeError: an extractor of unknown type.
    """
    if isinstance(extractor, ClassifierFeatures):
        (job,) = extractor_inputs(extractor)
        weights = safetensors.torch.load(at.read(job, "weights.safetensors"))
    elif isinstance(extractor, InceptionFeatures):
        weights = extractor.load_weights(at.inception_weights)
    elif isinstance(extractor, Coordinates | Pixels):
        weights = {}
    else:
        raise TypeError(f"cannot load weights of unknown extractor {type(extractor).__name__}")
    return extractor.build(weights).to(at.device)
