"""Interface of score networks, shared by networks, losses and samplers.

Let p_sigma be the density of x = x_0 + sigma * noise, where x_0 is data and the noise is standard
normal. A score network approximates

    network(x, sigma) = sigma * score(x, sigma),    score(x, sigma) = grad_x log p_sigma(x).

At the optimum of denoising score matching, the output is minus the posterior mean of the noise. The
factor sigma keeps the scale of the output near one at every noise level, so all levels can share
one loss weight. Samplers use the output directly: the expected denoised sample is
x + sigma^2 score = x + sigma * network(x, sigma).

- x: floating-point tensor; images (B, C, H, W), in [0, 1] before the noise is added, or vectors
  (B, D) around zero.
- sigma: a tensor of shape () or (B,), positive, in data units.
- returns: a tensor of the shape of x.

A *conditional* network takes sigma as an input. An unconditional network ignores sigma and has to
infer the noise level from x, so it is a function of x alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.spec import Spec

ScoreFunction = Callable[[Tensor, Tensor], Tensor]
"""Function that maps (x, sigma) to sigma * score: a score network or an exact formula."""


class ScoreNetwork(nn.Module, ABC):
    """Base of the score networks: a module that maps (x, sigma) to sigma * score."""

    @abstractmethod
    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Returns sigma times the score at x.

        Args:
            x: noisy data, shape (B, C, H, W) or (B, D), data units.
            sigma: noise level of each example, shape (B,), or one level for all, shape (); data
                units, > 0.

        Returns:
            A tensor of the shape of x, in units of the standard normal noise.
        """


@dataclass(frozen=True, kw_only=True)
class NetworkSpec(Spec, ABC):
    """Architecture of a score network for data of any supported shape."""

    KIND = "NetworkSpec"

    @property
    @abstractmethod
    def conditional(self) -> bool:
        """Whether the network takes sigma as an input."""

    @abstractmethod
    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns a network with initial weights drawn from PyTorch's global generator.

        Args:
            shape: shape of one example, (C, H, W) or (D,).

        Raises:
            InputError: the architecture does not support examples of this shape.
        """
