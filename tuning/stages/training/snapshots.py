"""Base classes of trainings and snapshots, for score networks and noise-conditional classifiers.

A training spec does not fix the number of iterations; a snapshot is the state of the run at one
iteration. The snapshots of a run form a chain: each continues from the newest checkpoint at or
below its iteration, so extending a run and resuming a run after an interruption are the same
operation. A snapshot stores the EMA weights. Raw weights and optimizer state are only in the newest
checkpoint of the run (in all 120 snapshots of NCSNv2 they would take 71 GB). A snapshot also stores
the training losses in ``losses.json``, which maps the name of each loss to the list of its
[iteration, value] pairs since the start of the run.
"""

import json
import time
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import safetensors.torch
import torch
from torch import Tensor, nn

from scorelib.data import DataSpec
from scorelib.devices.precision import Precision
from scorelib.errors import require_input
from scorelib.losses import Adversarial, ClassifierObjective, Dsm
from scorelib.networks import NetworkSpec, NoiseClassifierSpec, size_of
from scorelib.optim import AdamSpec
from scorelib.schedules import Schedule
from scorelib.seeds import seeded
from scorelib.spec import Spec, added_later
from scorelib.training.base import (
    CHECK_EVERY_ITERATIONS,
    NonFiniteError,
    Training,
    with_prefix,
    without_prefix,
)
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work
from tuning.stages.models.score_model import GPU_MULTIPLY_ADDS

Losses = dict[str, list[tuple[int, float]]]
"""Lists of the (iteration, value) pairs of a run so far, by name of the loss."""

LOSSES_FILE = "losses.json"

_CHECKPOINT_SECONDS = 10.0
_CHECKPOINT_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Spec, ABC):
    """The settings of a training run, except the number of iterations.

    Attributes:
        data: data set; the train split is used.
        network: network to train.
        schedule: noise levels.
        optimizer: settings of Adam.
        ema: EMA decays of the weights to keep, distinct, each in [0, 1); 0 keeps the raw weights.
        batch_size: images per update, in [1, number of training images].
        flips: whether images are mirrored left to right with probability 1/2.
        seed: seed of the initial weights, the order of images and the noise.
        objective: training loss.
        precision: precision in which networks compute; weights and losses are in float32.
    """

    KIND = "TrainingSpec"
    loss_name: ClassVar[str]
    """Name of the loss that a snapshot reports as its result."""

    data: DataSpec
    network: NetworkSpec | NoiseClassifierSpec
    schedule: Schedule
    optimizer: AdamSpec
    ema: tuple[float, ...] = (0.9999,)
    batch_size: int = 128
    flips: bool = False
    seed: int = 0
    objective: Dsm | Adversarial | ClassifierObjective
    precision: Precision = added_later("float32")

    def validate(self) -> None:
        """Raises InputError if the EMA decays or the batch size are out of range."""
        require_input(
            len(self.ema) > 0 and all(0 <= decay < 1 for decay in self.ema),
            f"ema must contain at least one decay, each in [0, 1), but got {self.ema}",
        )
        require_input(
            len(set(self.ema)) == len(self.ema),
            f"ema must contain each decay only once, but got {self.ema}",
        )
        n_images = self.data.n_images("train")
        require_input(
            1 <= self.batch_size <= n_images,
            f"batch_size must be in [1, {n_images}], the number of training images, "
            f"but got {self.batch_size}",
        )

    @property
    def method(self) -> str:
        """Kinds of network and objective, such as "ResidualMlp Dsm", for titles and `rate_name`.

        The precision follows unless it is float32.
        """
        kinds = f"{self.network.KIND} {self.objective.KIND}"
        return kinds if self.precision == "float32" else f"{kinds} {self.precision}"

    @property
    def multiply_adds(self) -> int:
        """Number of multiply-adds of one network evaluation for one image."""
        return size_of(self.network, *self._build_arguments).multiply_adds

    @property
    def n_bytes(self) -> int:
        """Size of the network's weights in bytes."""
        return size_of(self.network, *self._build_arguments).n_bytes

    @property
    @abstractmethod
    def update_multiply_adds(self) -> int:
        """Number of multiply-adds of one update, per image."""

    def inputs(self) -> tuple[Job, ...]:
        """Returns the jobs whose results the training reads."""
        return ()

    def build(self) -> nn.Module:
        """Returns the network with initial weights drawn from the seed, the same at every call."""
        with seeded("weights", self.seed):
            return self.network.build(*self._build_arguments)

    @property
    @abstractmethod
    def _build_arguments(self) -> tuple[Any, ...]:
        """Arguments of `network.build`; the first argument is the shape of one example."""

    @property
    @abstractmethod
    def output_shape(self) -> tuple[int, ...]:
        """Shape of the network's output for one example."""

    @abstractmethod
    def training(self, at: ExecutionContext) -> Training:
        """Returns the training at iteration 0.

        Args:
            at: execution context, which gives the device and the location of the data.

        Raises:
            MissingInputError: an input must be computed (again) first.
            MissingDataError: the data files are missing or corrupt.
        """

    def _settings(self, at: ExecutionContext) -> dict[str, Any]:
        """Returns the keyword arguments common to all `Training` classes."""
        return {
            "schedule": self.schedule, "optimizer": self.optimizer, "ema": self.ema,
            "batch_size": self.batch_size, "flips": self.flips, "seed": self.seed,
            "device": at.device, "precision": self.precision,
            "most_images": at.images_per_call(self.data.shape),
        }  # fmt: skip

    def _examples(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """Returns the images (uint8 if stored as 8-bit pixels) and labels of the train split."""
        return at.examples(self.data, "train")


@dataclass(frozen=True, kw_only=True)
class TrainedWeights(Job):
    """The EMA weights of a network after some iterations of a training run (a snapshot).

    The result of the job is {"loss": v}, with the last value v of the training loss `loss_name`.

    Attributes:
        train: training run.
        iteration: number of updates, >= 1.
    """

    KIND = "TrainedWeights"
    STAGE: ClassVar[Stage] = Stage("train", 20, "train", fills_gpu=True)

    train: TrainingSpec
    iteration: int

    def validate(self) -> None:
        """Raises InputError if the iteration is below 1."""
        require_input(
            self.iteration >= 1, f"iteration must be at least 1, but got {self.iteration}"
        )

    def inputs(self) -> tuple[Job, ...]:
        """Returns the inputs of the training run."""
        return self.train.inputs()

    @property
    def rate_name(self) -> str:
        """Name under which the store keeps the measured throughput of trainings of this method.

        Each method has its own throughput: small networks are limited by the time per call, large
        networks by the time per multiply-add.
        """
        return f"{self.stage} {self.train.method}"

    @property
    def chain(self) -> str:
        """Key of the training run; each snapshot continues from an earlier snapshot of the run."""
        return self.train.key

    @property
    def position(self) -> int:
        """Position in the chain: the iteration."""
        return self.iteration

    def title(self) -> str:
        """Returns the title shown for the job."""
        return f"train {self.train.method.lower()} to {self.iteration:,}"

    def work(self) -> Work:
        """Returns the expected cost of training from iteration 0; see `Work` and `Job.work`."""
        train = self.train
        images = self.iteration * train.batch_size
        cost = float(images * train.update_multiply_adds)
        return Work(images, images, cost, len(train.ema) * train.n_bytes)

    def wants_gpu(self) -> bool:
        """Returns whether the network has more than `GPU_MULTIPLY_ADDS` multiply-adds per image."""
        return self.train.multiply_adds > GPU_MULTIPLY_ADDS

    def weights(self, at: ExecutionContext, decay: float) -> dict[str, Tensor]:
        """Returns the EMA weights of the finished snapshot, on the CPU.

        Args:
            at: execution context whose store holds the snapshot.
            decay: one of the EMA decays of the run.

        Raises:
            MissingInputError: the snapshot is not stored, or was found corrupt.
        """
        weights: dict[str, Tensor] = safetensors.torch.load(at.read(self, _weights_file(decay)))
        return weights

    def network(self, at: ExecutionContext, decay: float) -> nn.Module:
        """Returns the network of the finished snapshot: EMA weights, frozen, on the device.

        Arguments and errors are those of `weights`.
        """
        network = self.train.build()
        network.load_state_dict(self.weights(at, decay))
        return network.to(at.device).eval().requires_grad_(False)

    def run(self, at: ExecutionContext) -> Run:
        """Trains from the newest checkpoint at or below the iteration; see `Job.run`.

        The result is {"failed": message} if a loss is not finite.
        """
        training, losses = self._start(at)
        started_at = training.iteration
        saver = _Saver(at, self.train.key, training, losses)
        try:
            for step in training.steps(self.iteration):
                for name, value in step.losses.items():
                    losses[name].append((step.iteration, value))
                if step.losses:
                    saver.save_if_due()
                yield Progress(step.iteration, self.iteration, "iterations")
        except NonFiniteError as error:
            return Outcome(result={"failed": str(error)})
        saver.save()
        files = {
            _weights_file(decay): safetensors.torch.save(
                {k: v.cpu().contiguous() for k, v in training.ema.weights(decay).items()}
            )
            for decay in self.train.ema
        }
        files[LOSSES_FILE] = json.dumps(losses, sort_keys=True).encode()
        return Outcome(
            {"loss": losses[self.train.loss_name][-1][1]}, files, cost={"started_at": started_at}
        )

    def _start(self, at: ExecutionContext) -> tuple[Training, Losses]:
        spec = self.train
        training = spec.training(at)
        for name in reversed(at.store.checkpoint_names(spec.key)):
            if _iteration_of(name) > self.iteration:
                continue
            data = at.store.checkpoint(spec.key, name)
            if data is not None:
                state = safetensors.torch.load(data)
                training.restore(state)
                return training, _losses_in(state)
        return training, defaultdict(list)


class _Saver:
    """The checkpoint writer of a run, which also deletes the earlier checkpoints.

    A checkpoint is due every ten seconds, or later if saving would otherwise take more than a
    twentieth of the time.
    """

    def __init__(self, at: ExecutionContext, key: str, training: Training, losses: Losses) -> None:
        self._store, self._key, self._training, self._losses = at.store, key, training, losses
        self._due = time.monotonic() + _CHECKPOINT_SECONDS

    def save_if_due(self) -> None:
        # Saves only at iterations where the averages of the losses start anew, so that a resumed
        # run averages the same losses.
        whole = self._training.iteration % CHECK_EVERY_ITERATIONS == 0
        if whole and time.monotonic() >= self._due:
            self.save()

    def save(self) -> None:
        name = _checkpoint_name(self._training.iteration)
        if name in self._store.checkpoint_names(self._key):
            return
        started = time.monotonic()
        state = self._training.state() | _as_state(self._losses)
        self._store.put_checkpoint(self._key, name, safetensors.torch.save(state))
        for other in self._store.checkpoint_names(self._key):
            # Includes checkpoints left by a killed run; checkpoints of a longer run stay.
            if _iteration_of(other) < self._training.iteration:
                self._store.drop_checkpoint(self._key, other)
        now = time.monotonic()
        self._due = now + max(_CHECKPOINT_SECONDS, (now - started) / _CHECKPOINT_SHARE)


def _as_state(losses: Losses) -> dict[str, Tensor]:
    """Returns the losses as checkpoint tensors, (n, 2) float64 each."""
    tensors = {name: torch.tensor(pairs, dtype=torch.float64) for name, pairs in losses.items()}
    return with_prefix("losses.", tensors)


def _losses_in(state: Mapping[str, Tensor]) -> Losses:
    """Returns the losses in a checkpoint."""
    found = without_prefix("losses.", state)
    pairs = {name: [(int(i), v) for i, v in t.tolist()] for name, t in found.items()}
    return defaultdict(list, pairs)


def _checkpoint_name(iteration: int) -> str:
    return f"{iteration:010d}.safetensors"


def _iteration_of(name: str) -> int:
    return int(name.split(".")[0])


def _weights_file(decay: float) -> str:
    return f"ema-{decay!r}.safetensors"
