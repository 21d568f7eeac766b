"""Training of score networks: a generator that yields after every update.

All randomness of iteration i (which images, flips, noise levels, noise) is drawn from streams named
by the training seed and i (see `scorelib.seeds`), and the order of the images by the seed and the
epoch. A run resumed from the state of iteration i therefore continues exactly as if it had never
stopped: nothing random is carried along, and the state is weights, optimizer moments and EMA.

References:
    Song and Ermon (2020); settings of Jolicoeur-Martineau et al. (2021), Appendix B.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from scorelib.ema import Ema
from scorelib.losses import dsm_loss
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from scorelib.seeds import generator_of

CHECK_EVERY_ITERATIONS = 50
"""The loss is read back (which waits for the device) and checked this often."""


class NonFiniteError(ArithmeticError):
    """A loss or a sample that is not finite: a result of the settings, not an accident."""


@dataclass(frozen=True)
class TrainingStep:
    """One update of the score network.

    Attributes:
        iteration: updates made so far, from 1.
        loss: DSM loss averaged over the last `CHECK_EVERY_ITERATIONS` updates, in nats-like units
            of Eq. 1 (summed over dimensions); only every `CHECK_EVERY_ITERATIONS` iterations.
    """

    iteration: int
    loss: float | None


class DsmTraining:
    """Denoising score matching with Adam and several EMA decays at once.

    Args:
        network: score network; moved to `device`.
        images: training images, shape (N, C, H, W), float32 in [0, 1].
        schedule: noise levels, drawn uniformly.
        optimizer: Adam's settings.
        ema: EMA decays, each in [0, 1).
        batch_size: images per update, at most N; part of the result, unlike a sampler's.
        flips: mirror images left to right with probability one half.
        seed: names the streams of randomness.
        device: where to train.
        autocast: run the network in bfloat16 where that is safe; the loss stays in float32.
        most_images: of one pass through the network; a larger batch is split in equal parts and
            their gradients added up, which changes rounding only. None: never split.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        *,
        schedule: GeometricSchedule,
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
        self.optimizer = optimizer.build(self.network.parameters())
        self.ema = Ema(self.network, ema)
        self.iteration = 0
        self._epoch, self._order = -1, torch.empty(0, dtype=torch.long)  # drawn when first needed
        self._images, self._flips, self._seed = images, flips, seed
        self._batch_size, self._device, self._autocast = batch_size, torch.device(device), autocast
        self._n_parts = math.ceil(batch_size / (most_images or batch_size))
        self._sigmas = torch.tensor(schedule.sigmas, dtype=torch.float32)

    def steps(self, until: int) -> Iterator[TrainingStep]:
        """Trains up to an iteration.

        Args:
            until: last iteration; none are made if it is reached already.

        Yields:
            One `TrainingStep` per update.

        Raises:
            NonFiniteError: the loss is not finite.
        """
        losses: list[Tensor] = []
        while self.iteration < until:
            losses.append(self._update(self.iteration + 1))
            self.iteration += 1
            loss = None
            if self.iteration % CHECK_EVERY_ITERATIONS == 0 or self.iteration == until:
                loss = torch.stack(losses).mean().item()
                losses.clear()
                if not torch.isfinite(torch.tensor(loss)):
                    raise NonFiniteError(f"loss is {loss} at iteration {self.iteration}")
            yield TrainingStep(self.iteration, loss)

    def _update(self, iteration: int) -> Tensor:
        draw = generator_of("train", self._seed, iteration)
        x = self._images[self._batch(iteration)]
        if self._flips:
            mirrored = torch.rand(len(x), 1, 1, 1, generator=draw) < 0.5
            x = torch.where(mirrored, x.flip(-1), x)
        level = torch.randint(len(self._sigmas), (len(x),), generator=draw)
        noise = torch.randn(x.shape, generator=draw)
        x, sigma, noise = (t.to(self._device) for t in (x, self._sigmas[level], noise))
        self.optimizer.zero_grad(set_to_none=True)
        loss = torch.zeros((), device=self._device)
        for part in zip(*(t.chunk(self._n_parts) for t in (x, sigma, noise)), strict=True):
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
                its_loss = dsm_loss(self.network, *part)
            its_share = its_loss * (len(part[0]) / len(x))
            its_share.backward()
            loss += its_share.detach()
        self.optimizer.step()
        self.ema.update(self.network)
        return loss

    def _batch(self, iteration: int) -> Tensor:
        """Indices of the iteration's images: shuffled epochs without their last short batch."""
        per_epoch = len(self._images) // self._batch_size
        epoch, position = divmod(iteration - 1, per_epoch)
        if self._epoch != epoch:
            order = generator_of("epoch", self._seed, epoch)
            self._order, self._epoch = torch.randperm(len(self._images), generator=order), epoch
        return self._order[position * self._batch_size : (position + 1) * self._batch_size]

    def state(self) -> dict[str, Tensor]:
        """Everything needed to go on, as flat named tensors on the CPU."""
        named: dict[str, Tensor] = {"iteration": torch.tensor(self.iteration)}
        named |= {f"network.{k}": v for k, v in self.network.state_dict().items()}
        for index, moments in self.optimizer.state_dict()["state"].items():
            named |= {f"optimizer.{index}.{k}": v for k, v in moments.items()}
        named |= {f"ema.{k}": v for k, v in self.ema.state_dict().items()}
        return {k: v.detach().to("cpu", copy=True).contiguous() for k, v in named.items()}

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes back to a `state` of the same settings."""
        self.iteration = int(state["iteration"])
        self.network.load_state_dict(_below(state, "network."))
        self.ema.load_state_dict(_below(state, "ema."))
        packed = self.optimizer.state_dict()
        packed["state"] = {}
        for name, value in _below(state, "optimizer.").items():
            index, moment = name.split(".", 1)
            packed["state"].setdefault(int(index), {})[moment] = value.clone()
        self.optimizer.load_state_dict(packed)


def _below(state: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {k.removeprefix(prefix): v for k, v in state.items() if k.startswith(prefix)}
