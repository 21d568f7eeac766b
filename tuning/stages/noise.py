"""The noise stage: the noise that remains in x during sampling with a perfect score.

The stage needs neither a network nor data: the curve follows from the schedule and the sampler
alone (see `scorelib.exact.noise_level`).
"""

import json
from dataclasses import dataclass
from typing import ClassVar

from scorelib.exact.noise_level import noise_at, noise_by_level
from scorelib.samplers import AnnealedSampler
from scorelib.schedules import GeometricSchedule
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Run, Stage

QUARTERS = {"L/4": 0.25, "L/2": 0.5, "3L/4": 0.75, "L": 1.0}
"""Names of the results, with the share of the sampling run at which each noise is taken."""


@dataclass(frozen=True, kw_only=True)
class NoiseLevel(Job):
    """The standard deviation of the noise in x, level by level.

    Its result has the noise at each quarter of the sampling run (`QUARTERS`), in data units.

    Attributes:
        schedule: noise schedule of the training.
        sampler: annealed sampler with its step size.
    """

    KIND = "NoiseLevel"
    STAGE: ClassVar[Stage] = Stage("noise", 100, "score", assumed_seconds=1.0)

    schedule: GeometricSchedule
    sampler: AnnealedSampler

    def validate(self) -> None:
        """Raises InputError if theory does not admit the step size of the sampler."""
        self.sampler.require_admissible(self.schedule)

    def title(self) -> str:
        """Returns the title shown for the job."""
        name = self.sampler.short_kind().lower()
        return f"noise level of {name}, n_sigma {self.sampler.n_sigma}"

    def summary(self) -> str:
        """Returns how the numbers are obtained: exactly, by a formula."""
        return "exact"

    def run(self, at: ExecutionContext) -> Run:
        """Computes the curve and its values at the quarters, and stores both; see `Job.run`."""
        yield Progress(0, 1, "curves")
        curve = noise_by_level(self.sampler, self.schedule)
        result = {name: noise_at(curve, share) for name, share in QUARTERS.items()}
        return Outcome(result=result, files={"levels.json": json.dumps(curve.tolist()).encode()})

    def levels(self, at: ExecutionContext) -> list[float]:
        """Returns the finished curve: noise at the start and every n_sigma updates, data units.

        Raises:
            MissingInputError: the curve is not stored, or was found corrupt.
        """
        levels: list[float] = json.loads(at.read(self, "levels.json"))
        return levels
