"""Training of networks on noised data.

The training loop is a generator that yields after every update. The random numbers of iteration i
(flips, noise levels, noise) come from streams named by the training seed and i (see
`scorelib.seeds`). The order of the images comes from a stream named by the seed and the epoch.
Layers with randomness (dropout) use PyTorch's global generators, which are seeded from such a
stream for each update and restored after it. A run resumed from the state of iteration i therefore
continues exactly as an uninterrupted run. The state consists of weights, optimizer moments and EMA,
and contains no generator.

Images may be 8-bit pixels. They stay 8-bit pixels in memory, which takes a quarter of the memory,
and each batch is divided by 255 when it is drawn. The result is bit-identical to dividing all
images first. Images that take at most a quarter of a GPU's free memory are kept on the GPU; a batch
is then sent as a list of indices. The random numbers of an update are sent to the GPU during the
update before (see `scorelib.devices.ahead`). Only the checks of the losses wait for the device.

`Training` is the base of all objectives; a subclass implements one update.

References:
    Song and Ermon (2020); settings of Jolicoeur-Martineau et al. (2021), Appendix B.
"""

import contextlib
import math
from abc import ABC, abstractmethod
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn

from scorelib.data.files import as_floats
from scorelib.devices.ahead import ahead, resident
from scorelib.devices.precision import Precision, computing_in
from scorelib.losses import Dsm, dsm_loss
from scorelib.networks.layout import channels_last, laid_out
from scorelib.optim import AdamSpec
from scorelib.schedules import Schedule
from scorelib.seeds import generator_of, seed_of
from scorelib.training.ema import Ema

CHECK_EVERY_ITERATIONS = 50
"""Number of iterations between two checks of the losses; a check waits for the device."""


class NonFiniteError(ArithmeticError):
    """A loss or a sample that is not finite, which is a result of the settings and not a fault."""


@dataclass(frozen=True)
class TrainingStep:
    """Report of one update of the network.

    Attributes:
        iteration: number of updates made so far, >= 1.
        losses: losses by name, averaged over the updates since the last report, at most
            `CHECK_EVERY_ITERATIONS`. Empty except every `CHECK_EVERY_ITERATIONS` iterations and at
            the last iteration. Every objective of score networks reports "dsm", the loss of Eq. 1
            summed over dimensions; every objective of classifiers reports "ce", the cross entropy
            in nats.
    """

    iteration: int
    losses: Mapping[str, float]


class Draws(NamedTuple):
    """The random numbers and examples of a batch of B examples; None for fields not in use.

    Attributes:
        indices: indices of the examples, (B,) int64.
        images: the examples as stored, (B, ...); None if all examples lie on the device.
        mirrored: whether each image is mirrored, (B, 1, 1, 1) bool.
        level: index of the noise level of each example, (B,) int64.
        noise: standard normal noise, (B, ...) float32.
    """

    indices: Tensor
    images: Tensor | None = None
    mirrored: Tensor | None = None
    level: Tensor | None = None
    noise: Tensor | None = None


class Training(ABC):
    """Base of all trainings of a network, with Adam and several EMA decays at once.

    Args:
        network: score network or classifier; moved to `device` and set to training mode.
        images: training images, shape (N, C, H, W), float32 in [0, 1] or uint8 (each batch is
            divided by 255); or vectors, shape (N, D), float32.
        schedule: schedule from which noise levels are drawn uniformly; None if no noise is added.
        optimizer: settings of Adam.
        ema: EMA decays, each in [0, 1).
        batch_size: number of examples per update, at most N; it changes the result, unlike the
            batch size of a sampler.
        flips: whether images are mirrored left to right with probability one half.
        seed: seed of all random streams.
        device: device to train on.
        precision: precision in which networks compute; losses stay in float32.
        compile: whether the network runs through `torch.compile`, with the same random numbers.
        most_images: largest number of examples in one pass through a network. Larger batches are
            split, which changes only rounding and the features that dropout drops. None: no
            batch is split.

    Raises:
        InputError: an EMA decay is out of range or is given twice.
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
        precision: Precision = "float32",
        compile: bool = False,
        most_images: int | None = None,
    ) -> None:
        self.network = laid_out(network.to(device), tuple(images.shape[1:])).train()
        if compile:  # in place, so that names and types of the state stay
            self.network.compile(options={"fallback_random": True})
        self._adam, self.optimizer = optimizer, optimizer.build(self.network.parameters())
        self.ema = Ema(self.network, ema)
        self.iteration = 0
        self._batch_size, self._device = batch_size, torch.device(device)
        self._images, self._flips, self._seed = resident(images, self._device), flips, seed
        self._precision: Precision = precision
        self._most_images = most_images
        sigmas = schedule.sigmas if schedule else ()
        self._sigmas = torch.tensor(sigmas, dtype=torch.float32, device=self._device)
        self._orders: dict[str, tuple[int, Tensor]] = {}  # per stream: epoch and order of images

    def steps(self, until: int) -> Iterator[TrainingStep]:
        """Trains up to a given iteration.

        Args:
            until: last iteration; if it is already reached, no update is made.

        Yields:
            One `TrainingStep` per update.

        Raises:
            NonFiniteError: a loss is not finite. The iteration of the message is that of the check,
                at most `CHECK_EVERY_ITERATIONS` - 1 after that of the loss.
        """
        recent: dict[str, list[Tensor]] = defaultdict(list)
        numbers = range(self.iteration + 1, until + 1)
        with contextlib.closing(ahead(map(self._draws, numbers), self._device)) as all_draws:
            for draws in all_draws:
                with self._layers_seeded(self.iteration + 1):
                    found = self._update(draws)
                for name, value in found.items():
                    recent[name].append(value)
                self.iteration += 1
                losses: Mapping[str, float] = {}
                if self.iteration % CHECK_EVERY_ITERATIONS == 0 or self.iteration == until:
                    losses = self._checked(recent)
                    recent.clear()
                yield TrainingStep(self.iteration, losses)

    def _checked(self, recent: Mapping[str, list[Tensor]]) -> Mapping[str, float]:
        """Returns the mean of each loss, read from the device at once; raises NonFiniteError."""
        means = torch.stack([torch.stack(of).mean() for of in recent.values()]).tolist()
        losses = dict(zip(recent, means, strict=True))
        for name, loss in losses.items():
            if not math.isfinite(loss):
                raise NonFiniteError(f"{name} loss is {loss} at iteration {self.iteration}")
        return losses

    @contextlib.contextmanager
    def _layers_seeded(self, iteration: int) -> Iterator[None]:
        """Seeds the generators that layers use by the iteration, and restores them on exit."""
        seed = seed_of("layers", self._seed, iteration)
        devices = [self._device] if self._device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            # torch.manual_seed would also seed absent devices, which takes a millisecond.
            torch.default_generator.manual_seed(seed)
            if devices:
                with torch.cuda.device(self._device):
                    torch.cuda.manual_seed(seed)
            yield

    @abstractmethod
    def _draws(self, iteration: int) -> Any:
        """Returns what is random in the update of an iteration, on the CPU.

        The draws depend on nothing that an update changes, because they are made before the
        previous update has ended.

        Returns:
            A tensor, or a tuple of tensors, of tuples such as `Draws` and of other values.
        """

    @abstractmethod
    def _update(self, draws: Any) -> dict[str, Tensor]:
        """Makes an update and returns its losses by name, as detached scalars.

        The first loss is "dsm" for a score network and "ce" for a classifier.

        Args:
            draws: result of `_draws`, on the device.
        """

    def _gradient_step(
        self,
        examples: tuple[Tensor, ...],
        losses_of: Callable[..., tuple[Tensor, Mapping[str, Tensor]]],
    ) -> dict[str, Tensor]:
        """Makes one optimizer step on a loss that is a mean over examples.

        If the batch is split, the gradients of the parts are added up.

        Args:
            examples: tensors of B rows each.
            losses_of: function that maps some rows of each tensor to the loss to minimise and the
                losses to report by name, all scalars averaged over these rows.

        Returns:
            The losses to report, averaged over the batch and detached.
        """
        n_parts = math.ceil(self._batch_size / (self._most_images or self._batch_size))
        self.optimizer.zero_grad(set_to_none=True)
        reported: dict[str, Tensor] = defaultdict(lambda: torch.zeros((), device=self._device))
        for part in zip(*(t.chunk(n_parts) for t in examples), strict=True):
            with computing_in(self._precision, self._device):
                minimised, losses = losses_of(*part)
            share = len(part[0]) / self._batch_size
            (minimised * share).backward()
            for name, loss in losses.items():
                reported[name] += loss.detach() * share
        self._adam.step(self.optimizer, self.iteration)
        self.ema.update(self.network)
        return dict(reported)

    def _drawn(self, draw: torch.Generator, indices: Tensor) -> Draws:
        """Returns the draws for the examples with given indices, on the CPU."""
        n, shape = len(indices), self._images.shape[1:]
        mirrored = torch.rand(n, 1, 1, 1, generator=draw) < 0.5 if self._flips else None
        level = torch.randint(len(self._sigmas), (n,), generator=draw)
        noise = channels_last(torch.randn(n, *shape, generator=draw))
        return self._chosen(indices)._replace(mirrored=mirrored, level=level, noise=noise)

    def _chosen(self, indices: Tensor) -> Draws:
        """Returns indices, with the examples unless all examples lie on the device."""
        on_device = self._images.device.type == self._device.type
        return Draws(indices, None if on_device else self._images[indices])

    def _examples(self, draws: Draws) -> tuple[Tensor, Tensor, Tensor]:
        """Returns examples, (B, ...), a noise level for each, (B,), and noise, on the device."""
        assert draws.level is not None and draws.noise is not None
        return self._clean(draws), self._sigmas[draws.level], draws.noise

    def _clean(self, draws: Draws) -> Tensor:
        """Returns the examples of a batch, (B, ...) float32, on the device."""
        x = self._images[draws.indices] if draws.images is None else draws.images
        if draws.mirrored is not None:
            x = torch.where(draws.mirrored, x.flip(-1), x)
        return channels_last(as_floats(x))

    def _batch(self, number: int, stream: str = "epoch") -> Tensor:
        """Returns the indices of the examples of a batch.

        Epochs are shuffled and omit their last incomplete batch.

        Args:
            number: number of the batch, counted from 1 over all epochs.
            stream: name of the random stream that shuffles the epochs.
        """
        per_epoch = len(self._images) // self._batch_size
        epoch, position = divmod(number - 1, per_epoch)
        if stream not in self._orders or self._orders[stream][0] != epoch:
            draw = generator_of(stream, self._seed, epoch)
            self._orders[stream] = epoch, torch.randperm(len(self._images), generator=draw)
        order = self._orders[stream][1]
        return order[position * self._batch_size : (position + 1) * self._batch_size]

    def state(self) -> dict[str, Tensor]:
        """Returns all that is needed to resume training, as flat named tensors on the CPU."""
        named = {k: v.detach().to("cpu", copy=True).contiguous() for k, v in self._named().items()}
        return {"iteration": torch.tensor(self.iteration)} | named

    def _named(self) -> dict[str, Tensor]:
        return (
            with_prefix("network.", self.network.state_dict())
            | with_prefix("optimizer.", adam_moments(self.optimizer))
            | with_prefix("ema.", self.ema.state_dict())
        )

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Restores the result of `state` of a training with the same settings."""
        self.iteration = int(state["iteration"])
        self.network.load_state_dict(without_prefix("network.", state))
        load_adam_moments(self.optimizer, without_prefix("optimizer.", state))
        self.ema.load_state_dict(without_prefix("ema.", state))


class DsmTraining(Training):
    """Training of a score network by denoising score matching, Eq. 1.

    Args:
        network: score network; moved to the device.
        images: training images or vectors; see `Training`.
        objective: weights of the noise levels; None for equal weights.
        settings: the other arguments of `Training`.
    """

    def __init__(
        self, network: nn.Module, images: Tensor, *, objective: Dsm | None = None, **settings: Any
    ) -> None:
        super().__init__(network, images, **settings)
        self._sigma_power = (objective or Dsm()).sigma_power

    def _draws(self, iteration: int) -> Draws:
        return self._drawn(generator_of("train", self._seed, iteration), self._batch(iteration))

    def _update(self, draws: Draws) -> dict[str, Tensor]:
        return self._gradient_step(self._examples(draws), self._losses)

    def _losses(self, *examples: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        loss = dsm_loss(self.network, *examples, self._sigma_power)
        return loss, {"dsm": loss}


def adam_moments(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """Returns the state of an optimizer as flat named tensors."""
    states = optimizer.state_dict()["state"].items()
    return {f"{index}.{name}": value for index, its in states for name, value in its.items()}


def load_adam_moments(optimizer: torch.optim.Optimizer, named: Mapping[str, Tensor]) -> None:
    """Restores the result of `adam_moments`, in place.

    Args:
        optimizer: optimizer with the same parameters and settings.
        named: result of `adam_moments`.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    packed = optimizer.state_dict()
    packed["state"] = defaultdict(dict)
    for name, value in named.items():
        index, moment = name.split(".", 1)
        packed["state"][int(index)][moment] = _like(parameters[int(index)], value)
    optimizer.load_state_dict(packed)


def _like(parameter: Tensor, value: Tensor) -> Tensor:
    """Returns a copy of a moment in the memory format of its parameter, or of a single number."""
    if value.shape != parameter.shape:
        return value.clone()
    # The fused kernel of Adam walks through parameter and moments in the order of their memory.
    return torch.empty_like(parameter, dtype=value.dtype).copy_(value)


def with_prefix(prefix: str, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the same tensors with prefixed names."""
    return {prefix + name: value for name, value in named.items()}


def without_prefix(prefix: str, named: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the tensors whose names have the prefix, with the prefix removed."""
    return {k.removeprefix(prefix): v for k, v in named.items() if k.startswith(prefix)}
