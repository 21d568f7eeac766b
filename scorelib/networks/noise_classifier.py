"""Interface of noise-conditional classifiers, shared by networks, losses and guidance.

A classifier receives noised data x = x_0 + sigma * noise and returns the logits of p_sigma(y | x),
the probability that the clean example x_0 is of class y:

- x: floating-point tensor; images (B, C, H, W), in [0, 1] before the noise is added, or vectors
  (B, D) around zero.
- sigma: a tensor of shape () or (B,), positive, in data units.
- returns: logits of K classes, shape (B, K).

The logits of an example must not depend on the other examples of the batch. Sampling is guided by
the gradient of log p(y | x) in x, which is not defined per example if the examples depend on one
another; see `scorelib.guidance.require_independent_examples`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.spec import Spec


class NoiseClassifier(nn.Module, ABC):
    """Base of the noise-conditional classifiers: a module that maps (x, sigma) to logits."""

    @abstractmethod
    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns the logits of the classes.

        Args:
            x: noisy data, shape (B, C, H, W) or (B, D), data units.
            sigma: noise level of each example, shape (B,), or one level for all, shape (); data
                units, > 0.

        Returns:
            Logits, shape (B, K); their softmax is p_sigma(y | x).
        """


@dataclass(frozen=True, kw_only=True)
class NoiseClassifierSpec(Spec, ABC):
    """Architecture of a noise-conditional classifier for data of any supported shape."""

    KIND = "NoiseClassifierSpec"

    @abstractmethod
    def build(self, shape: tuple[int, ...], n_classes: int) -> NoiseClassifier:
        """Returns a classifier with initial weights drawn from PyTorch's global generator.

        Args:
            shape: shape of one example, (C, H, W) or (D,).
            n_classes: number of classes K, >= 2.

        Raises:
            InputError: the architecture does not support examples of this shape.
        """
