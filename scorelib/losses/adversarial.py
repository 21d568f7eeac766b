"""Adversarial score matching, Eqs. 4 and 5: a GAN loss on denoised images besides score matching.

The score network denoises a noised image x~ to the expected denoised sample
H(x~, sigma) = x~ + sigma^2 score(x~, sigma). A discriminator D, trained in alternation, tells
denoised images H from clean images x. With the least-squares loss,

    discriminator    min  E (D(x) - 1)^2 + E (D(H) + 1)^2                                   (4)
    score network    min  E (D(H) - 1)^2 + lambda / 2 E || sigma score(x~, sigma) + z ||^2  (5)

The paper prints max instead of min in Eq. 4; the maximum would be any output far from the targets.
The second term of Eq. 5 is a sum over dimensions. The first term is a mean over images and of
order one once the discriminator is trained. With lambda = 1, the adversarial term is therefore only
a small part of the loss on large images.

All losses of Appendix B follow from a function f, the loss of a clean image with discriminator
output c,

    lsgan   (c - 1)^2          gan   log(1 + exp(-c))          hinge   max(0, 1 - c)

because the loss of a denoised image with output c is f(-c). For outputs r of clean images and h of
denoised images, the discriminator minimises

    relativistic "none"       E f(r) + E f(-h)
    relativistic "paired"     E f(r - h)             (a clean image and its own denoised version)
    relativistic "average"    E f(r - E h) + E f(E r - h)

The score network minimises the same expression with r and h exchanged. In the case "none", only
f(h) then depends on the score network, and the hinge loss uses -h instead, as is usual. If the loss
is *saturating*, the score network minimises the negative of the discriminator's loss.

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
"""Optimizer settings of the score network in adversarial training (Appendix B)."""

DISCRIMINATOR_ADAM = AdamSpec(beta1=-0.5, beta2=0.9)
"""Optimizer settings of the discriminator (Appendix B)."""

_OF_CLEAN: dict[str, Callable[[Tensor], Tensor]] = {
    "lsgan": lambda c: (c - 1).square(),
    "gan": lambda c: F.softplus(-c),
    "hinge": lambda c: F.relu(1 - c),
}


@dataclass(frozen=True, kw_only=True)
class GanLoss(Spec):
    """Adversarial losses of the discriminator and the score network; see the module's formulas.

    Args:
        kind: "lsgan" for least squares with targets +1 and -1, "gan" for cross entropy, or "hinge".
        relativistic: what the loss of a discriminator output depends on: "none" for that output
            alone, "paired" for the difference from the output of the paired image (a clean image
            and its own denoised version), or "average" for the difference from the mean output of
            the other class of images (clean or denoised).
        saturating: whether the score network maximises the discriminator's loss. The authors'
            code of adversarial score matching has the opposite sign for lsgan.
    """

    KIND = "GanLoss"

    kind: Literal["lsgan", "gan", "hinge"] = "lsgan"
    relativistic: Literal["none", "paired", "average"] = "none"
    saturating: bool = False

    def of_discriminator(self, clean: Tensor, denoised: Tensor) -> Tensor:
        """Returns the discriminator's loss, a scalar.

        Args:
            clean: discriminator outputs for clean images, shape (B,).
            denoised: discriminator outputs for denoised images, shape (B,).
        """
        f = _OF_CLEAN[self.kind]
        if self.relativistic == "none":
            return f(clean).mean() + f(-denoised).mean()
        if self.relativistic == "paired":
            return f(clean - denoised).mean()
        return f(clean - denoised.mean()).mean() + f(clean.mean() - denoised).mean()

    def of_score(self, clean: Tensor | None, denoised: Tensor) -> Tensor:
        """Returns the adversarial loss of the score network, a scalar.

        Args:
            clean: discriminator outputs for clean images, shape (B,); None unless the loss is
                relativistic.
            denoised: discriminator outputs for denoised images, shape (B,).
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
    """Adversarial score matching; the defaults are the settings of the paper's CIFAR-10 tables.

    Args:
        lambda_: weight lambda of the DSM term in Eq. 5, > 0.
        n_d: discriminator updates per update of the score network, >= 1; the paper uses 2 on
            CIFAR-10 and 1 on LSUN-Churches.
        gan_loss: adversarial losses of the two networks.
        clamp_fakes: whether denoised images are clamped to [0, 1] before they enter the
            discriminator; pixels outside then give the score network no gradient.
        discriminator: architecture of the discriminator.
        discriminator_optimizer: optimizer settings of the discriminator; for those of the score
            network see `SCORE_ADAM`.
    """

    KIND = "Adversarial"

    lambda_: float = 1.0
    n_d: int = 2
    gan_loss: GanLoss = field(default_factory=GanLoss)
    clamp_fakes: bool = True
    discriminator: BigGanDiscriminator = field(default_factory=BigGanDiscriminator)
    discriminator_optimizer: AdamSpec = DISCRIMINATOR_ADAM

    def validate(self) -> None:
        """Raises InputError if `lambda_` is not positive or `n_d` is below 1."""
        if self.lambda_ <= 0:
            raise InputError(
                f"Adversarial.lambda_ must be > 0 (without DSM no score is learned), "
                f"but got {self.lambda_}"
            )
        if self.n_d < 1:
            raise InputError(f"Adversarial.n_d must be at least 1, but got {self.n_d}")

    def update_multiply_adds(self, network: int, shape: tuple[int, ...]) -> int:
        """Returns the multiply-adds of one score-network update with its n_d discriminator updates.

        A gradient in the inputs and a gradient in the weights each cost as much as one pass.

        Args:
            network: multiply-adds of one forward pass of the score network for one example.
            shape: shape of one image, (C, H, W).

        Returns:
            Multiply-adds per image of the batch.
        """
        discriminator = _multiply_adds(self.discriminator, shape)
        per_d = network + 2 * 3 * discriminator
        per_score = 3 * network + 2 * discriminator
        if self.gan_loss.relativistic != "none":
            per_score += discriminator
        return self.n_d * per_d + per_score


@cache
def _multiply_adds(discriminator: BigGanDiscriminator, shape: tuple[int, ...]) -> int:
    # Not built on "meta": initialising a spectral norm there makes torch import its compiler, which
    # takes two seconds.
    with torch.random.fork_rng(devices=[]):
        return multiply_adds(discriminator.build(shape), shape)
