"""The train stage of noise-conditional classifiers: cross entropy, DLSM, or both."""

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
        objective: loss.
        score: the score network of all data, frozen, if the objective reads one; else None.
        score_ema: which of its EMA decays; None without one.
    """

    KIND = "NoiseClassifierTrainSpec"
    loss_name: ClassVar[str] = "ce"

    network: NoiseClassifierSpec
    objective: ClassifierObjective
    score: Snapshot | None = None
    score_ema: float | None = None

    def validate(self) -> None:
        """Refuses a score network too many or too few, and decays that were not kept."""
        super().validate()
        name, reads = type(self.objective).__name__, self.objective.reads_score
        require_input(
            reads == (self.score is not None),
            f"{name} {'needs a' if reads else 'reads no'} score network, as score",
        )
        decays = self.score.train.ema if self.score else (None,)
        require_input(
            self.score_ema in decays,
            f"score_ema must be one of the decays kept with the score, {decays}; "
            f"got {self.score_ema}",
        )

    def inputs(self) -> tuple[Job, ...]:
        """The score network."""
        return (self.score,) if self.score else ()

    @property
    def update_multiply_adds(self) -> int:
        """Multiply-adds of one update, per image of its batch; the score's included."""
        score = self.score.train.multiply_adds if self.score else 0
        return self.objective.update_multiply_adds(self.multiply_adds, score)

    @property
    def _build_arguments(self) -> tuple[Any, ...]:
        return self.data.shape, self.data.n_classes

    def training(self, at: ExecutionContext) -> Training:
        """The training at its start."""
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
    """The EMA weights of a noise-conditional classifier's training run at an iteration.

    Attributes:
        train: the run.
    """

    KIND = "NoiseClassifierSnapshot"

    train: NoiseClassifierTrainSpec
