"""Training by adversarial score matching: n_d updates of the discriminator, one of the score.

Update i of the score network has the images, levels and noise that it would have without a
discriminator. The discriminator goes through shuffled epochs of its own; its j-th update draws
from streams named by j. The clean images of an update are those that were noised for it.

One power iteration of the spectral norms precedes each update, so their vectors belong to the
state. Nothing in a loss depends on how a batch is split: parts are passed one by one, and again
when their gradient is due, but losses (relativistic ones compare across the batch) see all answers
at once.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from scorelib.losses import SCORE_ADAM, Adversarial, dsm_from_output, perturbed
from scorelib.optim import AdamSpec
from scorelib.seeds import generator_of, seed_of
from scorelib.training.base import (
    Training,
    adam_moments,
    load_adam_moments,
    with_prefix,
    without_prefix,
)


class AdversarialTraining(Training):
    """Adversarial score matching, Eqs. 4 and 5.

    The losses reported are "dsm" (not weighted with lambda), "gan", the score network's other
    term, and "discriminator", the mean over its n_d updates.

    Args:
        network: score network; moved to the device.
        images: training images, shape (N, C, H, W), float32 in [0, 1] or uint8; see `Training`.
        objective: the discriminator and the game.
        optimizer: the score network's.
        settings: the other arguments of `Training`.

    Raises:
        InputError: the discriminator is not for such images.
    """

    def __init__(
        self,
        network: nn.Module,
        images: Tensor,
        *,
        objective: Adversarial,
        optimizer: AdamSpec = SCORE_ADAM,
        **settings: Any,
    ) -> None:
        super().__init__(network, images, optimizer=optimizer, **settings)
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(seed_of("discriminator weights", self._seed))
            discriminator = objective.discriminator.build(tuple(images.shape[1:]))
        self.discriminator = discriminator.to(self._device)
        self.discriminator_optimizer = objective.discriminator_optimizer.build(
            self.discriminator.parameters()
        )
        self._objective = objective

    def _update(self, iteration: int) -> dict[str, Tensor]:
        n_d = self._objective.n_d
        numbers = range((iteration - 1) * n_d + 1, iteration * n_d + 1)
        discriminator = torch.stack([self._update_discriminator(number) for number in numbers])
        dsm, gan = self._update_score(iteration)
        return {"dsm": dsm, "gan": gan, "discriminator": discriminator.mean()}

    def _update_discriminator(self, number: int) -> Tensor:
        draw = generator_of("discriminator", self._seed, number)
        x, sigma, noise = self._examples(draw, self._batch(number, "discriminator epoch"))
        with torch.no_grad():
            denoised, _ = self._denoised(x, sigma, noise)
        self.discriminator.refresh_norms()
        answers = self._passed(self.discriminator, torch.cat([x, denoised]))
        loss = self._objective.gan_loss.of_discriminator(*answers.chunk(2))
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._objective.discriminator_optimizer.step(self.discriminator_optimizer, number - 1)
        return loss.detach()

    def _update_score(self, iteration: int) -> tuple[Tensor, Tensor]:
        draw = generator_of("train", self._seed, iteration)
        x, sigma, noise = self._examples(draw, self._batch(iteration))
        denoised, output = self._denoised(x, sigma, noise)
        self.discriminator.refresh_norms()
        clean_answers = None
        if self._objective.gan_loss.relativistic != "none":
            with torch.no_grad():
                clean_answers = self._passed(self.discriminator, x)
        answers = self._passed(self.discriminator, denoised)
        gan = self._objective.gan_loss.of_score(clean_answers, answers)
        dsm = dsm_from_output(output, noise)
        self.optimizer.zero_grad(set_to_none=True)
        # Only the score network's gradients: none are computed for the discriminator's weights.
        loss = gan + self._objective.lambda_ * dsm
        loss.backward(inputs=list(self.network.parameters()))
        self._adam.step(self.optimizer, self.iteration)
        self.ema.update(self.network)
        return dsm.detach(), gan.detach()

    def _denoised(self, x: Tensor, sigma: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """H of the noised images, and the network's output, sigma * score, at them."""
        noised = perturbed(x, sigma, noise)
        output = self._passed(self.network, noised, sigma)
        denoised = perturbed(noised, sigma, output)  # the output is sigma * score
        return denoised.clamp(0, 1) if self._objective.clamp_fakes else denoised, output

    def _passed(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """The network's output; of a part, activations are made again when its gradient is due."""

        def passed(*part: Tensor) -> Tensor:
            with torch.autocast(self._device.type, torch.bfloat16, enabled=self._autocast):
                return network(*part).to(part[0].dtype)

        most_images = self._most_images or len(inputs[0])
        if len(inputs[0]) <= most_images:
            return passed(*inputs)
        parts = zip(*(t.split(most_images) for t in inputs), strict=True)
        return torch.cat([checkpoint(passed, *part, use_reentrant=False) for part in parts])

    def _named(self) -> dict[str, Tensor]:
        return (
            super()._named()
            | with_prefix("discriminator.", self.discriminator.state_dict())
            | with_prefix("discriminator_optimizer.", adam_moments(self.discriminator_optimizer))
        )

    def restore(self, state: Mapping[str, Tensor]) -> None:
        """Goes back to a `state` of the same settings: also the discriminator and its optimizer."""
        super().restore(state)
        self.discriminator.load_state_dict(without_prefix("discriminator.", state))
        load_adam_moments(
            self.discriminator_optimizer, without_prefix("discriminator_optimizer.", state)
        )
