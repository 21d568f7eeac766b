"""The description of a study: the cells of a published table and the searches that fill them.

A study is plain data, built by a module of the package `studies`; the rest of the engine works from
this data.
"""

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field

from scorelib.errors import require_input
from scorelib.spec import Spec, require_types
from scorelib.unicode_forms import letters
from tuning.cells import Cell, Search
from tuning.claims import Claim, Place
from tuning.jobs import Job
from tuning.stages import (
    Baseline,
)

_DIGITS = 8
OWN_DIGEST = rf"\.[0-9a-f]{{{_DIGITS}}}"
"""What follows the name of a user's study in a store, as a regular expression."""


@dataclass(frozen=True, eq=False)
class Curve:
    """A curve of a quantity against training iterations.

    Attributes:
        panel: label of the vertical axis; curves with the same panel are drawn together.
        label: name of the trained model or method.
        quantity: name of the quantity in the results of the jobs.
        points: jobs by iteration, one job for each training seed.
    """

    panel: str
    label: str
    quantity: str
    points: Mapping[int, tuple[Job, ...]]

    def __post_init__(self) -> None:
        """Raises InputError if a field has a value of the wrong type."""
        require_types(self)


@dataclass(frozen=True, kw_only=True)
class NoSettings(Spec):
    """The settings of a study that has none."""

    KIND = "NoSettings"


def full_name(name: str, kind: str) -> str:
    """Returns a study's name in the store: a user's study has a digest of its kind behind it."""
    digest = hashlib.sha256(kind.encode()).hexdigest()[:_DIGITS]
    return f"{name}.{digest}" if kind else name


def _require_one_form(names: Iterable[str], what: str) -> None:
    """Raises InputError if two different names have the same letters.

    Args:
        names: names that are shown to users, who could not tell the two apart.
        what: what the names are, such as "rows", for the message.
    """
    known: dict[str, str] = {}
    for name in names:
        other = known.setdefault(letters(name), name)
        require_input(
            other == name,
            f"the {what} must have different letters, but {other!a} and {name!a} are the same "
            "letters in two Unicode forms: write one of them",
        )


@dataclass(frozen=True, eq=False)
class Study:
    """A published table and the jobs and searches that fill it.

    Attributes:
        cells: cells of the table, row by row.
        name: name of the study, as in ``python -m studies.run NAME``; a study in a file is named
            after the file unless the study has a name.
        scale: name of the scale, such as "demo" or "paper".
        paper: short name of the paper.
        exhibit: table, figure or appendix of the paper, such as "Table 1".
        title: caption of the table, paraphrased.
        question: question that the study answers, for display.
        settings: spec that defines the whole study.
        kind: name that tells a user's study from other studies of the same name on one store; ""
            for a study of the project.
        searches: searches in order of priority; a search comes after the searches it depends on.
        snapshots: snapshots that are trained, or weights that are imported, whether or not a cell
            needs them.
        baselines: reference distances, shown under the table.
        curves: curves over training iterations.
        figures: names of the figures of the results (`dashboards.figures`), in order.
        claims: claims of the paper about the numbers of the table, in order.
        notes: further notes, shown under the table.
    """

    cells: tuple[Cell, ...]
    name: str = ""
    scale: str = "demo"
    paper: str = ""
    exhibit: str = "Table"
    title: str = ""
    question: str = ""
    settings: Spec = field(default_factory=NoSettings)
    kind: str = ""
    searches: tuple[Search, ...] = ()
    snapshots: tuple[Job, ...] = ()
    baselines: tuple[Baseline, ...] = ()
    curves: tuple[Curve, ...] = ()
    figures: tuple[str, ...] = ()
    claims: tuple[Claim, ...] = ()
    notes: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        """Raises InputError if a field or a claim is wrong, or if labels look the same."""
        require_types(self)
        _require_one_form((cell.row for cell in self.cells), "rows")
        _require_one_form((cell.column for cell in self.cells), "columns")
        _require_one_form((search.name for search in self.searches), "searches")
        directions = {
            Place(cell.row, cell.column, quantity): cell.lower_is_better
            for cell in self.cells
            if cell.is_measured and self.claims
            for quantity in cell.quantities
        }
        for claim in self.claims:
            claim.require_known(directions)

    @property
    def id(self) -> str:
        """The name and scale; locks, documents and pictures in the store have this name.

        The name of a user's study has a digest of its kind behind it.
        """
        return f"{self.full_name}-{self.scale}"

    @property
    def full_name(self) -> str:
        """The name in the store, in MLflow and in Optuna: see `full_name`."""
        return full_name(self.name, self.kind)

    @property
    def fixed_jobs(self) -> tuple[Job, ...]:
        """The jobs that depend on no search."""
        own = (job for cell in self.cells if cell.search is None for job in cell.jobs(None))
        drawn = (job for curve in self.curves for jobs in curve.points.values() for job in jobs)
        return (*self.snapshots, *self.baselines, *own, *drawn)

    def specs(self) -> Iterator[Spec]:
        """Yields the specs that results and proposals of the study depend on, with nested specs.

        A spec is yielded once for each occurrence.
        """
        for job in self.known_jobs:
            yield from job.parts()
        for cell in self.cells:
            yield from cell.protocol.parts() if cell.protocol else ()
        for search in self.searches:
            yield from search.space.parts()

    @property
    def known_jobs(self) -> tuple[Job, ...]:
        """The jobs that depend on no search and the first trial's job of each search.

        These jobs are known before any search has run and represent the kinds of jobs of the study.
        """
        first = (
            search.space.score(values)
            for search in self.searches
            for values in (search.starts or search.space.placeholder_values(1, ()))[:1]
        )
        return (*self.fixed_jobs, *first)
