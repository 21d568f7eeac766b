"""Size of networks: multiply-adds of one evaluation, number of parameters, bytes of memory.

The multiply-adds are counted without carrying out the operations.
"""

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
    """Computational cost and memory of a network.

    Attributes:
        multiply_adds: multiply-adds of one evaluation of one example.
        n_bytes: bytes of the weights and buffers in float32.
    """

    multiply_adds: int
    n_bytes: int


@cache
def size_of(network: NetworkSpec | NoiseClassifierSpec, *arguments: Any) -> NetworkSize:
    """Returns the size of a network.

    Args:
        network: architecture of the network.
        arguments: arguments of `network.build`; the first is the shape of one example.

    Raises:
        InputError: the architecture does not support examples of this shape.
    """
    with torch.device("meta"), _NoNormalDraws():
        built = network.build(*arguments)
    n_values = sum(t.numel() for t in built.state_dict().values())
    return NetworkSize(multiply_adds(built, arguments[0]), 4 * n_values)


def multiply_adds(network: nn.Module, shape: tuple[int, ...]) -> int:
    """Returns the multiply-adds of one forward pass for one example.

    The count includes convolutions, linear layers, matrix products and attention. Convolutions,
    linear layers and attention are counted without being carried out, on uninitialised memory.

    Args:
        network: a score network, a classifier of noisy data, or a network that takes x alone; its
            weights are not changed.
        shape: shape of one example, (C, H, W) or (D,).
    """
    values = (*network.parameters(), *network.buffers())
    # Replaces values as it copies. `Module.to_empty` would import SymPy: 0.3 s in every command.
    hollow = copy.deepcopy(network, {id(t): torch.empty(t.shape, dtype=t.dtype) for t in values})
    reads_sigma = isinstance(network, ScoreNetwork | NoiseClassifier)
    sigma = (torch.ones((), device="cpu"),) if reads_sigma else ()
    with torch.no_grad(), _Counter() as counter:
        hollow(torch.empty(1, *shape, device="cpu"), *sigma)
    return counter.total


class _NoNormalDraws(TorchFunctionMode):
    """Context in which draws of initial weights from a normal leave the weights as they are.

    On the device "meta", which has no values, PyTorch imports SymPy and a part of the compiler for
    a normal draw, which takes more than a second.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Any,
        args: tuple[Any, ...] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:
        return args[0] if func is Tensor.normal_ else func(*args, **(kwargs or {}))


class _Counter(TorchFunctionMode):
    """Context that counts the multiply-adds of the torch functions called within it.

    Expensive functions return uninitialised tensors of the right shape instead of being carried
    out. PyTorch's own FlopCounterMode gives the same counts, but imports the compiler, which takes
    two seconds in every command and every worker.
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
        elif func is functional.conv_transpose2d:
            self.total += args[0].numel() * args[1][0].numel()  # each input enters all its outputs
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
    """Returns the number of trainable parameters (scalars) of a network."""
    return sum(p.numel() for p in network.parameters() if p.requires_grad)
