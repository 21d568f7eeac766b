"""The noise stage: the noise left in x through a walk with a perfect score.

No network and no data: the curve follows from the schedule and the sampler alone (see
`scorelib.exact.noise_level`).
"""

import json
from dataclasses import dataclass
from typing import ClassVar

from scorelib.exact.noise_level import noise_at, noise_by_level
from scorelib.samplers import AnnealedSampler
from scorelib.schedules import GeometricSchedule
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage

QUARTERS = {"L/4": 0.25, "L/2": 0.5, "3L/4": 0.75, "L": 1.0}
"""Shares of the way at which the noise is a result, by its name there."""


@dataclass(frozen=True, kw_only=True)
class NoiseLevel(Job):
    """Standard deviation of the noise in x, level by level.

    Attributes:
        schedule: the trained schedule.
        sampler: what walks down it.
    """

    KIND = "NoiseLevel"
    STAGE: ClassVar[Stage] = Stage("noise", 100, "score", assumed_seconds=1.0)

    schedule: GeometricSchedule
    sampler: AnnealedSampler

    def validate(self) -> None:
        """Refuses step sizes that theory does not admit."""
        self.sampler.require_admissible(self.schedule)

    def title(self) -> str:
        """What this job is."""
        name = self.sampler.short_kind().lower()
        return f"noise level of {name}, n_sigma {self.sampler.n_sigma}"

    def summary(self) -> str:
        """By formula."""
        return "exact"

    def run(self, at: ExecutionContext) -> Run:
        """Computes the curve; stores it, and its values at the quarters of the way."""
        yield Progress(0, 1, "curves")
        curve = noise_by_level(self.sampler, self.schedule)
        result = {name: noise_at(curve, share) for name, share in QUARTERS.items()}
        return Outcome(result=result, files={"levels.json": json.dumps(curve.tolist()).encode()})

    def levels(self, at: ExecutionContext) -> list[float]:
        """The finished curve: at the start and after each n_sigma updates, data units."""
        levels: list[float] = json.loads(at.read(self, "levels.json"))
        return levels
