"""The contracts of noise schedules and samplers."""

import itertools
import math
from collections.abc import Callable

import torch
from torch import Tensor

from scorelib.samplers import Sampler, SamplerState
from scorelib.schedules import Schedule
from scorelib.testing.specs import (
    check_spec,
    contract,
    global_generators,
    name_of,
    require,
    require_line,
)

_MEAN, _STD = 2.0, 0.7
"""The Gaussian data of the oracle."""


@contract
def check_schedule(schedule: Schedule) -> None:
    """Checks a noise schedule: strictly decreasing, positive levels, as many as stated.

    Args:
        schedule: noise schedule.

    Raises:
        AssertionError: a rule is broken; the message is one line.
    """
    who = name_of(schedule)
    require(isinstance(schedule, Schedule), f"{who} must be a subclass of Schedule")
    check_spec(schedule)
    require_line(schedule.name, f"{who}.name")
    sigmas = schedule.sigmas
    require(
        isinstance(sigmas, tuple) and all(type(sigma) is float for sigma in sigmas),
        f"{who}.sigmas must be a tuple of floats, but got {sigmas!r:.60}",
    )
    require(
        len(sigmas) == schedule.n_levels,
        f"{who}.sigmas must have n_levels = {schedule.n_levels} levels, but has {len(sigmas)}",
    )
    ends, stated = (sigmas[0], sigmas[-1]), (schedule.sigma_1, schedule.sigma_L)
    require(
        ends == stated,
        f"{who}.sigmas must go from sigma_1 to sigma_L exactly, {stated}, but goes from {ends}",
    )
    for before, sigma in itertools.pairwise(sigmas):
        require(
            0 < sigma < before < math.inf,
            f"{who}.sigmas must strictly decrease and be positive, but {sigma:g} follows "
            f"{before:g}",
        )
    require(schedule.sigmas == sigmas, f"{who}.sigmas must be the same each time")


@contract
def check_sampler(sampler: Sampler, schedule: Schedule) -> None:
    """Checks a sampler: its states, network evaluations, denoised result and random numbers.

    Args:
        sampler: sampler.
        schedule: noise schedule that the sampler can use.

    Raises:
        AssertionError: a rule is broken; the message is one line.
        InputError: the sampler cannot use the schedule.
    """
    who = name_of(sampler)
    require(isinstance(sampler, Sampler), f"{who} must be a subclass of Sampler")
    check_spec(sampler)
    require_line(sampler.title(), f"{who}.title()")
    sampler.require_admissible(schedule)
    calls: list[tuple[Tensor, float, Tensor]] = []

    def network(x: Tensor, sigma: float) -> Tensor:
        output = _gaussian(x, sigma)
        calls.append((x.clone(), sigma, output))
        return output

    start = schedule.sigma_1 * _draws((4, 3), 0)()
    kept = start.clone()
    with global_generators(1, f"{who}.walk"):
        states = list(sampler.walk(network, start, schedule, _draws((4, 3), 1)))
    require(torch.equal(start, kept), f"{who}.walk must not write to the start x")
    stated = sampler.n_evaluations(schedule)
    require(
        len(calls) == stated,
        f"{who}.n_evaluations states {stated} network evaluations, but walk made {len(calls)}",
    )
    _check_states(who, states, kept)
    _check_denoised(who, states, calls[-1])
    with global_generators(2, f"{who}.walk"):
        *_, last = sampler.walk(network, start, schedule, _draws((4, 3), 1))
    require(
        torch.equal(last.x, states[-1].x),
        f"{who}.walk must take all its random numbers from `draw`: equal draws gave other samples",
    )


def _check_states(who: str, states: list[SamplerState], start: Tensor) -> None:
    require(len(states) > 0, f"{who}.walk must yield a state after each update, but yielded none")
    steps = [state.step for state in states]
    require(
        steps == list(range(1, len(steps) + 1)),
        f"{who}: the steps of the states must count 1, 2, ..., but got {steps[:3]} ...",
    )
    for state in states:
        at = f"{who}, step {state.step}"
        require(
            state.x.shape == start.shape and state.x.dtype == start.dtype,
            f"{at}: x must keep its shape {tuple(start.shape)} and {start.dtype}, but got "
            f"{tuple(state.x.shape)} and {state.x.dtype}",
        )
        require(bool(state.x.isfinite().all()), f"{at}: x must be finite")
        require(state.sigma > 0, f"{at}: sigma must be positive, but got {state.sigma:g}")
        require(
            (state.denoised is None) == (state is not states[-1]),
            f"{at}: only the last of {len(states)} states must have a denoised result",
        )


def _check_denoised(
    who: str, states: list[SamplerState], last_call: tuple[Tensor, float, Tensor]
) -> None:
    x, sigma, output = last_call
    denoised = states[-1].denoised
    assert denoised is not None
    require(
        denoised.shape == x.shape and torch.allclose(denoised, x + sigma * output),
        f"{who}: denoised must be x + sigma * output of the last network evaluation",
    )


@contract
def check_gaussian_samples(sampler: Sampler, schedule: Schedule, tolerance: float = 0.05) -> None:
    """Checks that the moments of Gaussian data come out of a sampler with the exact score.

    The data are N(2, 0.7^2) in each of 20 dimensions. With the exact score, the denoised samples of
    a sampler without bias have the mean 2 and the standard deviation 0.49 / sqrt(0.49 + sigma^2),
    where sigma is the level of the last update. Every sampler has a bias of its step size and of
    the distance of the levels: give a slow schedule (hundreds of levels) and a small step size.

    Args:
        sampler: sampler.
        schedule: noise schedule that the sampler can use.
        tolerance: largest relative error of the standard deviation, and largest error of the mean
            in standard deviations. The random error is about 0.01.

    Raises:
        AssertionError: a moment is wrong; the message is one line.
        InputError: the sampler cannot use the schedule.
    """
    who, shape = name_of(sampler), (1000, 20)
    start = schedule.sigma_1 * _draws(shape, 3)()
    *_, last = sampler.walk(_gaussian, start, schedule, _draws(shape, 4))
    assert last.denoised is not None, f"{who}: the last state must have a denoised result"
    mean, std = last.denoised.mean().item(), last.denoised.std().item()
    expected = _STD**2 / math.hypot(_STD, last.sigma)
    require(
        abs(mean - _MEAN) <= tolerance * expected and abs(std / expected - 1) <= tolerance,
        f"{who} must sample N({_MEAN:g}, {_STD:g}^2) by its exact score: mean {_MEAN:g} and std "
        f"{expected:.3f} within {tolerance:.0%}, but got mean {mean:.3f} and std {std:.3f}",
    )


def _gaussian(x: Tensor, sigma: float) -> Tensor:
    """Returns sigma * score of the Gaussian data with noise of level sigma."""
    return sigma * (_MEAN - x) / (_STD**2 + sigma**2)


def _draws(shape: tuple[int, ...], seed: int) -> Callable[[], Tensor]:
    stream = torch.Generator().manual_seed(seed)
    return lambda: torch.randn(shape, generator=stream, dtype=torch.float64)
