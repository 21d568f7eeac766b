"""The size of networks: multiply-adds of an evaluation, parameters, bytes; known without a pass."""

import copy
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional
from torch.overrides import TorchFunctionMode

from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.networks.noise_classifier import NoiseClassifier, NoiseClassifierSpec


@dataclass(frozen=True)
class NetworkSize:
    """What a network costs.

    Attributes:
        multiply_adds: of one evaluation of one example.
        n_bytes: of its weights and buffers, in float32.
    """

    multiply_adds: int
    n_bytes: int


@cache
def size_of(network: NetworkSpec | NoiseClassifierSpec, *arguments: Any) -> NetworkSize:
    """The size of a network built with some arguments, the first of them an example's shape."""
    with torch.device("meta"):
        built = network.build(*arguments)
    n_values = sum(t.numel() for t in built.state_dict().values())
    return NetworkSize(multiply_adds(built, arguments[0]), 4 * n_values)


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
            out = args[0].new_empty(_convolved_shape(*args, **(kwargs or {})))
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
    bias: Tensor | None = None,
    stride: int | tuple[int, int] = 1,
    padding: int | tuple[int, int] = 0,
    dilation: int | tuple[int, int] = 1,
    groups: int = 1,
) -> tuple[int, ...]:
    steps, margins, gaps = (
        n if isinstance(n, tuple) else (n, n) for n in (stride, padding, dilation)
    )
    sides = (
        (x.shape[2 + i] + 2 * margins[i] - gaps[i] * (weight.shape[2 + i] - 1) - 1) // steps[i] + 1
        for i in (0, 1)
    )
    return (len(x), len(weight), *sides)


def n_parameters(network: nn.Module) -> int:
    """Number of trainable numbers."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
