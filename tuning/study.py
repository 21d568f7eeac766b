"""What a study is: the cells of a published table and the searches that fill them.

Plain data, made by a module of `studies`; everything below works from it. A cell takes its step
size from a search and measures it again with fresh seeds. How far a search goes (its number of
trials, its ladder of sample counts) and how many seeds a cell has are in no key: raising them
extends what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from scorelib.spec import Spec
from tuning.jobs import Job, require_input
from tuning.stages import FidProtocol, Objective, SampleSpec, Score, Snapshot, Yardstick


@dataclass(frozen=True, kw_only=True)
class SearchSpace(Spec):
    """What a search varies and minimises: its identity, and the seed of its proposals.

    Attributes:
        sample: images to generate; epsilon of its sampler is the one thing varied.
        protocol: how a trial is measured, on the ladder's first number of images.
        objective: which distance is minimised.
        round_size: trials proposed together, >= 1; results count only when a round is complete, so
            a search does not depend on which trial ends first.
    """

    sample: SampleSpec
    protocol: FidProtocol
    objective: Objective = "denoised"
    round_size: int = 1

    def validate(self) -> None:
        """Refuses empty rounds."""
        require_input(self.round_size >= 1, f"round_size must be at least 1; got {self.round_size}")

    def score(self, epsilon: float, n_images: int) -> Score:
        """The score of one step size on a number of images."""
        sampler = self.sample.sampler.replace(epsilon=epsilon)
        return Score(
            sample=self.sample.replace(sampler=sampler),
            protocol=self.protocol.replace(n_images=n_images),
        )


@dataclass(frozen=True, kw_only=True)
class Proposals(Spec):
    """A sequence of proposals: what its ledger is kept under.

    Attributes:
        space: what is searched.
        starts: step sizes proposed first.
    """

    space: SearchSpace
    starts: tuple[float, ...]


@dataclass(frozen=True)
class Rung:
    """A step of the fidelity ladder: the best `keep` trials are measured on `n_images`."""

    n_images: int
    keep: int


@dataclass(frozen=True, eq=False)
class Search:
    """A search for a step size.

    Attributes:
        name: how it is shown and selected.
        space: what is searched.
        n_trials: step sizes tried, >= 1.
        starts: step sizes tried first.
        ladder: further rungs; larger numbers of images extend those already there.
        after: a search whose winner is carried over, by the paper's rule, as the first start.
    """

    name: str
    space: SearchSpace
    n_trials: int
    starts: tuple[float, ...]
    ladder: tuple[Rung, ...] = ()
    after: "Search | None" = None


@dataclass(frozen=True)
class Reported:
    """A number as a paper reports it.

    Attributes:
        value: the number.
        protocol: how it was measured.
        source: where it stands.
    """

    value: float
    protocol: FidProtocol
    source: str


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of a table: raw and denoised distance of a search's winner.

    Attributes:
        row: the row's label.
        column: the column's label.
        search: where its step size comes from; None for a cell not measured yet by any study.
        protocol: how it is measured (with fresh seeds).
        n_seeds: fresh seeds, >= 1.
        reported: the paper's values, by "raw" and "denoised".
        reported_epsilon: the paper's step size.
        reported_r: the same in units of the schedule-following step, on the paper's schedule.
    """

    row: str
    column: str
    search: Search | None
    protocol: FidProtocol
    n_seeds: int
    reported: Mapping[Objective, Reported]
    reported_epsilon: float
    reported_r: float

    @property
    def name(self) -> str:
        """Row and column."""
        return f"{self.row}, {self.column}"

    def scores(self, epsilon: float) -> tuple[Score, ...]:
        """The scores that make up the cell, one per fresh seed."""
        assert self.search is not None
        measured = self.search.space.score(epsilon, self.protocol.n_images)
        return tuple(
            Score(sample=measured.sample.replace(seed=seed), protocol=self.protocol)
            for seed in range(1, self.n_seeds + 1)
        )


@dataclass(frozen=True, eq=False)
class Study:
    """A published table to be filled.

    Attributes:
        name: as in ``python -m studies.run NAME``.
        scale: "demo" or "paper".
        paper: short name of the paper.
        table: which table.
        title: its caption, in our words.
        question: what the study asks, for people.
        settings: everything that defines it.
        cells: the table's cells, row by row.
        searches: in the order they should be served.
        snapshots: training to be done whether or not a cell needs it.
        yardsticks: known distances, for the table's foot.
    """

    name: str
    scale: str
    paper: str
    table: str
    title: str
    question: str
    settings: Spec
    cells: tuple[Cell, ...]
    searches: tuple[Search, ...]
    snapshots: tuple[Snapshot, ...]
    yardsticks: tuple[Yardstick, ...] = ()

    @property
    def fixed_jobs(self) -> tuple[Job, ...]:
        """Jobs that depend on no search."""
        return (*self.snapshots, *self.yardsticks)
