"""Training runs and their snapshots: what score networks and noise-conditional classifiers share.

A training spec has no number of iterations; a snapshot is that run at one. Snapshots of a run form
a chain: each continues from the newest checkpoint at or below it, so extending a run, or resuming
it after a kill, is the same thing. A snapshot keeps the EMA weights; raw weights and optimizer
state are in the run's newest checkpoint only (all of them in all of 120 snapshots of NCSNv2 would
be 71 GB). It also keeps every loss that training reports, as ``losses.json``: by name, its
[iteration, value] pairs from the run's start.
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
from scorelib.errors import require_input
from scorelib.losses import Adversarial, ClassifierObjective, Dsm
from scorelib.networks import NetworkSpec, NoiseClassifierSpec, size_of
from scorelib.optim import AdamSpec
from scorelib.schedules import Schedule
from scorelib.seeds import seed_of
from scorelib.spec import Spec
from scorelib.training.base import (
    CHECK_EVERY_ITERATIONS,
    NonFiniteError,
    Training,
    with_prefix,
    without_prefix,
)
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage, Work

Losses = dict[str, list[tuple[int, float]]]
"""By name, the (iteration, value) pairs of a run so far."""

GPU_MULTIPLY_ADDS = 1e8
"""Networks that cost more than this per image and evaluation are trained and sampled on a GPU."""

LOSSES_FILE = "losses.json"

_CHECKPOINT_SECONDS = 10.0
_CHECKPOINT_SHARE = 0.05


@dataclass(frozen=True, kw_only=True)
class TrainingSpec(Spec, ABC):
    """A training run, of any length.

    Attributes:
        data: data set; its train split is used.
        network: what is trained.
        schedule: noise levels.
        optimizer: Adam's settings.
        ema: decays of the averages kept, each in [0, 1); 0 keeps the weights themselves.
        batch_size: images per update.
        flips: mirror images at random.
        seed: of initial weights, order of images, noise.
        objective: loss.
    """

    KIND = "TrainingSpec"
    loss_name: ClassVar[str]
    """The loss that is a snapshot's result."""

    data: DataSpec
    network: NetworkSpec | NoiseClassifierSpec
    schedule: Schedule
    optimizer: AdamSpec
    ema: tuple[float, ...] = (0.9999,)
    batch_size: int = 128
    flips: bool = False
    seed: int = 0
    objective: Dsm | Adversarial | ClassifierObjective

    def validate(self) -> None:
        """Refuses decays and batch sizes that mean nothing."""
        require_input(
            len(self.ema) > 0 and all(0 <= decay < 1 for decay in self.ema),
            f"ema must hold decays in [0, 1); got {self.ema}",
        )
        require_input(
            len(set(self.ema)) == len(self.ema), f"ema must hold each decay once; got {self.ema}"
        )
        n_images = self.data.n_images("train")
        require_input(
            1 <= self.batch_size <= n_images,
            f"batch_size must be in [1, {n_images}], the training images; got {self.batch_size}",
        )

    @property
    def method(self) -> str:
        """What is trained and how, for people and for measured rates: "ResidualMlp Dsm"."""
        return f"{self.network.KIND} {self.objective.KIND}"

    @property
    def multiply_adds(self) -> int:
        """Multiply-adds of one network evaluation of one image."""
        return size_of(self.network, *self._build_arguments).multiply_adds

    @property
    def n_bytes(self) -> int:
        """Bytes of the network's weights."""
        return size_of(self.network, *self._build_arguments).n_bytes

    @property
    @abstractmethod
    def update_multiply_adds(self) -> int:
        """Multiply-adds of one update, per image of its batch."""

    def inputs(self) -> tuple[Job, ...]:
        """The jobs whose results training reads."""
        return ()

    def build(self) -> nn.Module:
        """The network with its initial weights, drawn from the run's own seed."""
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("weights", self.seed))
            return self.network.build(*self._build_arguments)

    @property
    @abstractmethod
    def _build_arguments(self) -> tuple[Any, ...]:
        """What the network is built for: first the shape of an example."""

    @abstractmethod
    def training(self, at: ExecutionContext) -> Training:
        """The training at its start."""

    def _settings(self, at: ExecutionContext) -> dict[str, Any]:
        """What every `Training` is given by keyword."""
        return {
            "schedule": self.schedule, "optimizer": self.optimizer, "ema": self.ema,
            "batch_size": self.batch_size, "flips": self.flips, "seed": self.seed,
            "device": at.device, "autocast": at.autocast,
            "most_images": at.images_per_call(self.data.shape),
        }  # fmt: skip

    def _examples(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """Images and labels of the train split, as 8-bit pixels if the data set has them."""
        return self.data.stored("train", at.data_root)


@dataclass(frozen=True, kw_only=True)
class TrainedWeights(Job):
    """The EMA weights of a training run at an iteration.

    Attributes:
        train: the run.
        iteration: updates made, >= 1.
    """

    KIND = "TrainedWeights"
    STAGE: ClassVar[Stage] = Stage("train", 20, "train", fills_gpu=True)

    train: TrainingSpec
    iteration: int

    def validate(self) -> None:
        """Refuses iterations before the first."""
        require_input(self.iteration >= 1, f"iteration must be at least 1; got {self.iteration}")

    def inputs(self) -> tuple[Job, ...]:
        """Those of the run."""
        return self.train.inputs()

    @property
    def rate_name(self) -> str:
        """By network and loss: small networks take their time per call, large per multiply-add."""
        return f"{self.stage} {self.train.method}"

    @property
    def chain(self) -> str:
        """Snapshots of one run continue one another."""
        return self.train.key

    @property
    def position(self) -> int:
        """The iteration."""
        return self.iteration

    def title(self) -> str:
        """What this job is."""
        return f"train {self.train.method.lower()} to {self.iteration:,}"

    def work(self) -> Work:
        """From the run's start; a pass and its gradient count three."""
        train = self.train
        images = self.iteration * train.batch_size
        cost = float(images * train.update_multiply_adds)
        return Work(images, images, cost, len(train.ema) * train.n_bytes)

    def wants_gpu(self) -> bool:
        """Image-sized convolutional networks do."""
        return self.train.multiply_adds > GPU_MULTIPLY_ADDS

    def weights(self, at: ExecutionContext, decay: float) -> dict[str, Tensor]:
        """EMA weights of this finished snapshot, on the CPU."""
        weights: dict[str, Tensor] = safetensors.torch.load(at.read(self, _weights_file(decay)))
        return weights

    def network(self, at: ExecutionContext, decay: float) -> nn.Module:
        """The finished snapshot's network with its EMA weights, frozen, on the device."""
        network = self.train.build()
        network.load_state_dict(self.weights(at, decay))
        return network.to(at.device).eval().requires_grad_(False)

    def run(self, at: ExecutionContext) -> Run:
        """Trains on from the newest checkpoint at or below the iteration."""
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
    """Writes a run's checkpoint when due, and drops the one it replaces.

    Due means every ten seconds, but so rarely that saving takes at most a twentieth of the time.
    """

    def __init__(self, at: ExecutionContext, key: str, training: Training, losses: Losses) -> None:
        self._store, self._key, self._training, self._losses = at.store, key, training, losses
        self._due = time.monotonic() + _CHECKPOINT_SECONDS

    def save_if_due(self) -> None:
        # Only where the loss was just read back, so that a resumed run averages the same losses.
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
            # Also what a killed run left behind; a longer run's checkpoint stays.
            if _iteration_of(other) < self._training.iteration:
                self._store.drop_checkpoint(self._key, other)
        now = time.monotonic()
        self._due = now + max(_CHECKPOINT_SECONDS, (now - started) / _CHECKPOINT_SHARE)


def _as_state(losses: Losses) -> dict[str, Tensor]:
    """The losses as a checkpoint keeps them, (n, 2) each."""
    tensors = {name: torch.tensor(pairs, dtype=torch.float64) for name, pairs in losses.items()}
    return with_prefix("losses.", tensors)


def _losses_in(state: Mapping[str, Tensor]) -> Losses:
    """The losses that a checkpoint keeps."""
    found = without_prefix("losses.", state)
    pairs = {name: [(int(i), v) for i, v in t.tolist()] for name, t in found.items()}
    return defaultdict(list, pairs)


def _checkpoint_name(iteration: int) -> str:
    return f"{iteration:010d}.safetensors"


def _iteration_of(name: str) -> int:
    return int(name.split(".")[0])


def _weights_file(decay: float) -> str:
    return f"ema-{decay!r}.safetensors"
