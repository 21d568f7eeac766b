"""Noise schedules: strictly decreasing noise levels for training and sampling a score network.

A schedule of L levels decreases from `sigma_1`, which is large enough to join all modes of the
data, to `sigma_L`, which is too small to be visible. The *family* of a schedule is the formula of
its levels. With the relative position ``u = k / (L - 1)`` of level k = 0 .. L - 1,

    geometric        sigma_1 (sigma_L / sigma_1)^u
    linear           sigma_1 - (sigma_1 - sigma_L) u
    cosine           sigma_1 cos(pi u / (2 alpha))
    squared cosine   sigma_1 cos(pi u / (2 alpha))^2
    sigmoid          a S(u) + b,    S(u) = 1 / (1 + exp(9 u - 2.5)),

where alpha > 1 is chosen such that the cosine families end at sigma_L, and (a, b) such that the
sigmoid family starts at sigma_1 and ends at sigma_L. The last four families are taken from a report
that uses ten levels from 1 to 0.01; there alpha is 1.0064 and 1.068, as computed here. Three
formulas printed in the report differ from these. They are mistakes, as the numbers of the report
show: ``k / (alpha L)`` in the cosines (the levels would end at 0.17 and 0.06), ``exp(-k - 2.5)`` in
the sigmoid (the levels would start at 0.085), and the missing factor a of the sigmoid (``S +
0.009`` decreases from 0.933 to 0.0105).

*Geometric* schedules have the same ratio ``gamma = sigma_{k+1} / sigma_k < 1`` at all levels. Song
and Ermon (2020) choose `sigma_1` and the number of levels from the data: `sigma_1` is the largest
Euclidean distance between two training points (Technique 1; `scorelib.diameter`), and there are
enough levels that the noise norms of neighbouring levels overlap (Technique 2). In D dimensions the
noise of level i has a norm close to ``sqrt(D) sigma_i``. The share of it that falls into the range
of level i-1 (mean plus or minus three standard deviations of the norm) is the coverage

    C = Phi(sqrt(2D) (g - 1) + 3g) - Phi(sqrt(2D) (g - 1) - 3g),     g = sigma_{i-1} / sigma_i.

C is the same at all levels of a geometric schedule. In the linear and cosine families C decreases
towards the low levels (g grows); in the sigmoid family C is smallest in the middle.

Consistent annealed sampling takes `n_sigma` times as many, smaller steps. Its levels are those of a
*dilated* schedule with the same first and last level, ``(n_levels - 1) n_sigma + 1`` levels and
ratio ``gamma ** (1 / n_sigma)``.

An `ExplicitSchedule` is a list of levels without a formula.

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

from scorelib.errors import InputError
from scorelib.spec import Spec, fields_of


# Not a dataclass: the annotations are the interface, and subclasses choose which are fields.
class Schedule(Spec, ABC):
    """Base of all noise schedules: strictly decreasing levels, or a single level.

    Attributes:
        name: name of the schedule's family.
        sigmas: the n_levels noise levels, data units, strictly decreasing from sigma_1 to sigma_L.
        sigma_1: largest noise level, data units, > sigma_L (equal to it for one level).
        sigma_L: smallest noise level, data units, > 0.
        n_levels: number of levels, >= 1.
    """

    KIND = "Schedule"
    name: ClassVar[str]

    sigmas: tuple[float, ...]
    sigma_1: float
    sigma_L: float
    n_levels: int

    def __post_init__(self) -> None:
        super().__post_init__()
        # A family may add fields: even if each field is valid, the levels may not decrease.
        for before, sigma in itertools.pairwise(self.sigmas):
            if not sigma < before:
                raise InputError(
                    f"levels must strictly decrease; got {sigma:g} after {before:g} in {self}"
                )

    @property
    @abstractmethod
    def title(self) -> str:
        """Readable name of the schedule, different for schedules with different levels."""

    def coverages(self, n_dimensions: int) -> tuple[float, ...]:
        """Returns the `coverage` of each level, from the second on, by the level before it.

        Args:
            n_dimensions: dimension D of the data.

        Returns:
            n_levels - 1 values in (0, 1).
        """
        pairs = itertools.pairwise(self.sigmas)
        return tuple(coverage(sigma / before, n_dimensions) for before, sigma in pairs)


@dataclass(frozen=True, kw_only=True)
class SpacedSchedule(Schedule, ABC):
    """Base of the families: a formula for the levels between two ends.

    Attributes:
        sigma_1: largest noise level, data units, > sigma_L (equal to it for one level).
        sigma_L: smallest noise level, data units, > 0.
        n_levels: number of levels, >= 1.
    """

    KIND = "SpacedSchedule"

    sigma_1: float
    sigma_L: float
    n_levels: int

    def validate(self) -> None:
        """Raises InputError unless the schedule strictly decreases to a positive level."""
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
        """Readable name of the family and its own fields: "squared cosine", "NAME, rho = 3.0"."""
        common = fields_of(self, SpacedSchedule)
        own = [(field, value) for field, value in fields_of(self).items() if field not in common]
        name = self.name.replace("_", " ")
        return ", ".join((name, *(f"{field} = {value}" for field, value in own)))

    @property
    def sigmas(self) -> tuple[float, ...]:
        """The n_levels noise levels, strictly decreasing, from exactly sigma_1 to sigma_L."""
        if self.n_levels == 1:
            return (self.sigma_L,)
        return (self.sigma_1, *map(self._inner, range(1, self.n_levels - 1)), self.sigma_L)

    @abstractmethod
    def _inner(self, k: int) -> float:
        """Returns level k, counted from 0, between the two ends: 0 < k < n_levels - 1."""


@dataclass(frozen=True, kw_only=True)
class GeometricSchedule(SpacedSchedule):
    """A geometric progression: the ratio of neighbouring levels is constant."""

    KIND = "GeometricSchedule"
    name: ClassVar[str] = "geometric"

    @property
    def gamma(self) -> float:
        """Ratio of neighbouring levels, ``sigma_{i+1} / sigma_i``, in (0, 1).

        Raises:
            InputError: the schedule has a single level.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 to define a ratio of levels; got 1")
        return float((self.sigma_L / self.sigma_1) ** (1 / (self.n_levels - 1)))

    def _inner(self, k: int) -> float:
        return self.sigma_1 * self.gamma**k

    def dilated(self, n_sigma: int) -> "GeometricSchedule":
        """Returns a schedule with the same ends and `n_sigma` steps for each step of this schedule.

        Args:
            n_sigma: number of steps that replace each step, >= 1.

        Raises:
            InputError: n_sigma below 1.
        """
        if n_sigma < 1:
            raise InputError(f"n_sigma must be at least 1; got {n_sigma}")
        return self.replace(n_levels=(self.n_levels - 1) * n_sigma + 1)


@dataclass(frozen=True, kw_only=True)
class LinearSchedule(SpacedSchedule):
    """An arithmetic progression: the difference of neighbouring levels is constant."""

    KIND = "LinearSchedule"
    name: ClassVar[str] = "linear"

    def _inner(self, k: int) -> float:
        return self.sigma_1 - (self.sigma_1 - self.sigma_L) * k / (self.n_levels - 1)


@dataclass(frozen=True, kw_only=True)
class CosineSchedule(SpacedSchedule):
    """A quarter period of a cosine, cut off at sigma_L."""

    KIND = "CosineSchedule"
    name: ClassVar[str] = "cosine"
    POWER: ClassVar[int] = 1

    @property
    def alpha(self) -> float:
        """Ratio of the length of the whole quarter period to the length of the part used, > 1.

        Raises:
            InputError: the schedule has a single level.
        """
        if self.n_levels == 1:
            raise InputError("n_levels must be at least 2 to define alpha; got 1")
        return math.pi / 2 / math.acos((self.sigma_L / self.sigma_1) ** (1 / self.POWER))

    def _inner(self, k: int) -> float:
        angle = math.pi / 2 * k / (self.alpha * (self.n_levels - 1))
        return float(self.sigma_1 * math.cos(angle) ** self.POWER)


@dataclass(frozen=True, kw_only=True)
class SquaredCosineSchedule(CosineSchedule):
    """A quarter period of a squared cosine, cut off at sigma_L."""

    KIND = "SquaredCosineSchedule"
    name: ClassVar[str] = "squared_cosine"
    POWER: ClassVar[int] = 2


@dataclass(frozen=True, kw_only=True)
class SigmoidSchedule(SpacedSchedule):
    """A decreasing logistic function on [-2.5, 6.5], scaled to the levels.

    The levels decrease fastest at u = 0.28.
    """

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


@dataclass(frozen=True, kw_only=True)
class ExplicitSchedule(Schedule):
    """A list of levels, which need not follow a formula.

    Attributes:
        sigmas: noise levels, data units, > 0, at least one, strictly decreasing.
    """

    KIND = "ExplicitSchedule"
    name: ClassVar[str] = "explicit"
    MOST_SHOWN: ClassVar[int] = 6

    sigmas: tuple[float, ...]

    def validate(self) -> None:
        """Raises InputError unless there are levels, all positive."""
        if not self.sigmas or min(self.sigmas) <= 0:
            raise InputError(
                f"sigmas must hold at least one level, all above 0; got {list(self.sigmas)}"
            )

    @property
    def sigma_1(self) -> float:  # type: ignore[override]
        """Largest noise level, data units: the first of `sigmas`."""
        return self.sigmas[0]

    @property
    def sigma_L(self) -> float:  # type: ignore[override]
        """Smallest noise level, data units: the last of `sigmas`."""
        return self.sigmas[-1]

    @property
    def n_levels(self) -> int:  # type: ignore[override]
        """Number of levels."""
        return len(self.sigmas)

    @property
    def title(self) -> str:
        """The levels, such as "explicit (3, 1, 0.1)"; a long list is shortened and has a digest."""
        shown, more = [f"{sigma:g}" for sigma in self.sigmas], ""
        if self.n_levels > self.MOST_SHOWN:
            shown, more = [*shown[:3], "...", shown[-1]], f", list {self.key[:6]}"
        return f"{self.name} ({', '.join(shown)}{more})"


SCHEDULES: dict[str, type[SpacedSchedule]] = {
    family.name: family
    for family in (
        GeometricSchedule, LinearSchedule, CosineSchedule, SquaredCosineSchedule, SigmoidSchedule,
    )
}  # fmt: skip
"""The families of schedules with a formula, by name."""


def as_geometric(schedule: Schedule, what: str) -> GeometricSchedule:
    """Returns the schedule unchanged if it is geometric.

    Args:
        schedule: schedule of any family.
        what: name of the computation that needs a constant ratio of levels, for the error message.

    Raises:
        InputError: the schedule belongs to another family.
    """
    if isinstance(schedule, GeometricSchedule):
        return schedule
    raise InputError(
        f"{what} needs a geometric schedule (one ratio gamma of all neighbouring levels); "
        f"got one of the family {schedule.name!r}"
    )


def coverage(gamma: float, n_dimensions: int) -> float:
    """Returns the share of a level's noise that falls into the range of the level before it.

    Args:
        gamma: ratio of neighbouring levels, in (0, 1).
        n_dimensions: dimension D of the data.

    Returns:
        Coverage C in (0, 1); Song and Ermon aim at 0.5.

    References:
        Song and Ermon (2020), Proposition 3 and Technique 2.
    """
    g = 1 / gamma
    shift = math.sqrt(2 * n_dimensions) * (g - 1)
    from scipy.special import ndtr  # imported here: only counts of levels need scipy

    return float(ndtr(shift + 3 * g) - ndtr(shift - 3 * g))


def n_levels_for_coverage(
    sigma_1: float, sigma_L: float, n_dimensions: int, target: float = 0.5
) -> int:
    """Returns the number of levels of the geometric schedule with coverage closest to `target`.

    Args:
        sigma_1: largest noise level, data units.
        sigma_L: smallest noise level, data units, in (0, sigma_1).
        n_dimensions: dimension D of the data.
        target: desired coverage C, in (0, 0.997).

    Returns:
        Number of levels, >= 2.

    Raises:
        InputError: `target` is out of its range, or the levels do not decrease.

    References:
        Song and Ermon (2020), Technique 2.
    """
    if not 0 < target < coverage(1 - 1e-12, n_dimensions):
        raise InputError(f"coverage target must be in (0, 0.997); got {target:g}")
    if not 0 < sigma_L < sigma_1:
        raise InputError(f"0 < sigma_L < sigma_1 must hold; got {sigma_1=:g}, {sigma_L=:g}")
    if coverage(sigma_L / sigma_1, n_dimensions) >= target:
        return 2  # in few dimensions the noise norms are so spread out that two levels overlap
    from scipy.optimize import brentq  # imported here because it takes a third of a second

    gamma = brentq(lambda g: coverage(g, n_dimensions) - target, sigma_L / sigma_1, 1 - 1e-12)
    return max(2, round(math.log(sigma_L / sigma_1) / math.log(gamma)) + 1)
