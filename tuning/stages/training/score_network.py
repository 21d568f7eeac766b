"""The training of score networks by denoising score matching or the adversarial hybrid."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor, nn

from scorelib.data import DataSpec
from scorelib.errors import InputError
from scorelib.losses import Adversarial, Dsm
from scorelib.networks import Ncsn, NetworkSpec
from scorelib.schedules import Schedule
from scorelib.training.adversarial import AdversarialTraining
from scorelib.training.base import DsmTraining, Training
from tuning.jobs import ExecutionContext, Job
from tuning.stages.models.score_model import ScoreModel
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

    @property
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's output for one example: that of the example."""
        return self.data.shape

    def training(self, at: ExecutionContext) -> Training:
        """Returns the training at iteration 0; see `TrainingSpec.training`."""
        images, _ = self._examples(at)
        settings = self._settings(at) | {"compile": at.compile}
        if isinstance(self.objective, Adversarial):
            return AdversarialTraining(self.build(), images, objective=self.objective, **settings)
        return DsmTraining(self.build(), images, objective=self.objective, **settings)


@dataclass(frozen=True, kw_only=True)
class Snapshot(TrainedWeights, ScoreModel):
    """The EMA weights of a score network after some iterations of a training run.

    Attributes:
        train: training run.
    """

    KIND = "Snapshot"

    train: TrainSpec

    def validate(self) -> None:
        """Raises InputError if a network that knows levels by number is trained at other levels."""
        super().validate()
        network, trained = self.train.network, self.train.schedule
        if isinstance(network, Ncsn) and network.schedule.sigmas != trained.sigmas:
            raise InputError(
                f"{network.short_kind()} knows its noise levels by number, so "
                "train.network.schedule must have the levels of train.schedule, but got "
                f"{network.schedule} and {trained}: give both the same schedule",
                "train.network.schedule",
                "train.schedule",
            )

    @property
    def target(self) -> DataSpec:
        """Data set of the training."""
        return self.train.data

    @property
    def levels(self) -> Schedule:
        """Noise levels of the training."""
        return self.train.schedule

    @property
    def decays(self) -> tuple[float, ...]:
        """EMA decays kept in training."""
        return self.train.ema

    def needed_jobs(self) -> tuple[Job, ...]:
        """Returns the snapshot itself."""
        return (self,)

    @property
    def evaluation_multiply_adds(self) -> int:
        """Number of multiply-adds of one evaluation for one example."""
        return self.train.multiply_adds

    @property
    def architecture(self) -> str:
        """Kind of the network."""
        return self.train.network.KIND

    @property
    def origin(self) -> str:
        """The training loss."""
        return f"trained by {self.train.objective.short_kind().lower()}"

    def score_network(self, at: ExecutionContext, ema: float | None) -> nn.Module:
        """Returns the network of the finished snapshot; see `ScoreModel.score_network`."""
        assert ema is not None
        return self.network(at, ema)

    def exported(
        self, at: ExecutionContext, ema: float | None
    ) -> tuple[NetworkSpec, Mapping[str, Tensor]]:
        """Returns the network and its averaged weights; see `ScoreModel.exported`."""
        assert ema is not None
        return self.train.network, self.weights(at, ema)
