"""What a score network is: the contract between networks, losses and samplers.

Data x_0 plus Gaussian noise of standard deviation sigma has density p_sigma. A score network
returns, for x = x_0 + sigma * noise,

    network(x, sigma) = sigma * score(x, sigma),    score(x, sigma) = grad_x log p_sigma(x),

which at the optimum of denoising score matching is minus the posterior mean of the noise. The
factor sigma keeps the output of unit scale at every level, so one loss weight serves them all;
samplers and the expected denoised sample x + sigma^2 score = x + sigma * network(x, sigma) take
it as it is.

- x: (B, C, H, W) images in [0, 1] before the noise, or (B, D) vectors around zero; floating.
- sigma: a tensor of shape () or (B,), positive, in data units.
- returns: a tensor of the shape of x.

A network is *conditional* when it reads sigma. An unconditional one ignores it and must find the
level of the noise in x itself; it then takes part in comparisons as one function of x alone.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor, nn

from scorelib.spec import Spec

ScoreFunction = Callable[[Tensor, Tensor], Tensor]
"""Maps (x, sigma) to sigma * score: a score network, or an exact formula in its place."""


class ScoreNetwork(nn.Module, ABC):
    """A module (x, sigma) -> sigma * score; see the module's contract."""

    @abstractmethod
    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Sigma times the score at x.

        Args:
            x: noisy data, (B, C, H, W) or (B, D).
            sigma: noise level of each example, (B,), or of all, ().

        Returns:
            A tensor of the shape of x, in units of the standard normal noise.
        """


@dataclass(frozen=True, kw_only=True)
class NetworkSpec(Spec, ABC):
    """Architecture of a score network; the data's shape is given when it is built."""

    KIND = "NetworkSpec"

    @property
    @abstractmethod
    def conditional(self) -> bool:
        """Whether the network reads sigma."""

    @abstractmethod
    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """A network with fresh weights, drawn from torch's global generator.

        Args:
            shape: shape of one example, (C, H, W) or (D,).

        Raises:
            InputError: the architecture does not fit such examples.
        """
