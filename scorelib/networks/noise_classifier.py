"""What a noise-conditional classifier is: the contract between networks, losses and guidance.

Its input is data with noise, x = x_0 + sigma * noise, its output the logits of p_sigma(y | x), the
probability that the clean x_0 was of class y:

- x: (B, C, H, W) images in [0, 1] before the noise, or (B, D) vectors around zero; floating.
- sigma: a tensor of shape () or (B,), positive, in data units.
- returns: (B, K), K classes.

Examples do not see one another. What guides sampling is the gradient of log p(y | x) in x, and of
an example whose logits depend on its neighbours there is no such gradient; see
`scorelib.guidance.require_independent_examples`.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.spec import Spec


class NoiseClassifier(nn.Module, ABC):
    """A module (x, sigma) -> logits; see the module's contract."""

    @abstractmethod
    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Logits of the classes.

        Args:
            x: noisy data, (B, C, H, W) or (B, D).
            sigma: noise level of each example, (B,), or of all, ().

        Returns:
            (B, K); their softmax is p_sigma(y | x).
        """


@dataclass(frozen=True, kw_only=True)
class NoiseClassifierSpec(Spec, ABC):
    """Architecture of a noise-conditional classifier; the data are given when it is built."""

    KIND = "NoiseClassifierSpec"

    @abstractmethod
    def build(self, shape: tuple[int, ...], n_classes: int) -> NoiseClassifier:
        """A classifier with fresh weights, drawn from torch's global generator.

        Args:
            shape: shape of one example, (C, H, W) or (D,).
            n_classes: number of labels, at least 2.

        Raises:
            InputError: the architecture does not fit such examples.
        """
