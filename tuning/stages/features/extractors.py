"""Extractors of features with their weights, and the stage that trains the demo classifier."""

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
from scorelib.metrics.features import Coordinates, Extractor, Pixels
from scorelib.metrics.inception import InceptionFeatures
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work


@dataclass(frozen=True, kw_only=True)
class TrainClassifier(Job):
    """The classifier whose features stand in for Inception's on embedded data.

    Attributes:
        classifier: what is trained, on what.
    """

    KIND = "TrainClassifier"
    STAGE: ClassVar[Stage] = Stage("classifier", 10, "train", assumed_seconds=20.0)

    classifier: ClassifierSpec

    def title(self) -> str:
        """What this job is."""
        return f"train {self.classifier.data.name} classifier"

    def summary(self) -> str:
        """How its accuracy was got."""
        return f"accuracy of the classifier on {self.classifier.data.name} test"

    def work(self) -> Work:
        """No network: a fixed time, the stage's `assumed_seconds`, is assumed."""
        return Work(images=self.classifier.iterations * self.classifier.batch_size)

    def run(self, at: ExecutionContext) -> Run:
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


def build_extractor(extractor: Extractor, at: ExecutionContext) -> nn.Module:
    """The extractor with its weights, on the context's device, in eval mode."""
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
