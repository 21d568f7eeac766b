"""Adversarial score matching, Eqs. 4 and 5: denoised images should also look real.

The expected denoised sample H(x~, sigma) = x~ + sigma^2 score(x~, sigma) of a *noised* image x~ is
shown to a discriminator D, trained in turn to tell it from a clean one. With least squares,

    discriminator    min  E (D(x) - 1)^2 + E (D(H) + 1)^2                                   (4)
    score network    min  E (D(H) - 1)^2 + lambda / 2 E || sigma score(x~, sigma) + z ||^2  (5)

The paper's Eq. 4 prints max for min: its optimum then would be to answer anything but the targets.
The second term of Eq. 5 is a sum over dimensions, the first a mean over images, of order one once
the discriminator has found its scale: lambda = 1 is then a weak pull towards realism on large
images, not an equal share.

With f the loss of a clean image by its answer c,

    lsgan   (c - 1)^2          gan   log(1 + exp(-c))          hinge   max(0, 1 - c)

all losses of Appendix B follow, for f(-c) is that of a denoised one. For answers r to clean and h
to denoised images the discriminator minimises

    relativistic "none"       E f(r) + E f(-h)
    relativistic "paired"     E f(r - h)                                 each with its counterpart
    relativistic "average"    E f(r - E h) + E f(E r - h)

and the score network the same with r and h exchanged (the plain ones then have f(h) left, and the
hinge -h, as it is always used), or, *saturating*, minus what the discriminator minimises.

References:
    Jolicoeur-Martineau et al. (2021), Section 5, Appendix B.
    Goodfellow et al. 2014 (gan, saturating or not); Mao et al. 2017 (lsgan); Lim and Ye 2017
    (hinge); Jolicoeur-Martineau 2018, 2019 (relativistic).
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import BigGanDiscriminator, multiply_adds
from scorelib.optim import AdamSpec
from scorelib.spec import Spec

SCORE_ADAM = AdamSpec(beta1=0.0, beta2=0.9)
"""The score network's optimizer in adversarial training, by Appendix B."""

DISCRIMINATOR_ADAM = AdamSpec(beta1=-0.5, beta2=0.9)
"""The discriminator's, by Appendix B."""

_OF_CLEAN: dict[str, Callable[[Tensor], Tensor]] = {
    "lsgan": lambda c: (c - 1).square(),
    "gan": lambda c: F.softplus(-c),
    "hinge": lambda c: F.relu(1 - c),
}


@dataclass(frozen=True, kw_only=True)
class GanLoss(Spec):
    """A loss of the game between discriminator and score network; see the module's formulas.

    Args:
        kind: least squares with targets +1 and -1, cross entropy, or hinge.
        relativistic: whether an answer is judged by itself, against that to the paired image (the
            clean one and its own denoised version), or against the average of the other kind.
        saturating: the score network maximises what the discriminator minimises. The code of
            adversarial score matching has the opposite sign for lsgan.
    """

    KIND = "GanLoss"

    kind: Literal["lsgan", "gan", "hinge"] = "lsgan"
    relativistic: Literal["none", "paired", "average"] = "none"
    saturating: bool = False

    def of_discriminator(self, clean: Tensor, denoised: Tensor) -> Tensor:
        """What the discriminator minimises, a scalar, given its answers, (B,) each."""
        f = _OF_CLEAN[self.kind]
        if self.relativistic == "none":
            return f(clean).mean() + f(-denoised).mean()
        if self.relativistic == "paired":
            return f(clean - denoised).mean()
        return f(clean - denoised.mean()).mean() + f(clean.mean() - denoised).mean()

    def of_score(self, clean: Tensor | None, denoised: Tensor) -> Tensor:
        """What the score network minimises, a scalar.

        Args:
            clean: the discriminator's answers to clean images, (B,); None unless relativistic.
            denoised: its answers to denoised images, (B,).
        """
        if clean is not None:
            if self.saturating:
                return -self.of_discriminator(clean, denoised)
            return self.of_discriminator(denoised, clean)
        f = _OF_CLEAN[self.kind]
        if self.saturating:
            return -f(-denoised).mean()
        return -denoised.mean() if self.kind == "hinge" else f(denoised).mean()


@dataclass(frozen=True, kw_only=True)
class Adversarial(Spec):
    """Adversarial score matching; the default is that of the paper's CIFAR-10 tables.

    Args:
        lambda_: weight of the DSM term in Eq. 5, positive.
        n_d: discriminator updates per update of the score network, at least 1; the paper has 2 on
            CIFAR-10, 1 on LSUN-Churches.
        gan_loss: the game.
        clamp_fakes: clamp denoised images to [0, 1] before the discriminator sees them; the score
            network then gets no gradient from pixels outside.
        discriminator: its architecture.
        discriminator_optimizer: its optimizer; see `SCORE_ADAM` for the score network's.
    """

    KIND = "Adversarial"

    lambda_: float = 1.0
    n_d: int = 2
    gan_loss: GanLoss = field(default_factory=GanLoss)
    clamp_fakes: bool = True
    discriminator: BigGanDiscriminator = field(default_factory=BigGanDiscriminator)
    discriminator_optimizer: AdamSpec = DISCRIMINATOR_ADAM

    def validate(self) -> None:
        """Checks the range of each setting."""
        if self.lambda_ <= 0:
            raise InputError(
                f"Adversarial.lambda_ must be > 0 (without DSM no score is learned); "
                f"got {self.lambda_}"
            )
        if self.n_d < 1:
            raise InputError(f"Adversarial.n_d must be at least 1; got {self.n_d}")

    def update_multiply_adds(self, network: int, shape: tuple[int, ...]) -> int:
        """Multiply-adds of one update of the score network and its n_d of the discriminator.

        Args:
            network: multiply-adds of one pass of the score network.
            shape: shape of one example.

        Returns:
            Per image of the batch; a gradient in inputs or in weights costs a pass each.
        """
        discriminator = _multiply_adds(self.discriminator, shape)
        per_d = network + 2 * 3 * discriminator
        per_score = 3 * network + 2 * discriminator
        if self.gan_loss.relativistic != "none":
            per_score += discriminator
        return self.n_d * per_d + per_score


@cache
def _multiply_adds(discriminator: BigGanDiscriminator, shape: tuple[int, ...]) -> int:
    # Not on "meta": a spectral norm's start there makes torch load its compiler, for two seconds.
    with torch.random.fork_rng(devices=[]):
        return multiply_adds(discriminator.build(shape), shape)
