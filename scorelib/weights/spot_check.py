"""A spot check of a score function: does denoising bring noised data closer to the data?

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
from scorelib.networks import UNIT_RANGE, ScoreFunction

_N_SHOWN = 3
_CLEARLY = 0.85
"""A correction is clearly better if it leaves less than this share of the error."""

Corrected = Callable[[ScoreFunction, Tensor, Tensor, Tensor], Tensor]
"""A function of (f, x, sigma, m), where m is the level opposite to sigma in the schedule."""

_ANSWERS = {"scaled score": (0, 1), "score": (1, 1), "noise": (0, -1), "residual": (-1, 1)}
"""Power of sigma and sign by which the output of a network is multiplied to get sigma * score."""

_PREDICTIONS = {
    "epsilon": "the noise", "v_prediction": "v, of noise and data", "sample": "the data themselves",
}  # fmt: skip

_SCALES = {
    (1, 1): "the output is the score, so multiply it by sigma",
    (-1, 1): "the output has one factor of sigma too many, so divide it by sigma",
    (0, -1): "the output is the noise, so change its sign",
}


@dataclass(frozen=True)
class Used:
    """The settings with which a function is used; corrections are given as changes of these.

    Attributes:
        answer: stated output of the network, one of `Answer`.
        value_range: range of the images that the network is given.
        first_level: stated first level in the file, "largest" or "smallest".
        centres_input: whether the network itself centres its input.
        prediction: what a denoising diffusion model is said to predict, one of `Prediction`; "" for
            other networks.
    """

    answer: str = "scaled score"
    value_range: tuple[float, float] = UNIT_RANGE
    first_level: str = "largest"
    centres_input: bool = False
    prediction: str = ""

    def corrections(self) -> dict[str, tuple[Corrected, str]]:
        """Returns the usual corrections by their words, each with the setting that makes it.

        The setting is a path and a value, such as "answer=noise", or a path alone.
        """
        if self.prediction:
            return {
                f"prediction: it predicts {words}": (
                    _predicted(self.prediction, other), f"prediction={other}",
                )
                for other, words in _PREDICTIONS.items()
                if other != self.prediction
            }  # fmt: skip
        found: dict[str, tuple[Corrected, str]] = {}
        low, high = self.value_range
        if self.centres_input:
            found["range: the network takes data in [0, 1], so do not centre them"] = (
                lambda f, x, s, _: f((x + 1) / 2, s), "network.centres_input=false",
            )  # fmt: skip
        elif (low, high) == (-1, 1):
            found["range: the network takes data in [0, 1], so do not centre them"] = (
                lambda f, x, s, _: f((x + 1) / 2, s / 2), "value_range=[0, 1]",
            )  # fmt: skip
        else:
            found["range: the network takes data in [-1, 1], so give it 2x - 1 at 2 sigma"] = (
                lambda f, x, s, _: f(2 * x - 1, 2 * s),
                f"value_range=[{2 * low - high:g}, {high:g}]",
            )
        power, sign = _ANSWERS[self.answer]
        for answer, (own_power, own_sign) in _ANSWERS.items():
            change = own_power - power, own_sign * sign
            if change in _SCALES:
                found[f"scale: {_SCALES[change]}"] = (_scaled(*change), f"answer={answer}")
        other = "largest" if self.first_level == "smallest" else "smallest"
        found["schedule: the levels are stored in reverse order"] = (
            lambda f, x, s, m: f(x, m), f"first_level={other}",
        )  # fmt: skip
        found["schedule: the tables of levels are stored in reverse order"] = (
            lambda f, x, s, m: f(x, m) * s / m, f"first_level={other}",
        )  # fmt: skip
        found["schedule: the levels are for data in [-1, 1], so double them"] = (
            lambda f, x, s, _: f(x, 2 * s), "schedule",
        )  # fmt: skip
        return found


def _predicted(said: str, other: str) -> Corrected:
    """Returns the function of a network that predicts `other`, from the one that was `said`.

    The prediction is found again from the function; see `scorelib.networks.diffusers_unet`.
    """

    def corrected(f: ScoreFunction, x: Tensor, sigma: Tensor, _: Tensor) -> Tensor:
        s, data = 2 * sigma, 2 * x - 1
        scale = (1 + s.square()).rsqrt()
        ours = f(x, sigma)
        if said == "epsilon":
            predicted = -ours
        elif said == "sample":
            predicted = data + s * ours
        else:
            predicted = -ours / scale - s * scale * data
        if other == "epsilon":
            return -predicted
        if other == "sample":
            return (predicted - data) / s
        return -scale * (predicted + s * scale * data)

    return corrected


def _scaled(power: int, sign: int) -> Corrected:
    return lambda f, x, s, _: sign * s**power * f(x, s)


@dataclass(frozen=True)
class Correction:
    """A correction of the use of a function, and the error that is left with the correction.

    Attributes:
        words: description of the correction.
        setting: path and value that correct it, such as "answer=noise", or a path alone.
        n_better: number of levels at which the denoised sample is closer to the data than the
            noised sample.
        error: remaining error relative to the noise, a geometric mean over the levels.
        clearly_better: whether the remaining error is smaller than without the correction at most
            levels, and clearly smaller in the mean.
    """

    words: str
    setting: str
    n_better: int
    error: float
    clearly_better: bool


@dataclass(frozen=True)
class SpotCheck:
    """The result of a spot check: the errors of denoised samples, as used and as corrected.

    Attributes:
        sigmas: the levels tried, in decreasing order.
        errors: root-mean-square error of the denoised sample divided by that of the noised sample,
            for each level; below 1, denoising helps.
        corrections: all corrections that were tried, the smallest error first.
    """

    sigmas: tuple[float, ...]
    errors: tuple[float, ...]
    corrections: tuple[Correction, ...]

    @property
    def n_better(self) -> int:
        """Number of levels at which denoising with the function helps."""
        return _n_better(self.errors)

    @property
    def likeliest(self) -> tuple[Correction, ...]:
        """The corrections with the smallest remaining errors, at most three."""
        return self.corrections[:_N_SHOWN]

    @property
    def passed(self) -> bool:
        """Whether denoising helps at most levels, and no correction is clearly better."""
        most = 2 * self.n_better > len(self.sigmas)
        return most and not any(c.clearly_better for c in self.corrections)

    @property
    def diagnosis(self) -> str:
        """The result in one line, with the likeliest corrections if the check failed."""
        n = len(self.sigmas)
        found = (
            "the denoised sample is closer to the data than the noised sample at "
            f"{self.n_better} of {n}"
        )
        own = _mean(self.errors)
        if self.passed:
            return f"{found} levels; the remaining error is {own:.2g} of the noise"
        tried = "; ".join(
            f"{c.words}: {c.setting} ({c.n_better} of {n}, error {c.error:.2g})"
            for c in self.likeliest
        )
        return (
            f"{found} levels; the remaining error is {own:.2g} of the noise: range, scale or "
            f"schedule is probably wrong; likeliest: {tried}"
        )


@torch.no_grad()
def denoises(
    score: ScoreFunction,
    images: Tensor,
    sigmas: tuple[float, ...],
    *,
    used: Used | None = None,
    most_levels: int = 10,
    seed: int = 0,
) -> SpotCheck:
    """Denoises noised data at levels spread over a schedule, and tries the usual corrections.

    The cost is at most nine evaluations of all images at each level. A few images are enough,
    because the check finds gross errors only.

    Args:
        score: (x, sigma) -> sigma * score, such as a network in evaluation mode.
        images: data, (B, C, H, W) in [0, 1] or (B, D), on the device of the function.
        sigmas: the levels of the schedule, decreasing.
        used: how the function is used, for the settings of corrections; None for a function of
            images in [0, 1] that answers sigma * score.
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
    known = (used or Used()).corrections()
    own: list[float] = []
    errors: dict[str, list[float]] = {words: [] for words in known}
    for place in places:
        sigma, mirrored = (images.new_tensor(sigmas[k]) for k in (place, last - place))
        x = images + sigma * noise
        own.append(_error(score(x, sigma), noise))
        for words, (corrected, _) in known.items():
            errors[words].append(_error(corrected(score, x, sigma, mirrored), noise))
    corrections = [
        _correction(words, known[words][1], found, tuple(own)) for words, found in errors.items()
    ]
    return SpotCheck(
        sigmas=tuple(sigmas[place] for place in places),
        errors=tuple(own),
        corrections=tuple(sorted(corrections, key=lambda c: c.error)),
    )


def _error(answer: Tensor, noise: Tensor) -> float:
    """Returns the root mean square of (x + sigma * answer - clean) over that of the noise."""
    left = ((answer + noise).double().square().mean() / noise.double().square().mean()).sqrt()
    return float(left) if bool(left.isfinite()) else math.inf


def _correction(
    words: str, setting: str, errors: list[float], own: tuple[float, ...]
) -> Correction:
    n_smaller = sum(e < o for e, o in zip(errors, own, strict=True))
    error = _mean(errors)
    clearly = 2 * n_smaller > len(own) and error < _CLEARLY * _mean(own)
    return Correction(words, setting, _n_better(errors), error, clearly)


def _n_better(errors: tuple[float, ...] | list[float]) -> int:
    return sum(error < 1 for error in errors)


def _mean(errors: tuple[float, ...] | list[float]) -> float:
    return math.exp(sum(math.log(max(e, 1e-12)) for e in errors) / len(errors))
