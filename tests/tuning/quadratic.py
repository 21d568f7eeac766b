"""A job with a known best value, as a user might write one, and studies that search it."""

from dataclasses import dataclass
from typing import ClassVar

from tuning.cells import Cell, Search
from tuning.jobs import Job, Outcome, Progress, Stage
from tuning.spaces import Objective, OneOf, Range, SweepSpace
from tuning.study import Study

BEST_X, BEST_Y, LOWEST = 0.3, 1e-2, -5.0
RANGES = (
    Range(name="x", path="x", low=-1.0, high=1.0),
    Range(name="y", path="y", low=1e-4, high=1.0, log=True),
)
COUNTS = (
    OneOf(name="kind", path="kind", values=("a", "b")),
    Range(name="n", path="n", low=1, high=3, whole=True),
    Range(name="x", path="x", low=0.0, high=1.0, points=3),
)


@dataclass(frozen=True, kw_only=True)
class Quadratic(Job):
    """A bowl in x and log10 y, with its minimum of -5 at (0.3, 1e-2); "negative" is its mirror."""

    STAGE: ClassVar[Stage] = Stage("quadratic", 5, "score", assumed_seconds=0.01)

    x: float = 0.0
    y: float = 1.0
    n: int = 1
    kind: str = "a"
    seed: int = 0
    returns: str = "numbers"

    def validate(self):
        """Refuses one combination of values."""
        from scorelib.errors import require_input

        require_input((self.kind, self.n) != ("b", 3), "b must not have n = 3")

    def title(self):
        return "a bowl"

    def run(self, at):
        import math

        yield Progress(0, 1, "steps")
        value = LOWEST + (self.x - BEST_X) ** 2 + (math.log10(self.y / BEST_Y) / 4) ** 2
        value += 0.1 * self.seed
        if self.returns == "nothing":
            return None
        if self.returns == "nan" and self.x > 0.5:
            return Outcome({"value": math.nan})
        if self.returns == "raises":
            raise ValueError("no bowl")
        if self.returns == "text":
            return Outcome({"value": "low", "other": 1.0})
        return Outcome({"value": value, "negative": -value, "x": self.x})


def space(strategy="tpe", parameters=RANGES, objectives=("value",), job=None, **fields):
    """Returns a sweep of the bowl; an objective with "-" before its name is raised."""
    found = tuple(
        Objective(name=name.strip("-"), number=name.strip("-"), lower=not name.startswith("-"))
        for name in objectives
    )
    return SweepSpace(
        template=job or Quadratic(), parameters=tuple(parameters), objectives=found,
        strategy=strategy, **{"round_size": 4} | fields,
    )  # fmt: skip


def study(of, n_trials=40, **fields):
    """Returns a study of one search over a space, with one cell."""
    search = Search(name="bowl", space=of, n_trials=n_trials, starts=())
    names = tuple(o.number for o in of.objectives)
    cell = Cell(row="best", column="bowl", search=search, quantities=names, **fields)
    return Study(cells=(cell,), searches=(search,), name="bowls", figures=("searches",))
