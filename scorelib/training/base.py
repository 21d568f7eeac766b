"""Training of networks on noised data: a generator that yields after every update.

All randomness of iteration i (which images, flips, noise levels, noise) is drawn from streams named
by the training seed and i (see `scorelib.seeds`), and the order of the images by the seed and the
epoch; what layers draw themselves (dropout) comes from PyTorch's own generators, set to such a
stream for the update and put back after it. A run resumed from the state of iteration i therefore
continues exactly as if it had never stopped: nothing random is carried along, and the state is
weights, optimizer moments and EMA.

Images may come as 8-bit pixels. They then stay so, a quarter of the memory, and each batch is
divided by 255 when it is drawn: the same bits as all of them divided first.

`Training` is what all objectives share; a subclass makes one update.

References:
    Song and Ermon (2020); settings of Jolicoeur-Martineau et al. (2021), Appendix B.
"""

import contextlib
import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn

from scorelib.data.files import as_floats
from scorelib.losses import Dsm, dsm_loss
from scorelib.optim import AdamSpec
from scorelib.schedules import Schedule
from scorelib.seeds import generator_of, seed_of
from scorelib.training.ema import Ema

CHECK_EVERY_ITERATIONS = 50
"""The losses are read back (which waits for the device) and checked this often."""


class NonFiniteError(ArithmeticError):
    """A loss or a sample that is not finite: a result of the settings, not an accident."""


@dataclass(frozen=True)
class TrainingStep:
    """One update of the network.

    Attributes:
        iteration: updates made so far, from 1.
        losses: by name, each averaged over the last `CHECK_EVERY_ITERATIONS` updates; only every
            `CHECK_EVERY_ITERATIONS` iterations and at the last, else empty. Every objective of
            score networks has "dsm", the loss of Eq. 1 summed over dimensions, and every one of
            classifiers "ce", the cross entropy in nats.
    """

    iteration: int
    losses: Mapping[str, float]


class Training(ABC):
    """Training of a network with Adam and several EMA decays at once.

    Args:
        network: score network or classifier; moved to `device`.
        images: training images, shape (N, C, H, W), float32 in [0, 1] or uint8 (each batch is
            divided by 255); or vectors, float32 (N, D).
        schedule: noise levels, drawn uniformly; None if no noise is added.
        optimizer: Adam's settings.
        ema: EMA decays, each in [0, 1).
        batch_size: images per update, at most N; part of the result, unlike a sampler's.
        flips: mirror images left to right with probability one half.
        seed: names the streams of randomness.
        device: where to train.
        autocast: run the networks in bfloat16 where that is safe; losses stay in float32.
        most_images: of one pass through a network; larger batches are passed in parts, which
            changes rounding only, and which features a dropout drops. None: never split.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        *,
        schedule: Schedule | None,
        optimizer: AdamSpec,
        ema: tuple[float, ...],
        batch_size: int,
        flips: bool,
        seed: int,
        device: torch.device | str = "cpu",
        autocast: bool = False,
        most_images: int | None = None,
    ) -> None:
        self.network = network.to(device).train()
        self._adam, self.optimizer = optimizer, optimizer.build(self.network.parameters())
        self.ema = Ema(self.network, ema)
        self.iteration = 0
        self._images, self._flips, self._seed = images, flips, seed
        self._batch_size, self._device, self._autocast = batch_size, torch.device(device), autocast
        self._most_images = most_images
        sigmas = schedule.sigmas if schedule else ()
        self._sigmas = torch.tensor(sigmas, dtype=torch.float32)
        self._orders: dict[str, tuple[int, Tensor]] = {}  # by stream, the epoch and its order

    def steps(self, until: int) -> Iterator[TrainingStep]:
        """Trains up to an iteration.

        Args:
            until: last iteration; none are made if it is reached already.

        Yields:
            One `TrainingStep` per update.

        Raises:
            NonFiniteError: a loss is not finite.
        """
        recent: dict[str, list[Tensor]] = defaultdict(list)
        while self.iteration < until:
            with self._layers_seeded(self.iteration + 1):
                found = self._update(self.iteration + 1)
            for name, value in found.items():
                recent[name].append(value)
            self.iteration += 1
            losses: dict[str, float] = {}
            if self.iteration % CHECK_EVERY_ITERATIONS == 0 or self.iteration == until:
                losses = {name: torch.stack(of).mean().item() for name, of in recent.items()}
                recent.clear()
                for name, loss in losses.items():
                    if not math.isfinite(loss):
                        raise NonFiniteError(f"{name} loss is {loss} at iteration {self.iteration}")
            yield TrainingStep(self.iteration, losses)

    @contextlib.contextmanager
    def _layers_seeded(self, iteration: int) -> Iterator[None]:
        """What layers draw inside belongs to an iteration, whatever this process did before."""
        seed = seed_of("layers", self._seed, iteration)
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            # Not torch.manual_seed: it also seeds devices that are not there, in a millisecond.
            torch.default_generator.manual_seed(seed)
            if devices:
                with torch.cuda.device(self._device):
                    torch.cuda.manual_seed(seed)
            yield

    @abstractmethod
    def _update(self, iteration: int) -> dict[str, Tensor]:
        """Makes the update of an iteration; its losses by name, detached scalars.

        The first is "dsm" of a score network, "ce" of a classifier.
        """

    def _gradient_step(
        self,
        examples: tuple[Tensor, ...],
        losses_of: Callable[..., tuple[Tensor, Mapping[str, Tensor]]],
    ) -> dict[str, Tensor]:
        """Makes one step down a mean over examples; of a split batch, the gradients are added up.

        Args:
            examples: tensors of B rows each.
            losses_of: of some rows of each, what is minimised and what is reported, all scalars
                averaged over those rows.

        Returns:
            What is reported, averaged over the batch and detached.
        """
        n_parts = math.ceil(self._batch_size / (self._most_images or self._batch_size))
        self.optimizer.zero_grad(set_to_none=True)
        reported: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self._device))
        for part in zip(*(t.chunk(n_parts) for t in examples), strict=True):
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
                minimised, losses = losses_of(*part)
            share = len(part[0]) / self._batch_size
            (minimised * share).backward()
            for name, loss in losses.items():
                reported[name] += loss.detach() * share
        self._adam.step(self.optimizer, self.iteration)
        self.ema.update(self.network)
        return dict(reported)

    def _examples(self, draw: torch.Generator, indices: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Images, (B, C, H, W), a noise level for each, (B,), and noise, on the device."""
        x = self._images[indices]
        if self._flips:
            mirrored = torch.rand(len(x), 1, 1, 1, generator=draw) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        level = torch.randint(len(self._sigmas), (len(x),), generator=draw)
        noise = torch.randn(x.shape, generator=draw)
        x, sigma = as_floats(x), self._sigmas[level]
        return x.to(self._device), sigma.to(self._device), noise.to(self._device)

    def _batch(self, number: int, stream: str = "epoch") -> Tensor:
        """Indices of a batch, from 1, of shuffled epochs without their last short batch."""
        per_epoch = len(self._images) // self._batch_size
        epoch, position = divmod(number - 1, per_epoch)
        if stream not in self._orders or self._orders[stream][0] != epoch:
            draw = generator_of(stream, self._seed, epoch)
            self._orders[stream] = epoch, torch.randperm(len(self._images), generator=draw)
        order = self._orders[stream][1]
        return order[position * self._batch_size : (position + 1) * self._batch_size]

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on, as flat named tensors on the CPU."""
        named = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in self._named().items()}
        return {"iteration": torch.tensor(self.iteration)} | named

    def _named(self) -> dict[str, Tensor]:
        return (
            with_prefix("network.", self.network.state_dict())
            | with_prefix("optimizer.", adam_moments(self.optimizer))
            | with_prefix("ema.", self.ema.state_dict())
        )

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes back to a `state` of the same settings."""
        self.iteration = int(state["iteration"])
        self.network.load_state_dict(without_prefix("network.", state))
        load_adam_moments(self.optimizer, without_prefix("optimizer.", state))
        self.ema.load_state_dict(without_prefix("ema.", state))


class DsmTraining(Training):
    """Denoising score matching, Eq. 1.

    Args:
        network: score network; moved to the device.
        images: training images or vectors; see `Training`.
        objective: how noise levels are weighted.
        settings: the other arguments of `Training`.
    """

    def __init__(
        self, network: nn.Module, images: Tensor, *, objective: Dsm | None = None, **settings: Any
    ) -> None:
        super().__init__(network, images, **settings)
        self._sigma_power = (objective or Dsm()).sigma_power

    def _update(self, iteration: int) -> dict[str, Tensor]:
        draw = generator_of("train", self._seed, iteration)
        return self._gradient_step(self._examples(draw, self._batch(iteration)), self._losses)

    def _losses(self, *examples: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = dsm_loss(self.network, *examples, self._sigma_power)
        return loss, {"dsm": loss}


def adam_moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """An optimizer's state as flat named tensors."""
    states = optimizer.state_dict()["state"].items()
    return {f"{index}.{name}": value for index, its in states for name, value in its.items()}


def load_adam_moments(optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> None:
    """Goes back to the `adam_moments` of an optimizer of the same parameters and settings."""
    packed = optimizer.state_dict()
    packed["state"] = defaultdict(dict)
    for name, value in named.items():
        index, moment = name.split(".", 1)
        packed["state"][int(index)][moment] = value.clone()
    optimizer.load_state_dict(packed)


def with_prefix(prefix: str, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The same tensors, their names prefixed."""
    return {prefix + name: value for name, value in named.items()}


def without_prefix(prefix: str, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The tensors whose names have a prefix, without it."""
    return {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
