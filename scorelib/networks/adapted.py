"""Converts networks with another range of inputs or another output to networks of sigma * score.

A network that was trained elsewhere may take data in [-1, 1], and may return the score, the noise,
or the denoised sample minus its input. With y = low + (high - low) x and s = (high - low) sigma,
the score in x is (high - low) times the score in y, so sigma * score is the same number in both.
"""

from dataclasses import dataclass
from typing import Literal

from torch import Tensor

from scorelib.errors import InputError, require_input
from scorelib.networks.base import NetworkSpec, ScoreNetwork
from scorelib.schedules import ExplicitSchedule, Schedule, SpacedSchedule

Answer = Literal["scaled score", "score", "noise", "residual"]
"""Output of a network: sigma * score ("scaled score"); the score; the noise in x in units of sigma,
which is -sigma * score; or the denoised sample minus x, which is sigma^2 * score ("residual")."""

UNIT_RANGE = (0.0, 1.0)
"""Range of images in this program."""


@dataclass(frozen=True, kw_only=True)
class Adapted(NetworkSpec):
    """A score network with a conversion of its input and of its output.

    Attributes:
        network: the network itself; a schedule that it holds is in units of its own range.
        value_range: least and greatest value of the images that the network takes.
        answer: output of the network, one of `Answer`.
    """

    KIND = "Adapted"

    network: NetworkSpec
    value_range: tuple[float, float] = UNIT_RANGE
    answer: Answer = "scaled score"

    def validate(self) -> None:
        """Raises InputError for a range without width."""
        low, high = self.value_range
        require_input(low < high, f"value_range must be low < high, but got [{low:g}, {high:g}]")

    @property
    def conditional(self) -> bool:
        """Whether the network, or the conversion of its output, takes sigma as an input."""
        return self.network.conditional or self.answer in ("score", "residual")

    @property
    def width(self) -> float:
        """Width of `value_range`, the factor from data units to units of the network's input."""
        return self.value_range[1] - self.value_range[0]

    def build(self, shape: tuple[int, ...]) -> ScoreNetwork:
        """Returns the network with its conversions; see `NetworkSpec.build`."""
        return _Adapted(self.network.build(shape), self.value_range[0], self.width, self.answer)


class _Adapted(ScoreNetwork):
    def __init__(self, network: ScoreNetwork, low: float, width: float, answer: Answer) -> None:
        super().__init__()
        self.network, self._low, self._width, self._answer = network, low, width, answer

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        level = self._width * sigma
        answer: Tensor = self.network(self._low + self._width * x, level)
        if self._answer == "noise":
            return -answer
        factor = level.reshape(-1, *[1] * (x.dim() - 1))
        if self._answer == "score":
            return factor * answer
        return answer / factor if self._answer == "residual" else answer


def in_range(schedule: Schedule, factor: float) -> Schedule:
    """Returns the schedule with all levels multiplied by a factor.

    Args:
        schedule: a schedule of a family, or a list of levels.
        factor: factor of all levels, > 0.

    Raises:
        InputError: the schedule is of a kind whose levels cannot be scaled.
    """
    if factor == 1:
        return schedule
    if isinstance(schedule, ExplicitSchedule):
        return schedule.replace(sigmas=tuple(factor * sigma for sigma in schedule.sigmas))
    if not isinstance(schedule, SpacedSchedule):
        raise InputError(
            f"a schedule of another range must be one of a family, but got {schedule.short_kind()}:"
            " give the levels for data in [0, 1], and no value_range",
            "schedule",
        )
    ends = schedule.sigma_1 * factor, schedule.sigma_L * factor
    return schedule.replace(sigma_1=ends[0], sigma_L=ends[1])
