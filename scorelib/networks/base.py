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

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from scorelib.networks.noise_classifier import NoiseClassifier
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


def multiply_adds(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-adds of one forward pass for one example: the cost of a network evaluation.

    Counts convolutions, matrix products and attention, without doing them: values and weights are
    left as memory happens to hold them.

    Args:
        network: a score network, a classifier of noisy data, or a network of x alone; its weights
            are not touched.
        shape: shape of one example, (C, H, W) or (D,).
    """
    hollow = copy.deepcopy(network).to("meta").to_empty(device="cpu")
    reads_sigma = isinstance(network, ScoreNetwork | NoiseClassifier)
    sigma = (torch.ones((), device="cpu"),) if reads_sigma else ()
    with torch.no_grad(), _Counter() as counter:
        hollow(torch.empty(1, *shape, device="cpu"), *sigma)
    return counter.total


class _Counter(TorchFunctionMode):
    """Adds up the multiply-adds of the functions called in it; the dear ones are not carried out.

    torch's own FlopCounterMode gives the same, but takes two seconds to import the compiler, at
    every command and in every worker.
    """

    def __init__(self) -> None:
        super().__init__()
        self.total = 0

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        if func is functional.linear:
            out = args[0].new_empty(*args[0].shape[:-1], len(args[1]))
        elif func is functional.conv2d:
            out = args[0].new_empty(_convolved_shape(*args))
        elif func is functional.scaled_dot_product_attention:
            queries, keys, values = args
            out = queries.new_empty(*queries.shape[:-1], values.shape[-1])
        else:
            out = func(*args, **(kwargs or {}))
        if func in (functional.linear, functional.conv2d):
            self.total += out.numel() * args[1][0].numel()  # each output sums over one filter
        elif func is functional.scaled_dot_product_attention:
            pairs = queries.numel() // queries.shape[-1] * keys.shape[-2]
            self.total += pairs * (queries.shape[-1] + values.shape[-1])
        elif func in (torch.matmul, torch.bmm, Tensor.matmul, Tensor.bmm, Tensor.__matmul__):
            self.total += out.numel() * args[0].shape[-1]
        return out


def _convolved_shape(
    x: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    stride: tuple[int, int],
    padding: tuple[int, int],
    dilation: tuple[int, int],
    groups: int,
) -> tuple[int, ...]:
    sides = (
        (x.shape[2 + i] + 2 * padding[i] - dilation[i] * (weight.shape[2 + i] - 1) - 1) // stride[i]
        + 1
        for i in (0, 1)
    )
    return (len(x), len(weight), *sides)


def n_parameters(network: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
