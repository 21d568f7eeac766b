r"""Objectives of classifiers: cross entropy and denoising likelihood score matching (DLSM).

A classifier p(y | x~) of noised data x~ = x + sigma z is trained for its gradient, the likelihood
score, which guides sampling. Cross entropy

    L_CE = E[-log p(y | x~)]

is at its minimum at the true p_sigma(y | x~), but a small one does not make the gradient good. The
explicit loss, and with s(x~) a score network of all data, frozen, the one that can be computed, are

    L_ELSM  = E[1/2 |grad log p(y | x~) - grad log p_sigma(y | x~)|^2],                      (8)
    L_DLSM' = E[1/2 |grad log p(y | x~) + s(x~) + z / sigma|^2].                            (10)

If s is exact they differ by a constant (Theorem 1), half the variance of -z / sigma given x~ and y.
In general the minimum of (10) is at grad log p_sigma(x~ | y) - s(x~): the classifier makes up, as
far as a softmax can, for the error of s, so it is the posterior score that is fitted. The objective
of the paper is

    L_Total = L_DLSM' + lambda L_CE                                                         (11)

over all noise levels, with a weight sigma^p on L_DLSM' (A4) and none on L_CE. With p = 2, the
weight of denoising score matching, every level counts alike.

**Sum or mean.** |.|^2 in (8) and (10) is a sum over the D dimensions. The authors' code takes the
mean: their lambda is, in the form above, D times as large. Both forms are here by name, so that
their settings can be stated as they are: `MOONS_DLSM` and `CIFAR_DLSM`.

References:
    Chao et al. (2022), Eqs. 8 to 11, A4, A5, Theorem 1; weights as in the authors' code.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from scorelib.errors import InputError
from scorelib.guidance import likelihood_score
from scorelib.losses.dsm import perturbed
from scorelib.networks import ScoreFunction
from scorelib.spec import Spec


@dataclass(frozen=True, kw_only=True)
class ClassifierObjective(Spec, ABC):
    """What a classifier minimises: a weighted sum of losses.

    Attributes:
        reads_score: whether a score network is needed.
    """

    KIND = "ClassifierObjective"
    reads_score: ClassVar[bool]

    @abstractmethod
    def losses(
        self,
        classifier: nn.Module,
        score: ScoreFunction | None,
        x: Tensor,
        labels: Tensor,
        sigma: Tensor,
        noise: Tensor,
    ) -> dict[str, Tensor]:
        """The losses of a batch.

        Args:
            classifier: maps (x~, sigma) to logits, (B, K).
            score: maps (x~, sigma) to sigma * score; nothing flows back to it.
            x: clean data, (B, ...).
            labels: their classes, (B,) int64.
            sigma: noise level of each, (B,).
            noise: standard normal draw, of the shape of x.

        Returns:
            Scalars, averaged over the batch: "ce", in nats, always; "dlsm" if it is minimised.
        """

    @abstractmethod
    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """What is minimised, a scalar, given the `losses`."""

    @abstractmethod
    def update_multiply_adds(self, classifier: int, score: int) -> int:
        """Multiply-adds of one update per image of its batch.

        Args:
            classifier: multiply-adds of one pass of the classifier.
            score: of the score network.
        """


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(ClassifierObjective):
    """L_CE alone, unweighted: the paper's base method, and the classifier of its scaling method."""

    KIND = "CrossEntropy"
    reads_score: ClassVar[bool] = False

    def losses(
        self,
        classifier: nn.Module,
        score: ScoreFunction | None,
        x: Tensor,
        labels: Tensor,
        sigma: Tensor,
        noise: Tensor,
    ) -> dict[str, Tensor]:
        """See `ClassifierObjective.losses`."""
        logits = classifier(perturbed(x, sigma, noise), sigma)
        return {"ce": functional.cross_entropy(logits, labels)}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """The cross entropy."""
        return losses["ce"]

    def update_multiply_adds(self, classifier: int, score: int) -> int:
        """A pass, and its gradient, which costs two."""
        return 3 * classifier


@dataclass(frozen=True, kw_only=True)
class Dlsm(ClassifierObjective):
    """L_DLSM' + lambda L_CE, Eq. 11, by default with all levels alike.

    The weights that the paper prints are lost to us; those of its code are `MOONS_DLSM` and
    `CIFAR_DLSM`.

    Args:
        lambda_: weight of the cross entropy, >= 0; 0 is L_DLSM' alone.
        sigma_power: p of the weight sigma^p of L_DLSM', >= 0.
        over_dimensions: how the squares are put together.
    """

    KIND = "Dlsm"
    reads_score: ClassVar[bool] = True

    lambda_: float = 1.0
    sigma_power: float = 2.0
    over_dimensions: Literal["sum", "mean"] = "sum"

    def validate(self) -> None:
        """Checks the range of each setting."""
        for name in ("lambda_", "sigma_power"):
            if getattr(self, name) < 0:
                raise InputError(f"Dlsm.{name} must be >= 0; got {getattr(self, name):g}")

    def losses(
        self,
        classifier: nn.Module,
        score: ScoreFunction | None,
        x: Tensor,
        labels: Tensor,
        sigma: Tensor,
        noise: Tensor,
    ) -> dict[str, Tensor]:
        """See `ClassifierObjective.losses`."""
        if score is None:
            raise InputError("DLSM needs the score of all data; got no score network")
        noised = perturbed(x, sigma, noise)
        with torch.no_grad():
            prior = score(noised, sigma)  # times sigma
        log_likelihood, gradient = likelihood_score(
            classifier, noised, sigma, labels, create_graph=True
        )
        # Eq. 10 times sigma^2: no term of it grows at low noise.
        residual = perturbed(prior + noise, sigma, gradient).flatten(1)
        squares = 0.5 * sigma ** (self.sigma_power - 2) * residual.square().sum(dim=1)
        if self.over_dimensions == "mean":
            squares = squares / residual.shape[1]
        return {"ce": -log_likelihood.mean(), "dlsm": squares.mean()}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Eq. 11."""
        return losses["dlsm"] + self.lambda_ * losses["ce"]

    def update_multiply_adds(self, classifier: int, score: int) -> int:
        """The score, a pass and its gradient in x, and the gradient of both in the weights.

        A gradient in x costs a pass; one in weights twice the passes it goes through.
        """
        return score + 6 * classifier


MOONS_DLSM = Dlsm(lambda_=0.125, sigma_power=4.0, over_dimensions="mean")
"""The authors' code on the two moons; lambda = 0.25 in the sum form."""

CIFAR_DLSM = Dlsm(lambda_=1.0, sigma_power=0.0, over_dimensions="mean")
"""The authors' code on CIFAR-10 and CIFAR-100; lambda = 3072 in the sum form."""
