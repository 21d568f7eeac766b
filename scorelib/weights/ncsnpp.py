"""Maps the tensors of the continuous NCSN++ of score_sde_pytorch to those of our network.

The published network is one flat list, ``all_modules``, in the order of use: frequencies, two
linear layers, the first convolution; per level the blocks (an attention after each where the level
attends), then a block that shrinks and the convolution of the input pyramid; the middle; the way up
with one attention at the end of an attending level; the last norm and convolution. Matrices of
attentions are stored (inputs, outputs).
"""

import re
from collections.abc import Iterator
from typing import Any

from torch import nn

from scorelib.errors import InputError
from scorelib.networks import NcsnPp
from scorelib.networks.unet import Attention
from scorelib.weights.ties import Shapes, Tie, as_convolution, same

FREQUENCIES = "all_modules.0.W"
"""Fixed random frequencies: a parameter that is not trained, so no average holds it."""

_FIRST_BLOCK = 4


def identified(shapes: Shapes) -> NcsnPp:
    """Returns the network with such tensors; its dropout, which no tensor shows, is the default.

    Raises:
        InputError: NCSN++ with skips of input and output, or blocks that make no levels.
    """
    members: dict[int, set[str]] = {}
    for name in shapes:
        entry = re.match(r"all_modules\.(\d+)\.(\w+)", name)
        if entry:
            members.setdefault(int(entry[1]), set()).add(entry[2])
    if any(of == {"Conv_0"} for of in members.values()):
        raise InputError(
            "NCSN++ must have the input pyramid of the CIFAR-10 networks; got the combiners of "
            "input_skip, as in all networks of 256 and 1024 pixels: no such network exists here",
            "path",
        )
    blocks = [i for i, of in members.items() if "Conv_1" in of]
    n_levels = 1 + sum(of == {"Conv2d_0"} for of in members.values())
    n_blocks, left = divmod(len(blocks) - 3 * n_levels, 2 * n_levels)
    if left or n_blocks < 1:
        raise InputError(
            f"NCSN++ must have equally many blocks at each of its {n_levels} levels; got "
            f"{len(blocks)} blocks in all: fetch the whole file again",
            "path",
        )
    width = shapes[FREQUENCIES][0]
    multipliers, attention_levels = [], []
    at = _FIRST_BLOCK
    for level in range(n_levels):
        multipliers.append(shapes[f"all_modules.{at}.Conv_0.weight"][0] // width)
        attends = "NIN_0" in members.get(at + 1, ())
        attention_levels += [level] * attends
        at += n_blocks * (1 + attends) + 2
    return NcsnPp(
        width=width,
        multipliers=tuple(multipliers),
        n_blocks=n_blocks,
        attention_levels=tuple(attention_levels),
    )


def ties(network: Any) -> Iterator[Tie]:
    """Returns the ties of the tensors of an `NcsnPp` network, in the published order."""
    yield Tie(("frequencies",), (FREQUENCIES,))
    for number, (name, module) in enumerate(_in_order_of_use(network), 1):
        yield from _module(module, name, f"all_modules.{number}")


def _in_order_of_use(network: Any) -> Iterator[tuple[str, nn.Module]]:
    yield from (("embed.0", network.embed[0]), ("embed.2", network.embed[2]))
    yield "first", network.first
    for level, steps in enumerate(network.down):
        if level > 0:
            yield f"shrink.{level - 1}", network.shrink[level - 1]
            yield f"inputs.{level - 1}.conv", network.inputs[level - 1].conv
        for i, parts in enumerate(steps):
            yield from ((f"down.{level}.{i}.{j}", part) for j, part in enumerate(parts))
    yield from ((f"middle.{j}", part) for j, part in enumerate(network.middle))
    for number, steps in enumerate(network.up):
        for i, parts in enumerate(steps):
            yield from ((f"up.{number}.{i}.{j}", part) for j, part in enumerate(parts))
        if number < len(network.enlarge):
            yield f"enlarge.{number}", network.enlarge[number]
    yield from (("norm", network.norm), ("last", network.last))


def _module(module: nn.Module, ours: str, theirs: str) -> Iterator[Tie]:
    if isinstance(module, Attention):
        yield from same(f"{ours}.norm", f"{theirs}.GroupNorm_0")
        queries = tuple(f"{theirs}.NIN_{i}" for i in range(3))
        yield from as_convolution(f"{ours}.queries_keys_values", queries, "W", "b", transposed=True)
        yield from as_convolution(f"{ours}.last", (f"{theirs}.NIN_3",), "W", "b", transposed=True)
    elif hasattr(module, "of_level"):
        yield from same(f"{ours}.norm1", f"{theirs}.GroupNorm_0")
        yield from same(f"{ours}.conv1", f"{theirs}.Conv_0")
        yield from same(f"{ours}.of_level", f"{theirs}.Dense_0")
        yield from same(f"{ours}.norm2", f"{theirs}.GroupNorm_1")
        yield from same(f"{ours}.conv2", f"{theirs}.Conv_1")
        if not isinstance(module.shortcut, nn.Identity):
            yield from same(f"{ours}.shortcut", f"{theirs}.Conv_2")
    else:
        pyramid = ".Conv2d_0" if ours.startswith("inputs.") else ""
        yield from same(ours, f"{theirs}{pyramid}")
