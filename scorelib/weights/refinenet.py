"""Maps the tensors of NCSN, NCSNv2, NCSNv2Deeper and NCSNv2Deepest to those of our networks.

The programs of Song and Ermon (ncsn, ncsnv2) and of Jolicoeur-Martineau et al. give the same names
to the same layers, in different orders. NCSN keeps the scales and shifts of all levels in one table
per norm, a row for each level from the largest sigma down and columns gamma, alpha, beta; our rows
begin at the smallest sigma.
"""

import math
from collections.abc import Iterator
from typing import Any

import torch
from torch import nn

from scorelib.errors import InputError
from scorelib.networks import Ncsn, Ncsnv2
from scorelib.networks.layers.instance_norm import ConditionalInstanceNormPlus
from scorelib.networks.ncsnv2 import IdentityNorm, RefineNet, ResidualUnit
from scorelib.schedules import Schedule
from scorelib.weights.ties import Shapes, Tensors, Tie, same

_STAGES = {
    4: ("res1", "res2", "res3", "res4"),
    5: ("res1", "res2", "res3", "res4", "res5"),
    6: ("res1", "res2", "res3", "res31", "res4", "res5"),
}
_REFINEMENTS = {
    4: ("refine1", "refine2", "refine3", "refine4"),
    5: ("refine1", "refine2", "refine3", "refine4", "refine5"),
    6: ("refine1", "refine2", "refine31", "refine3", "refine4", "refine5"),
}
"""Published names of the blocks in the order of use, by the number of stages."""

TABLE = "normalizer.embed.weight"
"""The table of NCSN's last norm, (L, 3C); NCSNv2 has none."""


def identified(shapes: Shapes, schedule: Schedule | None) -> Ncsnv2:
    """Returns the network with such tensors.

    Args:
        shapes: shapes of the published tensors, by name.
        schedule: the levels, which the spec of an NCSN contains; None if not known.

    Raises:
        InputError: NCSN's schedule is not known or has another number of levels.
    """
    n_stages = 6 if any(name.startswith("res31.") for name in shapes) else 5
    if n_stages == 5 and not any(name.startswith("res5.") for name in shapes):
        n_stages = 4
    widths = [shapes[f"{name}.1.conv1.weight"][0] for name in _STAGES[n_stages]]
    ngf = math.gcd(*widths)  # the first one's, in all networks published
    multipliers = tuple(width // ngf for width in widths)
    if TABLE not in shapes:
        return Ncsnv2(ngf=ngf, multipliers=multipliers)
    n_levels = shapes[TABLE][0]
    if schedule is None:
        raise InputError(
            f"NCSN's schedule must be given, for the file tells only the number of levels, "
            f"{n_levels}; got none: give a schedule, in the published runs "
            "GeometricSchedule(sigma_1=1, sigma_L=0.01, n_levels=10)",
            "schedule",
        )
    if schedule.n_levels != n_levels:
        raise InputError(
            f"the schedule must have as many levels as the network, {n_levels}; got "
            f"{schedule.n_levels}: give the schedule that the network was trained at",
            "schedule",
        )
    return Ncsn(ngf=ngf, multipliers=multipliers, schedule=schedule)


def ties(network: RefineNet, *, largest_first: bool = True) -> Iterator[Tie]:
    """Returns the ties of a network's tensors.

    Args:
        network: a network of `Ncsnv2` or `Ncsn`.
        largest_first: whether row 0 of NCSN's tables belongs to the largest sigma.

    Raises:
        InputError: no network with this number of stages was published.
    """
    n_stages = len(network.stages)
    if n_stages not in _STAGES:
        raise InputError(
            f"a published network must have 4, 5 or 6 stages; got {n_stages}: save the network as "
            "safetensors instead",
            "format",
        )
    yield from same("first", "begin_conv")
    yield from _norm(network.norm, "norm", "normalizer", largest_first)
    yield from same("last", "end_conv")
    block: Any
    for i, (stage, name) in enumerate(zip(network.stages, _STAGES[n_stages], strict=True)):
        for j, block in enumerate(stage):  # type: ignore[arg-type]
            yield from _block(block, f"stages.{i}.{j}", f"{name}.{j}", largest_first)
    for i, (refine, name) in enumerate(
        zip(network.refinements, _REFINEMENTS[n_stages], strict=True)
    ):
        yield from _refine(refine, f"refinements.{i}", name, largest_first)


def _block(block: Any, ours: str, theirs: str, largest_first: bool) -> Iterator[Tie]:
    pooled = ".conv" if block.pools else ""
    yield from same(f"{ours}.conv1", f"{theirs}.conv1")
    yield from _norm(block.norm2, f"{ours}.norm2", f"{theirs}.normalize2", largest_first)
    yield from same(f"{ours}.conv2", f"{theirs}.conv2{pooled}")
    if not isinstance(block.shortcut, nn.Identity):
        yield from same(f"{ours}.shortcut", f"{theirs}.shortcut{pooled}")
    yield from _norm(block.norm1, f"{ours}.norm1", f"{theirs}.normalize1", largest_first)


def _refine(block: Any, ours: str, theirs: str, largest_first: bool) -> Iterator[Tie]:
    for i, units in enumerate(block.adapters):
        yield from _units(units, f"{ours}.adapters.{i}", f"{theirs}.adapt_convs.{i}", largest_first)
    yield from _units(block.output, f"{ours}.output", f"{theirs}.output_convs", largest_first)
    for i, norm in enumerate(block.fuser_norms):
        yield from same(f"{ours}.fusers.{i}", f"{theirs}.msf.convs.{i}")
        yield from _norm(norm, f"{ours}.fuser_norms.{i}", f"{theirs}.msf.norms.{i}", largest_first)
    for i, norm in enumerate(block.context_norms):
        yield from same(f"{ours}.context.{i}", f"{theirs}.crp.convs.{i}", "weight")
        yield from _norm(
            norm, f"{ours}.context_norms.{i}", f"{theirs}.crp.norms.{i}", largest_first
        )


def _units(units: Any, ours: str, theirs: str, largest_first: bool) -> Iterator[Tie]:
    unit: ResidualUnit
    for i, unit in enumerate(units):
        for j, norm in enumerate((unit.norm1, unit.norm2), 1):
            at = f"{theirs}.{i + 1}_{j}"
            yield from _norm(norm, f"{ours}.{i}.norm{j}", f"{at}_norm", largest_first)
            yield from same(f"{ours}.{i}.conv{j}", f"{at}_conv", "weight")


def _norm(norm: nn.Module, ours: str, theirs: str, largest_first: bool) -> list[Tie]:
    if isinstance(norm, IdentityNorm):
        return []
    if not isinstance(norm, ConditionalInstanceNormPlus):
        return same(ours, theirs, "alpha", "gamma", "beta")

    def imported(tables: Tensors) -> Tensors:
        rows = tables[0].flip(0) if largest_first else tables[0]
        return list(rows.chunk(3, 1))

    def exported(columns: Tensors) -> Tensors:
        table = torch.cat(columns, 1)
        return [table.flip(0) if largest_first else table]

    names = tuple(f"{ours}.{name}" for name in ("gamma", "alpha", "beta"))
    return [Tie(names, (f"{theirs}.embed.weight",), imported, exported)]
