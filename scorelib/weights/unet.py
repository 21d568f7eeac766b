"""Maps the tensors of the U-Net of adversarial score matching to those of our network.

The published network has three flat lists, ``downblocks``, ``middleblocks`` and ``upblocks``, in
which blocks, attentions and changes of size stand in the order of use. The embedding of time that
the program builds and never uses, ``temb_dense``, is left out on import and written as zeros on
export. Images enter that network as they are: ``centres_input`` must be False.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from scorelib.errors import InputError
from scorelib.networks import DdpmUNet
from scorelib.networks.unet import Attention
from scorelib.weights.ties import Shapes, Tie, as_convolution, same

_EMBEDDING = 4
"""Channels of the unused embedding, in units of the width."""


def identified(shapes: Shapes) -> DdpmUNet:
    """Returns the network with such tensors.

    Raises:
        InputError: the tensors do not make levels of equally many blocks.
    """
    width = shapes["downblocks.0.weight"][0]
    multipliers: list[int] = []
    attention_levels: list[int] = []
    level = n_blocks = 0
    for i in range(1, len(_entries(shapes))):
        at = f"downblocks.{i}."
        if f"{at}conv0.weight" in shapes:
            n_blocks += 1
            if level == len(multipliers):
                multipliers.append(shapes[f"{at}conv0.weight"][0] // width)
        elif f"{at}Q.weights" in shapes:
            attention_levels += [] if level in attention_levels else [level]
        else:
            level += 1
    if level + 1 != len(multipliers) or n_blocks % (level + 1):
        raise InputError(
            f"a U-Net must have equally many blocks at each of its {level + 1} levels; got "
            f"{n_blocks} blocks in downblocks: fetch the whole file again",
            "path",
        )
    return DdpmUNet(
        width=width,
        multipliers=tuple(multipliers),
        n_blocks=n_blocks // (level + 1),
        attention_levels=tuple(attention_levels),
        centres_input=False,
    )


def _entries(shapes: Shapes) -> set[str]:
    """Numbers of the entries of ``downblocks``."""
    return {name.split(".")[1] for name in shapes if name.startswith("downblocks.")}


def unused(spec: DdpmUNet) -> dict[str, Tensor]:
    """Returns zeros for the tensors that the authors' program saves and never uses."""
    wide = _EMBEDDING * spec.width
    shapes = {"0.weight": (wide, spec.width), "0.bias": (wide,)}
    shapes |= {"2.weight": (wide, wide), "2.bias": (wide,)}
    return {f"temb_dense.{name}": torch.zeros(shape) for name, shape in shapes.items()}


def ties(network: Any) -> Iterator[Tie]:
    """Returns the ties of the tensors of a `DdpmUNet` network."""
    yield from same("first", "downblocks.0")
    yield from _flat(network.down, "down", "downblocks", 1)
    yield from _flat([network.middle], "middle", "middleblocks", 0)
    yield from _flat(network.up, "up", "upblocks", 0)
    yield from same("norm", "normalize")
    yield from same("last", "out")


def _flat(steps: Any, ours: str, theirs: str, begin: int) -> Iterator[Tie]:
    """Steps, each a change of size or a sequence of parts, as entries of one list."""
    number = begin
    for i, step in enumerate(steps):
        name = ours if ours == "middle" else f"{ours}.{i}"
        if isinstance(step, nn.Sequential):
            for j, part in enumerate(step):
                yield from _part(part, f"{name}.{j}", f"{theirs}.{number}")
                number += 1
        else:
            grows = ".conv" if hasattr(step, "conv") else ""
            yield from same(f"{name}{grows}", f"{theirs}.{number}{grows}")
            number += 1


def _part(part: nn.Module, ours: str, theirs: str) -> Iterator[Tie]:
    if isinstance(part, Attention):
        yield from same(f"{ours}.norm", f"{theirs}.normalize")
        queries = tuple(f"{theirs}.{name}" for name in "QKV")
        yield from as_convolution(f"{ours}.queries_keys_values", queries, "weights", "bias")
        yield from as_convolution(f"{ours}.last", (f"{theirs}.OUT",), "weights", "bias")
        return
    yield from same(f"{ours}.norm1", f"{theirs}.normalize0")
    yield from same(f"{ours}.conv1", f"{theirs}.conv0")
    yield from same(f"{ours}.norm2", f"{theirs}.normalize1")
    yield from same(f"{ours}.conv2", f"{theirs}.conv1")
    if not isinstance(part.shortcut, nn.Identity):
        yield from as_convolution(f"{ours}.shortcut", (f"{theirs}.nin",), "weights", "bias")
