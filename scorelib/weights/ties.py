"""Ties: the correspondence between the tensors of a published network and those of our network.

A tie names tensors of both networks that hold the same numbers, and converts them in both
directions. One list of ties gives the import, the export, and the expected names and shapes. So
every network that can be imported can be exported, and no tensor is left out.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.errors import InputError

Tensors = list[Tensor]
_MOST_NAMES = 3


@dataclass(frozen=True)
class Tie:
    """Tensors that hold the same numbers.

    Attributes:
        ours: names in the state of our network.
        theirs: names in the published state.
        imported: from their tensors to ours, in the order of the names.
        exported: from our tensors to theirs.
    """

    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    imported: Callable[[Tensors], Tensors] = list
    exported: Callable[[Tensors], Tensors] = list


def same(ours: str, theirs: str, *members: str) -> list[Tie]:
    """Ties of equal tensors: members of a module, ``weight`` and ``bias`` unless others are named.

    Args:
        ours: name of our module.
        theirs: name of the published module.
        members: names that both modules give their tensors.
    """
    members = members or ("weight", "bias")
    return [Tie((f"{ours}.{name}",), (f"{theirs}.{name}",)) for name in members]


def as_convolution(
    ours: str, theirs: tuple[str, ...], matrix: str, bias: str, *, transposed: bool = False
) -> list[Tie]:
    """Ties of a 1 x 1 convolution with the published matrices that lie in it one below the other.

    Args:
        ours: name of our convolution.
        theirs: names of the published layers.
        matrix: name that the published layers give their matrix.
        bias: name that the published layers give their bias.
        transposed: the matrices are stored (inputs, outputs).
    """

    def imported(tensors: Tensors) -> Tensors:
        matrices = [m.T if transposed else m for m in tensors[::2]]
        return [torch.cat(matrices)[:, :, None, None], torch.cat(tensors[1::2])]

    def exported(tensors: Tensors) -> Tensors:
        weight, biases = (t.chunk(len(theirs)) for t in tensors)
        matrices = [m.flatten(1).T if transposed else m.flatten(1) for m in weight]
        return [t for pair in zip(matrices, biases, strict=True) for t in pair]

    names = tuple(f"{name}.{member}" for name in theirs for member in (matrix, bias))
    return [Tie((f"{ours}.weight", f"{ours}.bias"), names, imported, exported)]


def to_ours(ties: Iterable[Tie], published: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the state of our network, in new tensors, for a published state with all names."""
    state: dict[str, Tensor] = {}
    for tie in ties:
        made = tie.imported([published[name] for name in tie.theirs])
        state |= zip(tie.ours, (t.clone().contiguous() for t in made), strict=True)
    return state


def to_theirs(ties: Iterable[Tie], state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Returns the published state, in new tensors and the order of the ties, for our state."""
    published: dict[str, Tensor] = {}
    for tie in ties:
        made = tie.exported([state[name] for name in tie.ours])
        published |= zip(tie.theirs, (t.clone().contiguous() for t in made), strict=True)
    return published


def mismatch(wanted: Mapping[str, tuple[int, ...]], given: Mapping[str, Tensor]) -> str:
    """Returns the missing, unexpected and differently shaped tensors in words; "" if none.

    Args:
        wanted: shapes by name.
        given: tensors by name.
    """
    misshapen = [
        f"{name} {tuple(given[name].shape)} for {shape}"
        for name, shape in wanted.items()
        if name in given and tuple(given[name].shape) != shape
    ]
    wrong = {
        "missing": [name for name in wanted if name not in given],
        "unexpected": [name for name in given if name not in wanted],
        "of another shape": misshapen,
    }
    return ", ".join(
        f"{len(names)} {what} ({some(names)})" for what, names in wrong.items() if names
    )


def some(names: list[str]) -> str:
    """Returns the first few of some names as text, for messages."""
    shown = ", ".join(names[:_MOST_NAMES])
    return f"{shown}, ..." if len(names) > _MOST_NAMES else shown


class Shapes(dict[str, tuple[int, ...]]):
    """Shapes of published tensors by name; a name that is missing is bad input."""

    def __missing__(self, name: str) -> tuple[int, ...]:
        raise InputError(
            f"weights must have {name}; the name is missing: fetch the whole file again", "path"
        )
