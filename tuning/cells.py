"""The cells of a table and the searches that fill them.

A cell either takes the best settings of a search and measures them again with fresh seeds, or is
measured at settings of its own. The size of a search (its number of trials, its ladder of sample
counts) and the number of seeds of a cell are part of no content key, so raising these numbers
extends the stored results.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from scorelib.errors import require_input
from scorelib.spec import require_types
from tuning.jobs import Job
from tuning.spaces import Rung, SearchSpace
from tuning.spaces.base import scores_of
from tuning.stages import (
    OUTPUTS,
    Frames,
    Nearest,
    Protocol,
    SampleSize,
    SampleSpec,
    Score,
)
from tuning.store.ledger import Values

TOLERANCE = 0.01
"""Expected improvement, relative to the best value, below which a search ends."""


@dataclass(frozen=True, eq=False)
class Search:
    """A search for the best values in a search space.

    Attributes:
        name: name by which the search is shown and selected.
        space: search space.
        n_trials: largest number of trials, >= 1; the number of trials of a space that has no rule
            to end a search.
        starts: values of the first trials.
        ladder: further rungs of the fidelity ladder; a rung with more images extends the images
            already generated.
        after: search over step sizes; its best step size, converted by the paper's rule, is the
            first start of this search.
        model_of: search that selects the snapshot and EMA decay from which the images of this
            search are sampled.
        starts_from: origin of the starts, for display, such as "the paper's choice".
        tolerance: expected improvement, relative to the best value, below which a search with
            bracketed best trials ends, >= 0; 0 for a search of `n_trials` trials.
    """

    name: str
    space: SearchSpace
    n_trials: int
    starts: tuple[Values, ...]
    ladder: tuple[Rung, ...] = ()
    after: "Search | None" = None
    model_of: "Search | None" = None
    starts_from: str = ""
    tolerance: float = TOLERANCE

    @property
    def ends_early(self) -> bool:
        """Whether the search may end before its cap."""
        return self.tolerance > 0 and self.space.ENDS_EARLY

    @property
    def budget(self) -> str:
        """The number of trials in words, such as "up to 16"."""
        return f"up to {self.n_trials}" if self.ends_early else str(self.n_trials)

    def __post_init__(self) -> None:
        """Raises InputError if a field has a value of the wrong type."""
        require_types(self)


@dataclass(frozen=True)
class Reported:
    """A number that a paper reports.

    Attributes:
        value: the number.
        source: place of the number in the paper.
        protocol: protocol of the measurement; None if no result of a study can be compared with the
            number.
        n_images: number of generated examples that the number was measured on; None if the paper
            does not state it or the number depends on no examples.
    """

    value: float
    source: str
    protocol: Protocol | None = None
    n_images: int | None = None

    @property
    def described(self) -> str | None:
        """The protocol or, if only that is known, the number of examples; None if neither is."""
        if self.protocol:
            return self.protocol.describe()
        return None if self.n_images is None else f"{self.n_images:,} samples"


@dataclass(frozen=True, eq=False)
class Cell:
    """A cell of a table: quantities measured at the best values of a search or at fixed settings.

    At most one of `search`, `sample` and `job` is given. With none of them, the cell shows only the
    numbers that the paper reports.

    Attributes:
        row: label of the row.
        column: label of the column.
        section: name of a group of rows with figures of its own; "" if the table has one group.
        search: search whose best values the cell measures, on fresh seeds.
        sample: images that the cell measures, on fresh seeds.
        job: job whose result the cell shows.
        repeats: the same job with other seeds, of a training or of images; the cell shows all
            `n_seeds` jobs together.
        protocol: protocol that measures the images; required with `sample` and with a `search` over
            scores, None with a search over other jobs.
        n_seeds: number of fresh seeds; with `job`, the number of jobs, 1 and one more for each
            repeat; >= 1.
        sample_size: number of images of the reported number; how much of the distance is due to the
            number of images alone is then estimated (`SampleSize`). 0 for no estimate.
        frames: number of pictures of the images along the sampling chain, in addition to the final
            images, at most one for each update; 0 for none.
        nearest: number of the first images that are shown beside their nearest training images
            (`Nearest`); 0 for none.
        quantities: names of the quantities that the cell shows, in order.
        reported: numbers that the paper reports, by quantity.
        reported_epsilon: step size that the paper reports.
        reported_r: the same step size in units of the schedule-following step, on the paper's
            schedule.
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
    sample_size: int = 0
    frames: int = 0
    nearest: int = 0
    quantities: tuple[str, ...] = OUTPUTS
    reported: Mapping[str, Reported] = field(default_factory=dict)
    reported_epsilon: float | None = None
    reported_r: float | None = None

    def __post_init__(self) -> None:
        """Raises InputError unless the fields describe at most one complete way to measure."""
        require_types(self)
        given = [way for way in (self.search, self.sample, self.job) if way is not None]
        searched = self.search.space.template if self.search else None
        needs_protocol = isinstance(searched, Score) or self.sample is not None
        require_input(
            len(given) < 2 and (self.protocol is not None or not needs_protocol),
            f"the cell {self.name} must set at most one of search, sample and job, and a protocol "
            f"with search or sample, but got {len(given)} of the three and "
            f"{'a' if self.protocol else 'no'} protocol",
        )
        if self.job is not None:
            jobs = 1 + len(self.repeats)
            require_input(
                self.n_seeds == jobs,
                f"n_seeds of the cell {self.name} must equal its {jobs} jobs, but got "
                f"{self.n_seeds}",
            )

    @property
    def name(self) -> str:
        """The labels of the row and column, separated by a comma."""
        return f"{self.row}, {self.column}"

    @property
    def lower_is_better(self) -> bool | None:
        """Whether lower numbers are better; None if neither direction is better."""
        measure = self.protocol or self.job
        if measure is None and self.search is not None:
            return self.search.space.lower_is_better[0]
        return measure.lower_is_better if measure else None

    @property
    def n_images(self) -> int | None:
        """Number of generated examples that our number depends on; None if there is none."""
        if self.protocol is not None:
            return self.protocol.n_images
        found = getattr(self.job, "n_images", None)
        return int(found) if found is not None else None

    def papers_samples(self, quantity: str) -> str:
        """Returns the number of examples of a reported number, in words, if it is not ours.

        Most metrics depend on the number of examples, so a number measured on another number of
        examples must not stand beside ours without a remark. Numbers with a protocol need no
        remark, because the protocol is printed below the table.

        Args:
            quantity: quantity with a reported number.

        Returns:
            The number, such as "26,000 samples" or "unstated number of samples"; "" if it equals
            ours, or if our number depends on no examples.
        """
        of = self.reported[quantity]
        if of.protocol or self.n_images in (None, of.n_images):
            return ""
        return of.described or "unstated number of samples"

    @property
    def is_measured(self) -> bool:
        """Whether the study measures the cell."""
        return any(way is not None for way in (self.search, self.sample, self.job))

    def jobs(self, best: Job | None) -> tuple[Job, ...]:
        """Returns the jobs whose results fill the cell.

        Args:
            best: job of the search's best values; None while there is none.

        Returns:
            `job` and its repeats, or one score per fresh seed and the jobs of the sample size and
            of the frames. Empty if
            the cell is not measured or `best` is needed and None.
        """
        if self.job is not None:
            return (self.job, *self.repeats)
        jobs: tuple[Job, ...] = ()
        if self.search is not None and best is not None:
            jobs = self.search.space.fresh(best, self.protocol, self.n_seeds)
        elif self.sample is not None and self.protocol is not None:
            jobs = scores_of(self.sample, self.protocol, self.n_seeds)
        if jobs and isinstance(first := jobs[0], Score):
            if self.sample_size:
                jobs = (*jobs, SampleSize(score=first, n_reported=self.sample_size))
            is_image = len(first.sample.target.shape) == 3
            if self.frames and is_image:
                most = first.sample.sampler.n_evaluations(first.sample.model.levels)
                n_frames = min(self.frames, most)
                jobs = (*jobs, Frames(sample=first.sample, n_frames=n_frames))
            if self.nearest and is_image:
                of = first.protocol.extractor
                jobs = (*jobs, Nearest(sample=first.sample, extractor=of, n_images=self.nearest))
        return jobs
