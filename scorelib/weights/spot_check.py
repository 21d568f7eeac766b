"""A spot check of a score function: whether denoising brings noised data closer to the data.

Weights whose names and shapes fit can still be used wrongly: fed another range of values, read with
another meaning of the output, told other levels. Such mistakes raise no error. Noise is removed by
x + sigma * f(x, sigma), so a function f that is used rightly leaves less than the noise it was
given. That alone is weak: at levels far above the data's spread, half of a right answer still
removes most of the noise. So the usual corrections are tried too, and a correction that leaves
clearly less at most levels speaks against the function as given.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from scorelib.errors import require_input
from scorelib.networks import ScoreFunction

_N_SHOWN = 3
_CLEARLY = 0.85
"""A correction speaks against the function if it leaves less than this share of the error."""

Corrected = Callable[[ScoreFunction, Tensor, Tensor, Tensor], Tensor]
"""Of the function, noised data, sigma and the level that mirrors sigma in the schedule."""

_CORRECTIONS: dict[str, Corrected] = {
    "range: it takes data as they are, do not centre them (half the value_range)": (
        lambda f, x, s, _: f((x + 1) / 2, s)
    ),
    "range: it takes data in [-1, 1], give it 2x - 1 at 2 sigma (value_range [-1, 1])": (
        lambda f, x, s, _: f(2 * x - 1, 2 * s)
    ),
    "scale: it answers the score, multiply by sigma (answer score)": (
        lambda f, x, s, _: s * f(x, s)
    ),
    "scale: its answer was multiplied by sigma once too often, divide (answer residual)": (
        lambda f, x, s, _: f(x, s) / s
    ),
    "scale: it answers the noise itself, change the sign (answer noise)": (
        lambda f, x, s, _: -f(x, s)
    ),
    "schedule: its levels are stored the other way round": lambda f, x, s, m: f(x, m),
    "schedule: its levels are stored the other way round, in tables (first_level smallest)": (
        lambda f, x, s, m: f(x, m) * s / m
    ),
    "schedule: its levels are for data in [-1, 1], double them (a schedule of half the levels)": (
        lambda f, x, s, _: f(x, 2 * s)
    ),
}
"""By what to correct, with the setting that corrects it."""


@dataclass(frozen=True)
class Correction:
    """What would be left of the noise if a function were used in another way.

    Attributes:
        words: what to correct.
        n_better: levels at which the denoised sample is closer to the data than the noised one.
        error: error left, relative to the noise, a geometric mean over the levels.
        clearly_better: the error left is smaller than without the correction at most levels, and
            clearly smaller in the mean.
    """

    words: str
    n_better: int
    error: float
    clearly_better: bool


@dataclass(frozen=True)
class SpotCheck:
    """How well a function denoises.

    Attributes:
        sigmas: the levels tried, from the largest down.
        errors: of each level, the root-mean-square error of the denoised sample over that of the
            noised one; below 1 is better than doing nothing.
        corrections: what was tried instead, the likeliest first.
    """

    sigmas: tuple[float, ...]
    errors: tuple[float, ...]
    corrections: tuple[Correction, ...]

    @property
    def n_better(self) -> int:
        """Levels at which the function is better than doing nothing."""
        return _n_better(self.errors)

    @property
    def passed(self) -> bool:
        """Whether the function is better than nothing at most levels, and no correction better."""
        most = 2 * self.n_better > len(self.sigmas)
        return most and not any(c.clearly_better for c in self.corrections)

    @property
    def diagnosis(self) -> str:
        """One line on what was found, with the likeliest corrections if the check is not passed."""
        n = len(self.sigmas)
        found = (
            f"the denoised sample is closer to the data than the noised at {self.n_better} of {n}"
        )
        if self.passed:
            return f"{found} levels"
        tried = "; ".join(
            f"{c.words} ({c.n_better} of {n}, error {c.error:.2g})"
            for c in self.corrections[:_N_SHOWN]
        )
        own = _mean(self.errors)
        return (
            f"{found} levels, with {own:.2g} of the noise left as error: range, scale or schedule "
            f"are probably wrong; likeliest: {tried}"
        )


@torch.no_grad()
def denoises(
    score: ScoreFunction,
    images: Tensor,
    sigmas: tuple[float, ...],
    *,
    most_levels: int = 10,
    seed: int = 0,
) -> SpotCheck:
    """Denoises noised data at levels spread over a schedule, and tries the usual corrections.

    The cost is nine evaluations of all images at each level; a few images are enough, for only
    gross errors are looked for.

    Args:
        score: (x, sigma) -> sigma * score, such as a network in evaluation mode.
        images: data, (B, C, H, W) in [0, 1] or (B, D), on the device of the function.
        sigmas: the levels of the schedule, decreasing.
        most_levels: how many of the levels are tried at most, at least 2.
        seed: of the noise.

    Raises:
        InputError: no data or no levels.
    """
    require_input(
        len(images) > 0 and len(sigmas) > 0 and most_levels > 1,
        f"a spot check needs data, levels and two tries or more; got {len(images)} examples, "
        f"{len(sigmas)} levels, most_levels={most_levels}: give more",
    )
    last = len(sigmas) - 1
    n = min(most_levels, len(sigmas))
    places = [round(k * last / max(1, n - 1)) for k in range(n)]
    noise = torch.randn(images.shape, generator=torch.Generator().manual_seed(seed)).to(images)
    used: dict[str, list[float]] = {words: [] for words in ("", *_CORRECTIONS)}
    for place in places:
        sigma, mirrored = (images.new_tensor(sigmas[k]) for k in (place, last - place))
        x = images + sigma * noise
        used[""].append(_error(score(x, sigma), noise))
        for words, corrected in _CORRECTIONS.items():
            used[words].append(_error(corrected(score, x, sigma, mirrored), noise))
    own = tuple(used.pop(""))
    corrections = [_correction(words, errors, own) for words, errors in used.items()]
    return SpotCheck(
        sigmas=tuple(sigmas[place] for place in places),
        errors=own,
        corrections=tuple(sorted(corrections, key=lambda c: c.error)),
    )


def _error(answer: Tensor, noise: Tensor) -> float:
    """What x + sigma * answer leaves of the noise in x, root mean squares compared."""
    left = ((answer + noise).double().square().mean() / noise.double().square().mean()).sqrt()
    return float(left) if bool(left.isfinite()) else math.inf


def _correction(words: str, errors: list[float], own: tuple[float, ...]) -> Correction:
    n_smaller = sum(e < o for e, o in zip(errors, own, strict=True))
    error = _mean(errors)
    clearly = 2 * n_smaller > len(own) and error < _CLEARLY * _mean(own)
    return Correction(words, _n_better(errors), error, clearly)


def _n_better(errors: tuple[float, ...] | list[float]) -> int:
    return sum(error < 1 for error in errors)


def _mean(errors: tuple[float, ...] | list[float]) -> float:
    return math.exp(sum(math.log(max(e, 1e-12)) for e in errors) / len(errors))
