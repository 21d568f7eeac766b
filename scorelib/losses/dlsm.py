r"""Objectives of classifiers: cross entropy and denoising likelihood score matching (DLSM).

A classifier p(y | x~) of noised data x~ = x + sigma z guides sampling by its gradient in x~, the
likelihood score. The cross entropy

    L_CE = E[-log p(y | x~)]

has its minimum at the true p_sigma(y | x~), but a small cross entropy does not imply an accurate
gradient. The explicit likelihood score matching loss (8) compares the gradient with the true
likelihood score, which is unknown. The denoising loss (10) can be computed; s(x~) is the output of
a frozen score network of the unconditional data distribution:

    L_ELSM  = E[1/2 |grad log p(y | x~) - grad log p_sigma(y | x~)|^2],                      (8)
    L_DLSM' = E[1/2 |grad log p(y | x~) + s(x~) + z / sigma|^2].                            (10)

If s is exact, the two losses differ by a constant (Theorem 1): half the variance of -z / sigma
given x~ and y. In general the minimum of (10) is at grad log p_sigma(x~ | y) - s(x~). The
classifier then compensates the error of s as far as a softmax can, so the fit is to the posterior
score. The objective of the paper is

    L_Total = L_DLSM' + lambda L_CE                                                         (11)

over all noise levels, with a weight sigma^p on L_DLSM' (A4) and no weight on L_CE. With p = 2, as
in denoising score matching, all levels have equal weight.

**Sum or mean.** |.|^2 in (8) and (10) is a sum over the D dimensions. The authors' code takes the
mean over the dimensions instead, so their lambda corresponds to D times that value in the sum form.
`Dlsm.over_dimensions` selects the form, so the authors' settings can be stated unchanged:
`MOONS_DLSM` and `CIFAR_DLSM`.

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
    """Base of the training objectives of classifiers: a weighted sum of losses.

    Attributes:
        reads_score: whether the objective needs a score network.
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
        """Returns the losses of a batch by name.

        Args:
            classifier: maps (x~, sigma) to logits, shape (B, K).
            score: maps (x~, sigma) to sigma * score, shape (B, ...), and gets no gradient; may be
                None if `reads_score` is false.
            x: clean data, shape (B, ...).
            labels: class of each example, shape (B,), int64.
            sigma: noise level of each example, shape (B,).
            noise: standard normal draw, shape (B, ...).

        Returns:
            Scalars, averaged over the batch: always "ce", the cross entropy in nats; and "dlsm",
            the weighted L_DLSM', if the objective contains it.

        Raises:
            InputError: the objective needs a score network and `score` is None.
        """

    @abstractmethod
    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the scalar to minimise, given the result of `losses`."""

    @abstractmethod
    def update_multiply_adds(self, classifier: int, score: int) -> int:
        """Returns the multiply-adds of one update, per image of the batch.

        Args:
            classifier: multiply-adds of one forward pass of the classifier for one example.
            score: multiply-adds of one forward pass of the score network for one example.
        """


@dataclass(frozen=True, kw_only=True)
class CrossEntropy(ClassifierObjective):
    """Cross entropy L_CE alone, without weights: the paper's base method.

    The paper's scaling method uses the same classifier.
    """

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
        """Returns the cross entropy of a batch as "ce"; see `ClassifierObjective.losses`."""
        logits = classifier(perturbed(x, sigma, noise), sigma)
        return {"ce": functional.cross_entropy(logits, labels)}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the cross entropy."""
        return losses["ce"]

    def update_multiply_adds(self, classifier: int, score: int) -> int:
        """Returns three passes of the classifier: one forward, two for its gradient."""
        return 3 * classifier


@dataclass(frozen=True, kw_only=True)
class Dlsm(ClassifierObjective):
    """Denoising likelihood score matching: L_DLSM' + lambda L_CE, Eq. 11.

    By default all noise levels have equal weight. The weights printed in the paper are not
    available here; the weights of the authors' code are `MOONS_DLSM` and `CIFAR_DLSM`.

    Args:
        lambda_: weight lambda of the cross entropy, >= 0; 0 leaves L_DLSM' alone.
        sigma_power: exponent p of the weight sigma^p on L_DLSM', >= 0.
        over_dimensions: whether squared errors are summed or averaged over the dimensions.
    """

    KIND = "Dlsm"
    reads_score: ClassVar[bool] = True

    lambda_: float = 1.0
    sigma_power: float = 2.0
    over_dimensions: Literal["sum", "mean"] = "sum"

    def validate(self) -> None:
        """Raises InputError if `lambda_` or `sigma_power` is negative."""
        for name in ("lambda_", "sigma_power"):
            if getattr(self, name) < 0:
                raise InputError(f"Dlsm.{name} must be >= 0, but got {getattr(self, name):g}")

    def losses(
        self,
        classifier: nn.Module,
        score: ScoreFunction | None,
        x: Tensor,
        labels: Tensor,
        sigma: Tensor,
        noise: Tensor,
    ) -> dict[str, Tensor]:
        """Returns the losses "ce" and "dlsm" of a batch; see `ClassifierObjective.losses`."""
        if score is None:
            raise InputError("DLSM needs a score network of the whole data set, but got none")
        noised = perturbed(x, sigma, noise)
        with torch.no_grad():
            prior = score(noised, sigma)  # sigma * score
        log_likelihood, gradient = likelihood_score(
            classifier, noised, sigma, labels, create_graph=True
        )
        # The residual of Eq. 10 times sigma, so that no term grows at low noise.
        residual = perturbed(prior + noise, sigma, gradient).flatten(1)
        squares = 0.5 * sigma ** (self.sigma_power - 2) * residual.square().sum(dim=1)
        if self.over_dimensions == "mean":
            squares = squares / residual.shape[1]
        return {"ce": -log_likelihood.mean(), "dlsm": squares.mean()}

    def total(self, losses: Mapping[str, Tensor]) -> Tensor:
        """Returns the total loss of Eq. 11."""
        return losses["dlsm"] + self.lambda_ * losses["ce"]

    def update_multiply_adds(self, classifier: int, score: int) -> int:
        """Returns one pass of the score network plus six passes of the classifier.

        The classifier's forward pass costs one pass and its gradient in x another one. The gradient
        of both in the weights costs twice as much: four passes.
        """
        return score + 6 * classifier


MOONS_DLSM = Dlsm(lambda_=0.125, sigma_power=4.0, over_dimensions="mean")
"""Settings of the authors' code for the two moons; lambda = 0.25 in the sum form."""

CIFAR_DLSM = Dlsm(lambda_=1.0, sigma_power=0.0, over_dimensions="mean")
"""Settings of the authors' code for CIFAR-10 and CIFAR-100; lambda = 3072 in the sum form."""
