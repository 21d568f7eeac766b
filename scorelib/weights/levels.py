"""Converts the noise levels stored beside the weights to a `Schedule`."""

import numpy as np
import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.schedules import SCHEDULES, ExplicitSchedule, Schedule

_TOLERANCE = 1e-4
"""Largest relative difference of levels that differ by rounding only."""


def levels_of(sigmas: Tensor, *, largest_first: bool = True) -> Tensor:
    """Returns the levels stored in a file, (L,), in strictly decreasing order.

    Args:
        sigmas: the levels, (L,), as stored.
        largest_first: whether the first level is the largest level.

    Raises:
        InputError: the levels are in the opposite order, or are not positive.
    """
    if sigmas.dim() != 1 or not len(sigmas) or not bool((sigmas > 0).all()):
        raise InputError(
            "sigmas of the file must be one or more positive levels; got "
            f"{tuple(sigmas.shape)} numbers: fetch the file again",
            "path",
        )
    levels = sigmas.detach() if largest_first else sigmas.detach().flip(0)
    if not bool((levels.diff() < 0).all()):
        way, other = ("decrease", "smallest") if largest_first else ("increase", "largest")
        raise InputError(
            f"sigmas of the file must strictly {way}; got {_ends(sigmas)}: if the network's level "
            f"0 is the {other}, give first_level={other!r}",
            f"first_level={other}",
        )
    return levels


def schedule_of(levels: Tensor) -> Schedule:
    """Returns the schedule with given levels: of a family with these levels, else a list.

    Args:
        levels: strictly decreasing, (L,), in the precision of the file.
    """
    first, last = (_shortest(float(x), levels.dtype) for x in (levels[0], levels[-1]))
    for family in SCHEDULES.values():
        schedule = family(sigma_1=first, sigma_L=last, n_levels=len(levels))
        if _are_close(schedule, levels):
            return schedule
    return ExplicitSchedule(sigmas=tuple(_shortest(float(x), levels.dtype) for x in levels))


def require_same(given: Schedule, levels: Tensor) -> None:
    """Raises InputError unless a schedule has the levels of a file, but for rounding."""
    if given.n_levels != len(levels) or not _are_close(given, levels):
        raise InputError(
            f"the schedule must be the one that the file tells, {_ends(levels)}; got "
            f"{given.n_levels} levels, {given.sigma_1:g} to {given.sigma_L:g}, {given.title}: "
            "give that schedule, or leave the schedule out",
            "schedule",
        )


def require_within(given: Schedule, levels: Tensor) -> None:
    """Raises InputError unless a schedule stays between the ends of the levels of a file."""
    most, least = float(levels[0]), float(levels[-1])
    if given.sigma_1 > most * (1 + _TOLERANCE) or given.sigma_L < least * (1 - _TOLERANCE):
        raise InputError(
            f"levels must lie where the network was trained, {least:g} to {most:g}; got "
            f"{given.sigma_L:g} to {given.sigma_1:g}: give a schedule in this range",
            "schedule",
        )


def _are_close(schedule: Schedule, levels: Tensor) -> bool:
    """Returns whether a schedule has the levels of a file, up to rounding in the file's type."""
    tolerance = max(_TOLERANCE, 2 * torch.finfo(levels.dtype).eps)
    return np.allclose(schedule.sigmas, levels.double().numpy(), rtol=tolerance, atol=0)


def _ends(levels: Tensor) -> str:
    return f"{len(levels)} levels, {float(levels[0]):g} to {float(levels[-1]):g}"


def _shortest(sigma: float, dtype: torch.dtype) -> float:
    """Returns sigma rounded to as few digits as the accuracy of exp(log(sigma)) allows."""
    accuracy = 2**-47 if dtype == torch.float64 else 2 * torch.finfo(dtype).eps
    for n_digits in range(1, 17):
        rounded = float(f"{sigma:.{n_digits}g}")
        if abs(rounded - sigma) <= accuracy * sigma:
            return rounded
    return sigma
