"""Training by adversarial score matching.

One iteration makes n_d updates of the discriminator and one update of the score network. Update i
of the score network uses the same images, noise levels and noise as without a discriminator. The
discriminator has separate shuffled epochs, and its j-th update draws from streams named by j. The
clean images of an update are the images that are noised for the same update.

One power iteration of the spectral norms precedes each update, so their vectors belong to the
state. The losses do not depend on how a batch is split. The networks process the parts one by one
and recompute their activations in the backward pass. The losses, which may compare across the batch
(relativistic losses), are computed from the outputs of all parts.
"""

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from scorelib.devices.precision import computing_in
from scorelib.losses import SCORE_ADAM, Adversarial, dsm_from_output, perturbed
from scorelib.networks.layout import laid_out
from scorelib.optim import AdamSpec
from scorelib.seeds import generator_of, seeded
from scorelib.training.base import (
    Draws,
    Training,
    adam_moments,
    load_adam_moments,
    with_prefix,
    without_prefix,
)


class AdversarialTraining(Training):
    """Training of a score network by adversarial score matching, Eqs. 4 and 5.

    The reported losses are "dsm", not weighted with lambda; "gan", the adversarial loss of the
    score network; and "discriminator", the mean loss of the n_d discriminator updates.

    Args:
        network: score network; moved to the device.
        images: training images, shape (N, C, H, W), float32 in [0, 1] or uint8; see `Training`.
        objective: adversarial losses, and architecture and optimizer settings of the discriminator.
        optimizer: optimizer settings of the score network.
        settings: the other arguments of `Training`.

    Raises:
        InputError: the discriminator does not support images of this shape.
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
        with seeded("discriminator weights", self._seed):
            discriminator = objective.discriminator.build(tuple(images.shape[1:]))
        self.discriminator = laid_out(discriminator.to(self._device), tuple(images.shape[1:]))
        self.discriminator_optimizer = objective.discriminator_optimizer.build(
            self.discriminator.parameters()
        )
        self._objective = objective

    def _draws(self, iteration: int) -> tuple[Draws, ...]:
        """Returns the draws of the updates of the discriminator and of the score network."""
        n_d = self._objective.n_d
        of_discriminator = [
            self._drawn(
                generator_of("discriminator", self._seed, number),
                self._batch(number, "discriminator epoch"),
            )
            for number in range((iteration - 1) * n_d + 1, iteration * n_d + 1)
        ]
        draw = generator_of("train", self._seed, iteration)
        return (*of_discriminator, self._drawn(draw, self._batch(iteration)))

    def _update(self, draws: tuple[Draws, ...]) -> dict[str, Tensor]:
        *of_discriminator, of_score = draws
        numbered = enumerate(of_discriminator, start=self.iteration * len(of_discriminator))
        discriminator = torch.stack([self._update_discriminator(*each) for each in numbered])
        dsm, gan = self._update_score(of_score)
        return {"dsm": dsm, "gan": gan, "discriminator": discriminator.mean()}

    def _update_discriminator(self, n_before: int, draws: Draws) -> Tensor:
        x, sigma, noise = self._examples(draws)
        with torch.no_grad():
            denoised, _ = self._denoised(x, sigma, noise)
        self.discriminator.refresh_norms()
        answers = self._passed(self.discriminator, torch.cat([x, denoised]))
        loss = self._objective.gan_loss.of_discriminator(*answers.chunk(2))
        self.discriminator_optimizer.zero_grad(set_to_none=True)
        loss.backward()
        self._objective.discriminator_optimizer.step(self.discriminator_optimizer, n_before)
        return loss.detach()

    def _update_score(self, draws: Draws) -> tuple[Tensor, Tensor]:
        x, sigma, noise = self._examples(draws)
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
        # Gradients of the score network only, not of the discriminator's weights.
        loss = gan + self._objective.lambda_ * dsm
        loss.backward(inputs=list(self.network.parameters()))
        self._adam.step(self.optimizer, self.iteration)
        self.ema.update(self.network)
        return dsm.detach(), gan.detach()

    def _denoised(self, x: Tensor, sigma: Tensor, noise: Tensor) -> tuple[Tensor, Tensor]:
        """Returns denoised images H and the network output, sigma * score, at the noised images."""
        noised = perturbed(x, sigma, noise)
        output = self._passed(self.network, noised, sigma)
        denoised = perturbed(noised, sigma, output)  # the output is sigma * score
        return denoised.clamp(0, 1) if self._objective.clamp_fakes else denoised, output

    def _passed(self, network: nn.Module, *inputs: Tensor) -> Tensor:
        """Returns the output of a network; parts of a batch recompute activations in backward."""

        def passed(*part: Tensor) -> Tensor:
            with computing_in(self._precision, self._device):
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
        """Restores the result of `state`, including the discriminator and its optimizer."""
        super().restore(state)
        self.discriminator.load_state_dict(without_prefix("discriminator.", state))
        load_adam_moments(
            self.discriminator_optimizer, without_prefix("discriminator_optimizer.", state)
        )
