"""The contracts of score networks and of classifiers of noisy data."""

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.guidance import require_independent_examples
from scorelib.networks import NetworkSpec, NoiseClassifier, NoiseClassifierSpec, ScoreNetwork
from scorelib.testing.specs import check_spec, contract, global_generators, name_of, require

_LEVELS = 0.01, 0.1, 0.5, 1.0, 5.0, 50.0
_ROUNDING = 1e-4
"""Largest difference by rounding, relative to the largest output."""


@contract
def check_score_network(spec: NetworkSpec, *shapes: tuple[int, ...]) -> None:
    """Checks the architecture of a score network on data of some shapes.

    For each shape: the initial weights follow from PyTorch's global generator. The output, sigma
    times the score, is finite and has the shape of x at noise levels from 0.01 to 50. In evaluation
    mode an output depends on its own example and noise level alone. All parameters are trained. The
    state dict holds all that the output depends on.

    Args:
        spec: architecture; small numbers of channels make the check fast.
        shapes: shapes of one example that the network should support, such as (1, 8, 8).

    Raises:
        AssertionError: a rule is broken; the message is one line.
        InputError: the architecture does not support a shape.
    """
    require(isinstance(spec, NetworkSpec), f"{name_of(spec)} must be a subclass of NetworkSpec")
    require(len(shapes) > 0, "check_score_network needs at least one shape, such as (1, 8, 8)")
    check_spec(spec)
    for shape in shapes:
        who = f"{name_of(spec)}, data {shape}"
        network = _check_module(who, partial(spec.build, shape), shape, shape)
        require(isinstance(network, ScoreNetwork), f"{who}: build must return a ScoreNetwork")
        x, sigma = _noisy(shape)
        with torch.no_grad():
            reads_sigma = not torch.equal(network(x, sigma), network(x, 2 * sigma))
        require(
            reads_sigma == spec.conditional,
            f"{who}: conditional must say whether sigma changes the output, but it is "
            f"{spec.conditional!r} and sigma {'does' if reads_sigma else 'does not'}",
        )


@contract
def check_noise_classifier(spec: NoiseClassifierSpec, shape: tuple[int, ...], k: int) -> None:
    """Checks the architecture of a noise-conditional classifier on data of a shape.

    The rules are those of `check_score_network` for logits of the shape (B, k). No module
    normalises over the batch, since the gradient of the logits guides sampling.

    Args:
        spec: architecture; small numbers of channels make the check fast.
        shape: shape of one example, (C, H, W) or (D,).
        k: number of classes, at least 2.

    Raises:
        AssertionError: a rule is broken; the message is one line.
        InputError: the architecture does not support the shape.
    """
    who = f"{name_of(spec)}, data {shape}"
    is_spec = isinstance(spec, NoiseClassifierSpec)
    require(is_spec, f"{name_of(spec)} must be a subclass of NoiseClassifierSpec")
    check_spec(spec)
    classifier = _check_module(who, partial(spec.build, shape, k), shape, (k,))
    is_module = isinstance(classifier, NoiseClassifier)
    require(is_module, f"{who}: build must return a NoiseClassifier")
    try:
        require_independent_examples(classifier.train())
    except InputError as error:
        raise AssertionError(f"{who}: {error}") from None


def _check_module(
    who: str, build: Callable[[], nn.Module], shape: tuple[int, ...], output: tuple[int, ...]
) -> nn.Module:
    """Checks a module that maps (x, sigma) to `output` per example; returns it in eval mode."""
    networks = [_built(build, seed) for seed in (0, 0, 1)]
    first, same, other = (network.state_dict() for network in networks)
    require(
        all(torch.equal(first[name], same[name]) for name in first),
        f"{who}: build must draw all initial weights from torch's global generator, but the same "
        "seed gave other weights",
    )
    require(
        any(not torch.equal(first[name], other[name]) for name in first),
        f"{who}: build must draw the initial weights from torch's global generator as it is, but "
        "two seeds gave the same weights",
    )
    network = _without_zeros(networks[0]).eval()
    _check_output(who, network, *_noisy(shape), output)
    _check_parameters(who, network, *_noisy(shape))
    _check_state(who, network, networks[2].eval(), *_noisy(shape))
    return network


def _built(build: Callable[[], nn.Module], seed: int) -> nn.Module:
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(seed)
        network = build()
    is_module = isinstance(network, nn.Module)
    require(is_module, f"build must return a torch.nn.Module, but got {name_of(network)}")
    return network


def _without_zeros(network: nn.Module) -> nn.Module:
    """Returns the network with small noise in all weights, so that every path carries signal."""
    draw = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for p in network.parameters():
            p.add_(0.1 * torch.randn(p.shape, generator=draw))
    return network


def _noisy(shape: tuple[int, ...]) -> tuple[Tensor, Tensor]:
    """Returns noisy examples, one for each of the noise levels, and these levels."""
    draw = torch.Generator().manual_seed(1)
    sigma = torch.tensor(_LEVELS)
    noise = torch.randn(len(sigma), *shape, generator=draw)
    return torch.rand(noise.shape, generator=draw) + sigma.view(
        -1, *[1] * len(shape)
    ) * noise, sigma


@torch.no_grad()
def _check_output(
    who: str, network: nn.Module, x: Tensor, sigma: Tensor, output: tuple[int, ...]
) -> None:
    kept = x.clone(), sigma.clone()
    with global_generators(1, f"{who}: the forward pass in eval mode"):
        out = network(x, sigma)
    require(
        torch.equal(x, kept[0]) and torch.equal(sigma, kept[1]),
        f"{who}: the forward pass must not write to x or sigma",
    )
    expected, found = (len(x), *output), tuple(out.shape)
    require(
        found == expected and out.dtype == x.dtype,
        f"{who}: the output must be {x.dtype} of shape {expected}, but got {out.dtype} of {found}",
    )
    for level, row in zip(_LEVELS, out, strict=True):
        is_finite = bool(row.isfinite().all())
        require(is_finite, f"{who}: the output must be finite, but at sigma = {level:g} it is not")
    with global_generators(2, f"{who}: the forward pass in eval mode"):
        again = network(x, sigma)
    require(torch.equal(out, again), f"{who}: eval mode must give the same output each time")
    each = torch.cat([network(x[i : i + 1], sigma[i : i + 1]) for i in range(len(x))])
    require(
        _close(out, each),
        f"{who}: an output must not depend on the other examples of the batch (no batch "
        "normalisation in eval mode by the batch's own statistics)",
    )
    shared = network(x, sigma[2]), network(x, sigma[2].repeat(len(x)))
    require(
        _close(*shared),
        f"{who}: one noise level for all, of shape (), must give what equal levels (B,) give",
    )


def _close(a: Tensor, b: Tensor) -> bool:
    return a.shape == b.shape and bool((a - b).abs().max() <= _ROUNDING * a.abs().max())


def _check_parameters(who: str, network: nn.Module, x: Tensor, sigma: Tensor) -> None:
    parameters = dict(network.named_parameters())
    require(len(parameters) > 0, f"{who}: the network must have parameters")
    fixed = [name for name, p in parameters.items() if not p.requires_grad]
    require(not fixed, f"{who}: every parameter must be trainable, but {_first(fixed)} is not")
    out = network(x, sigma)
    # Weighted at random, since a plain sum cancels where outputs are normalised.
    weights = torch.randn(out.shape, generator=torch.Generator().manual_seed(2))
    if out.requires_grad:
        (weights * out).sum().backward()
    dead = [name for name, p in parameters.items() if p.grad is None or not p.grad.any()]
    require(not dead, f"{who}: every parameter must get a gradient, but {_first(dead)} gets none")
    network.zero_grad(set_to_none=True)


def _first(names: list[str]) -> str:
    return names[0] + f" (and {len(names) - 1} more)" * (len(names) > 1) if names else "none"


@torch.no_grad()
def _check_state(who: str, network: nn.Module, other: nn.Module, x: Tensor, sigma: Tensor) -> None:
    other.load_state_dict(network.state_dict())
    require(
        _close(network(x, sigma), other(x, sigma)),
        f"{who}: the state dict must hold all that the output depends on: register fixed tensors "
        "with register_buffer",
    )
