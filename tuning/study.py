"""What a study is: the cells of a published table and the searches that fill them.

Plain data, made by a module of `studies`; everything below works from it. A cell takes its settings
from a search and measures them again with fresh seeds, or is measured at settings of its own. How
far a search goes (its number of trials, its ladder of sample counts) and how many seeds a cell has
are in no key: raising them extends what is there.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scorelib.errors import require_input
from scorelib.spec import Spec
from tuning.jobs import Job
from tuning.spaces import Rung, SearchSpace
from tuning.stages import OUTPUTS, Baseline, Frames, Protocol, SampleSpec, Score, TrainedWeights
from tuning.store.ledger import Values


@dataclass(frozen=True, eq=False)
class Search:
    """A search for the best values of a space.

    Attributes:
        name: how it is shown and selected.
        space: what is searched.
        n_trials: values tried, >= 1.
        starts: values tried first.
        ladder: further rungs; larger numbers of images extend those already there.
        after: a search of step sizes whose winner is carried over, by the paper's rule, as the
            first start.
        model_of: a search whose winner's snapshot and EMA decay this one's images come from.
        starts_from: where the starts come from, for people: "the paper's choice".
    """

    name: str
    space: SearchSpace
    n_trials: int
    starts: tuple[Values, ...]
    ladder: tuple[Rung, ...] = ()
    after: "Search | None" = None
    model_of: "Search | None" = None
    starts_from: str = ""


@dataclass(frozen=True)
class Reported:
    """A number as a paper reports it.

    Attributes:
        value: the number.
        source: where it stands.
        protocol: how it was measured; None if nothing of ours could be compared with it.
    """

    value: float
    source: str
    protocol: Protocol | None = None


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of a table: some quantities, from a search's winner or at settings of its own.

    At most one of `search`, `sample` and `job` is given; with none the cell only shows what the
    paper reports.

    Attributes:
        row: the row's label.
        column: the column's label.
        section: rows that belong together and have figures of their own; "" where there is one.
        search: measured is its winner, on fresh seeds.
        sample: measured are these images, on fresh seeds.
        job: measured is this job's result.
        repeats: the same job with other training seeds; measured are all, `n_seeds` together.
        protocol: how images are measured; needed with `search` and `sample`.
        n_seeds: fresh seeds, or training seeds of jobs, >= 1.
        frames: pictures of the images along the chain, beside those at its end; 0 for none.
        quantities: what the cell shows of a result, in order.
        reported: the paper's values, by quantity.
        reported_epsilon: the paper's step size.
        reported_r: the same in units of the schedule-following step, on the paper's schedule.
    """

    row: str
    column: str
    section: str = ""
    search: Search | None = None
    sample: SampleSpec | None = None
    job: Job | None = None
    repeats: tuple[Job, ...] = ()
    protocol: Protocol | None = None
    n_seeds: int = 1
    frames: int = 0
    quantities: tuple[str, ...] = OUTPUTS
    reported: Mapping[str, Reported] = field(default_factory=dict)
    reported_epsilon: float | None = None
    reported_r: float | None = None

    def __post_init__(self) -> None:
        """Refuses cells that are to be measured in two ways, or in none that is known."""
        given = [way for way in (self.search, self.sample, self.job) if way is not None]
        needs_protocol = self.search is not None or self.sample is not None
        require_input(
            len(given) < 2 and (self.protocol is not None or not needs_protocol),
            f"the cell {self.name} must be measured in one way, by a protocol",
        )
        if self.job is not None:
            jobs = 1 + len(self.repeats)
            require_input(
                self.n_seeds == jobs,
                f"the cell {self.name} has {jobs} jobs, n_seeds {self.n_seeds}",
            )

    @property
    def name(self) -> str:
        """Row and column."""
        return f"{self.row}, {self.column}"

    @property
    def lower_is_better(self) -> bool | None:
        """Which direction of its numbers is better; None where neither is."""
        measure = self.protocol or self.job
        return measure.lower_is_better if measure else None

    @property
    def is_measured(self) -> bool:
        """Whether this study fills the cell."""
        return any(way is not None for way in (self.search, self.sample, self.job))

    def jobs(self, best: Score | None) -> tuple[Job, ...]:
        """The jobs that make up the cell: one, or one per fresh seed and that of the frames.

        Args:
            best: the winner's score; None while there is none.
        """
        if self.job is not None:
            return (self.job, *self.repeats)
        sample = best.sample if self.search and best else self.sample
        if sample is None or self.protocol is None:
            return ()
        samples = [sample.replace(seed=seed) for seed in range(1, self.n_seeds + 1)]
        scores = tuple(Score(sample=each, protocol=self.protocol) for each in samples)
        frames = (Frames(sample=samples[0], n_frames=self.frames),) if self.frames else ()
        return (*scores, *frames)


@dataclass(frozen=True, eq=False)
class Curve:
    """A quantity against the iterations of training.

    Attributes:
        panel: what is measured, for the vertical axis; curves of a panel are drawn together.
        label: what was trained.
        quantity: which of the jobs' quantities.
        points: by iteration, the jobs, one for each training seed.
    """

    panel: str
    label: str
    quantity: str
    points: Mapping[int, tuple[Job, ...]]


@dataclass(frozen=True, eq=False)
class Study:
    """A published table to be filled.

    Attributes:
        name: as in ``python -m studies.run NAME``.
        scale: "demo" or "paper".
        paper: short name of the paper.
        exhibit: which table, figure or appendix: "Table 1".
        title: its caption, in our words.
        question: what the study asks, for people.
        settings: everything that defines it.
        cells: the table's cells, row by row.
        searches: in the order they should be served; those others rest on first.
        snapshots: training to be done whether or not a cell needs it.
        baselines: known distances, for the table's foot.
        curves: what is drawn against iterations.
        figures: names of what is drawn of the results (`dashboards.figures`), in order.
        notes: what else has to be said under the table.
    """

    name: str
    scale: str
    paper: str
    exhibit: str
    title: str
    question: str
    settings: Spec
    cells: tuple[Cell, ...]
    searches: tuple[Search, ...] = ()
    snapshots: tuple[TrainedWeights, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    curves: tuple[Curve, ...] = ()
    figures: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Name and scale, as locks, documents and pictures of a store are called."""
        return f"{self.name}-{self.scale}"

    @property
    def fixed_jobs(self) -> tuple[Job, ...]:
        """Jobs that depend on no search."""
        own = (job for cell in self.cells if cell.search is None for job in cell.jobs(None))
        drawn = (job for curve in self.curves for jobs in curve.points.values() for job in jobs)
        return (*self.snapshots, *self.baselines, *own, *drawn)

    @property
    def known_jobs(self) -> tuple[Job, ...]:
        """The jobs that depend on no search, and the first of each search: what it is all like."""
        first = (search.space.score(search.starts[0]) for search in self.searches)
        return (*self.fixed_jobs, *first)
