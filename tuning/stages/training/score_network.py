"""The training of score networks by denoising score matching or the adversarial hybrid."""

from dataclasses import dataclass
from typing import Any, ClassVar

from scorelib.losses import Adversarial, Dsm
from scorelib.networks import NetworkSpec
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, Training
from tuning.jobs import ExecutionContext
from tuning.stages.training.snapshots import TrainedWeights, TrainingSpec


@dataclass(frozen=True, kw_only=True)
class TrainSpec(TrainingSpec):
    """A training run of a score network, of any length.

    Attributes:
        network: score network.
        objective: training loss.
    """

    KIND = "TrainSpec"
    loss_name: ClassVar[str] = "dsm"

    network: NetworkSpec
    objective: Dsm | Adversarial

    @property
    def update_multiply_adds(self) -> int:
        """Number of multiply-adds of one update, per image."""
        return self.objective.update_multiply_adds(self.multiply_adds, self.data.shape)

    @property
    def _build_arguments(self) -> tuple[Any, ...]:
        return (self.data.shape,)

    def training(self, at: ExecutionContext) -> Training:
        """Returns the training at iteration 0; see `TrainingSpec.training`."""
        images, _ = self._examples(at)
        settings = self._settings(at)
        if isinstance(self.objective, Adversarial):
            return AdversarialTraining(self.build(), images, objective=self.objective, **settings)
        return DsmTraining(self.build(), images, objective=self.objective, **settings)


@dataclass(frozen=True, kw_only=True)
class Snapshot(TrainedWeights):
    """The EMA weights of a score network after some iterations of a training run.

    Attributes:
        train: training run.
    """

    KIND = "Snapshot"

    train: TrainSpec
