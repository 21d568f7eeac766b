"""Noise schedules: the strictly decreasing levels a score network is trained and sampled at.

A schedule of L levels runs from `sigma_1`, large enough to join all modes of the data, down to
`sigma_L`, small enough not to be seen. Its *family* says how: with the share ``u = k / (L - 1)`` of
the way at level k = 0 .. L - 1,

    geometric        sigma_1 (sigma_L / sigma_1)^u
    linear           sigma_1 - (sigma_1 - sigma_L) u
    cosine           sigma_1 cos(pi u / (2 alpha))
    squared cosine   sigma_1 cos(pi u / (2 alpha))^2
    sigmoid          a S(u) + b,    S(u) = 1 / (1 + exp(9 u - 2.5)),

where alpha > 1 and the affine map (a, b) are those that end at sigma_L. With ten levels from 1 to
0.01, as in the report that the last four are taken from, alpha is its 1.0064 and 1.068. The report
prints three things otherwise, by mistake as its own numbers show: ``k / (alpha L)`` in the cosines
(they would end at 0.17 and 0.06), ``exp(-k - 2.5)`` in the sigmoid (which would begin at 0.085),
and for it no factor a: ``S + 0.009`` runs from 0.933 to 0.0105.

*Geometric* schedules have one ratio ``gamma = sigma_{k+1} / sigma_k < 1`` throughout. Song and
Ermon (2020) choose their ends and levels from the data: `sigma_1` as the largest Euclidean distance
between two training points (Technique 1; `scorelib.diameter`), and as many levels as make the norms
of neighbouring levels' noise overlap (Technique 2): in D dimensions the noise of level i has norm
close to ``sqrt(D) sigma_i``, and the share of it that falls where level i-1 has its mass (its mean
plus or minus three standard deviations) is

    C = Phi(sqrt(2D) (g - 1) + 3g) - Phi(sqrt(2D) (g - 1) - 3g),     g = sigma_{i-1} / sigma_i.

It is the same at all levels of a geometric schedule. In the linear and cosine families it falls
towards the low levels (g grows), in the sigmoid family it is least in between.

Consistent annealed sampling takes `n_sigma` times more, smaller steps through a *dilated* schedule
with the same ends, ``(n_levels - 1) n_sigma + 1`` levels and ratio ``gamma ** (1 / n_sigma)``.

References:
    Song and Ermon, Improved techniques for training score-based generative models, NeurIPS 2020,
    https://arxiv.org/abs/2006.09011, Propositions 1-3.
    Jolicoeur-Martineau et al., Adversarial score matching and improved sampling for image
    generation, ICLR 2021, https://arxiv.org/abs/2009.05475, Eq. 2 and Section 3.2.
    Spagnoletti, Ratouchniak and Aubakirova, Denoising score matching for diffusion models (a
    report), Section 7: the families other than the geometric one.
"""

import itertools
import math
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from scipy.special import ndtr

from scorelib.errors import InputError
from scorelib.spec import Spec, fields_of


@dataclass(frozen=True, kw_only=True)
class Schedule(Spec, ABC):
    """Strictly decreasing noise levels; a single one, if both ends are the same.

    Attributes:
        name: of the family.
        sigma_1: largest noise level, data units, > sigma_L (equal for one level).
        sigma_L: smallest noise level, data units, > 0.
        n_levels: number of levels, >= 1.
    """

    KIND = "Schedule"
    name: ClassVar[str]

    sigma_1: float
    sigma_L: float
    n_levels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        # Of a family's own fields, too, all may have been right but what comes of them.
        for before, sigma in itertools.pairwise(self.sigmas):
            if not sigma < before:
                raise InputError(
                    f"levels must strictly decrease; got {sigma:g} after {before:g} of {self}"
                )

    def validate(self) -> None:
        """Refuses schedules that do not strictly decrease to a positive level."""
        if self.n_levels == 1 and 0 < self.sigma_L == self.sigma_1:
            return
        if not 0 < self.sigma_L < self.sigma_1:
            raise InputError(
                "sigmas must strictly decrease to a positive level, 0 < sigma_L < sigma_1; "
                f"got sigma_1={self.sigma_1:g}, sigma_L={self.sigma_L:g}"
            )
        if self.n_levels < 2:
            raise InputError(
                f"n_levels must be at least 2 (1 if sigma_1 = sigma_L); got {self.n_levels}"
            )

    @property
    def title(self) -> str:
        """The family for people and fields of its own: "squared cosine", "NAME, rho = 3.0"."""
        common = fields_of(self, Schedule)
        own = [(field, value) for field, value in fields_of(self).items() if field not in common]
        name = self.name.replace("_", " ")
        return ", ".join((name, *(f"{field} = {value}" for field, value in own)))

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The levels, strictly decreasing; both ends exact."""
        if self.n_levels == 1:
            return (self.sigma_L,)
        return (self.sigma_1, *map(self._inner, range(1, self.n_levels - 1)), self.sigma_L)

    @abstractmethod
    def _inner(self, k: int) -> float:
        """Level k, counted from 0, between the ends: 0 < k < n_levels - 1."""

    def coverages(self, n_dimensions: int) -> tuple[float, ...]:
        """Each level's `coverage` by the level before it, from the second on; n_levels - 1 in all.

        Args:
            n_dimensions: dimension D of the data.
        """
        pairs = itertools.pairwise(self.sigmas)
        return tuple(coverage(sigma / before, n_dimensions) for before, sigma in pairs)


@dataclass(frozen=True, kw_only=True)
class GeometricSchedule(Schedule):
    """A geometric progression: neighbouring levels all have the same ratio."""

    KIND = "GeometricSchedule"
    name: ClassVar[str] = "geometric"

    @property
    def gamma(self) -> float:
        """Ratio of neighbouring levels, ``sigma_{i+1} / sigma_i``, in (0, 1).

        Raises:
            InputError: a single level, which has no neighbour.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 for a ratio of levels; got 1")
        return float((self.sigma_L / self.sigma_1) ** (1 / (self.n_levels - 1)))

    def _inner(self, k: int) -> float:
        return self.sigma_1 * self.gamma**k

    def dilated(self, n_sigma: int) -> "GeometricSchedule":
        """The schedule with the same ends and `n_sigma` steps for each of this one's.

        Args:
            n_sigma: steps per step, >= 1.

        Raises:
            InputError: n_sigma below 1.
        """
        if n_sigma < 1:
            raise InputError(f"n_sigma must be at least 1; got {n_sigma}")
        return self.replace(n_levels=(self.n_levels - 1) * n_sigma + 1)


@dataclass(frozen=True, kw_only=True)
class LinearSchedule(Schedule):
    """Equal differences between neighbouring levels."""

    KIND = "LinearSchedule"
    name: ClassVar[str] = "linear"

    def _inner(self, k: int) -> float:
        return self.sigma_1 - (self.sigma_1 - self.sigma_L) * k / (self.n_levels - 1)


@dataclass(frozen=True, kw_only=True)
class CosineSchedule(Schedule):
    """A quarter of a cosine's wave, cut off where it reaches sigma_L."""

    KIND = "CosineSchedule"
    name: ClassVar[str] = "cosine"
    POWER: ClassVar[int] = 1

    @property
    def alpha(self) -> float:
        """How much longer the whole quarter wave is than the part used, > 1.

        Raises:
            InputError: a single level, which is no part of a wave.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 for alpha; got 1")
        return math.pi / 2 / math.acos((self.sigma_L / self.sigma_1) ** (1 / self.POWER))

    def _inner(self, k: int) -> float:
        angle = math.pi / 2 * k / (self.alpha * (self.n_levels - 1))
        return float(self.sigma_1 * math.cos(angle) ** self.POWER)


@dataclass(frozen=True, kw_only=True)
class SquaredCosineSchedule(CosineSchedule):
    """The same with the square of the cosine."""

    KIND = "SquaredCosineSchedule"
    name: ClassVar[str] = "squared_cosine"
    POWER: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class SigmoidSchedule(Schedule):
    """A falling logistic curve from -2.5 to 6.5, mapped onto the levels: steepest early on."""

    KIND = "SigmoidSchedule"
    name: ClassVar[str] = "sigmoid"
    FIRST: ClassVar[float] = -2.5
    LENGTH: ClassVar[float] = 9.0

    def _inner(self, k: int) -> float:
        first, here, last = (
            1 / (1 + math.exp(self.FIRST + self.LENGTH * u))
            for u in (0, k / (self.n_levels - 1), 1)
        )
        return self.sigma_L + (self.sigma_1 - self.sigma_L) * (here - last) / (first - last)


SCHEDULES: dict[str, type[Schedule]] = {
    family.name: family
    for family in (
        GeometricSchedule, LinearSchedule, CosineSchedule, SquaredCosineSchedule, SigmoidSchedule,
    )
}  # fmt: skip
"""All families, by name."""


def as_geometric(schedule: Schedule, what: str) -> GeometricSchedule:
    """The schedule itself, for what rests on one ratio of neighbouring levels.

    Args:
        schedule: any schedule.
        what: what needs the ratio, for the message.

    Raises:
        InputError: the schedule is of another family.
    """
    if isinstance(schedule, GeometricSchedule):
        return schedule
    raise InputError(
        f"{what} needs a geometric schedule, whose neighbouring levels all have one ratio gamma; "
        f"got a {schedule.name} one"
    )


def coverage(gamma: float, n_dimensions: int) -> float:
    """Share of a level's noise that falls within the reach of the level before it.

    Args:
        gamma: ratio of neighbouring levels, in (0, 1).
        n_dimensions: dimension D of the data.

    Returns:
        C in (0, 1); Song and Ermon aim at 0.5.

    References:
        Song and Ermon (2020), Proposition 3 and Technique 2.
    """
    g = 1 / gamma
    shift = math.sqrt(2 * n_dimensions) * (g - 1)
    return float(ndtr(shift + 3 * g) - ndtr(shift - 3 * g))


def n_levels_for_coverage(
    sigma_1: float, sigma_L: float, n_dimensions: int, target: float = 0.5
) -> int:
    """Number of levels whose coverage is nearest to `target`.

    Args:
        sigma_1: largest level.
        sigma_L: smallest level, below sigma_1.
        n_dimensions: dimension D of the data.
        target: coverage C wanted, in (0, 1).

    Raises:
        InputError: a target outside (0, 1) or levels that do not decrease.
    """
    if not 0 < target < coverage(1 - 1e-12, n_dimensions):
        raise InputError(f"coverage target must be in (0, 0.997); got {target:g}")
    if not 0 < sigma_L < sigma_1:
        raise InputError(f"0 < sigma_L < sigma_1 must hold; got {sigma_1=:g}, {sigma_L=:g}")
    if coverage(sigma_L / sigma_1, n_dimensions) >= target:
        return 2  # in few dimensions noise spreads so wide that two levels overlap enough
    from scipy.optimize import brentq  # here: its import takes a third of a second

    gamma = brentq(lambda g: coverage(g, n_dimensions) - target, sigma_L / sigma_1, 1 - 1e-12)
    return max(2, round(math.log(sigma_L / sigma_1) / math.log(gamma)) + 1)
