"""The training of noise-conditional classifiers by cross entropy, DLSM, or both."""

from dataclasses import dataclass
from typing import Any, ClassVar

from scorelib.errors import require_input
from scorelib.losses import ClassifierObjective
from scorelib.networks import NoiseClassifierSpec
from scorelib.training.base import Training
from scorelib.training.classifier import ClassifierTraining
from tuning.jobs import ExecutionContext, Job
from tuning.stages.training.score_network import Snapshot
from tuning.stages.training.snapshots import TrainedWeights, TrainingSpec


@dataclass(frozen=True, kw_only=True)
class NoiseClassifierTrainSpec(TrainingSpec):
    """A training run of a noise-conditional classifier, of any length.

    Attributes:
        network: classifier.
        objective: training loss.
        score: snapshot of the score network of all data, which stays frozen, if the objective
            reads a score network; else None.
        score_ema: EMA decay of the score network's weights; None without a score network.
    """

    KIND = "NoiseClassifierTrainSpec"
    loss_name: ClassVar[str] = "ce"

    network: NoiseClassifierSpec
    objective: ClassifierObjective
    score: Snapshot | None = None
    score_ema: float | None = None

    def validate(self) -> None:
        """Raises InputError for a missing or unused score network, or an unknown EMA decay."""
        super().validate()
        name, reads = type(self.objective).__name__, self.objective.reads_score
        require_input(
            reads == (self.score is not None),
            f"score must be {'a snapshot' if reads else 'None'}, as {name} "
            f"{'needs a' if reads else 'reads no'} score network, "
            f"but got {'None' if reads else 'a snapshot'}",
        )
        decays = self.score.train.ema if self.score else (None,)
        require_input(
            self.score_ema in decays,
            f"score_ema must be one of the decays kept with the score, {decays}, "
            f"but got {self.score_ema}",
        )

    def inputs(self) -> tuple[Job, ...]:
        """Returns the score network, if any."""
        return (self.score,) if self.score else ()

    @property
    def update_multiply_adds(self) -> int:
        """Number of multiply-adds of one update, per image; includes the score network."""
        score = self.score.train.multiply_adds if self.score else 0
        return self.objective.update_multiply_adds(self.multiply_adds, score)

    @property
    def _build_arguments(self) -> tuple[Any, ...]:
        return self.data.shape, self.data.n_classes

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's output for one example: a logit of each class."""
        return (self.data.n_classes,)

    def training(self, at: ExecutionContext) -> Training:
        """Returns the training at iteration 0; see `TrainingSpec.training`."""
        images, labels = self._examples(at)
        score = None
        if self.score is not None and self.score_ema is not None:
            score = self.score.network(at, self.score_ema)
        return ClassifierTraining(
            self.build(), images, labels,
            objective=self.objective, score=score, **self._settings(at),
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class NoiseClassifierSnapshot(TrainedWeights):
    """The EMA weights of a noise-conditional classifier after some iterations of a training run.

    Attributes:
        train: training run.
    """

    KIND = "NoiseClassifierSnapshot"

    train: NoiseClassifierTrainSpec
