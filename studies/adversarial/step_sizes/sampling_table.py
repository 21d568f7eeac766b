"""The layout of Tables 1 to 3 of "Adversarial score matching and improved sampling".

Rows are annealed Langevin sampling (ALS) and consistent annealed sampling (CAS), each with one and
five steps per noise level. Columns are training by denoising score matching alone and adversarial
training. A cell shows the distances of raw and of denoised images, at the best step size of the
cell.

Each choice is made as in the paper, by a recorded search. For each column, the first search selects
the snapshot and the EMA decay by a partial distance: few images, CAS, one step per level, a step
size that is not tuned. The next search finds the step size for one step per level. Its best step
size is carried over to five steps per level and starts the search there. The adversarial searches
start from the best step size of the non-adversarial column.

Settings that follow the authors' code where the code differs from the paper's text are described in
`table_settings`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scorelib.data import DataSpec
from scorelib.samplers import Cas
from scorelib.schedules import GeometricSchedule
from scorelib.step_size import relative_step
from studies.adversarial.step_sizes.table_settings import COLUMNS, REPORTED_N_SIGMA, TableSettings
from studies.common.claims import between, denoising
from studies.common.distances import baselines, papers_protocol
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import PAPERS_SAMPLERS, SAMPLERS, initial_step_size
from studies.common.step_size_search import step_size_search
from tuning.cells import Cell, Search
from tuning.claims import Claim
from tuning.spaces import OneOf, ParameterSpace
from tuning.stages import OUTPUTS, FidProtocol, Output, SampleSpec, Score, Snapshot
from tuning.study import Study

METRICS: dict[Output, str] = {"raw": "fid", "denoised": "fid_denoised"}
"""Names of the metrics in `reported.csv`, by output ("raw" or "denoised" images)."""


@dataclass(frozen=True, kw_only=True)
class SamplingTable(Exhibit):
    """A table of the paper in this layout.

    Attributes:
        data: data set of the paper.
        schedule: noise schedule of the paper.
        helped: images that adversarial training improves, as the paper says.
        is_quickest_consistent: whether the paper finds consistent sampling better for denoised
            images with one step per level.
    """

    paper: str = "acsm"
    title: str = "Raw / denoised distance by sampler, each at its best step size"
    question: str = (
        "How do annealed Langevin sampling and consistent annealed sampling compare, with and "
        "without denoising and adversarial training, each at its own best step size?"
    )
    figures: tuple[str, ...] = ("step_sizes", "noise_schedules", "searches", "losses")
    data: DataSpec
    schedule: GeometricSchedule
    helped: tuple[Output, ...] = OUTPUTS
    is_quickest_consistent: bool = False


def build(exhibit: SamplingTable, scale: str, at: TableSettings, prefix: str = "") -> Study:
    """Returns the study of a table: the cells, and the searches that give their settings.

    Args:
        exhibit: the table.
        scale: "demo" or "paper".
        at: settings of the table.
        prefix: prefix of the names of rows and searches, for studies of several tables.
    """
    table = _Table(exhibit, at, prefix)
    searches: dict[str, Search] = {}
    cells = []
    for column in at.columns:
        selection = table.selection(column)
        searches[selection.name] = selection
        for name in PAPERS_SAMPLERS:
            earlier = searches.get(table.search_name(name, at.n_sigma[0], COLUMNS[0]))
            for n_sigma in at.n_sigma:
                search = table.step_size_search(name, n_sigma, column, selection, earlier)
                searches[search.name] = earlier = search
                cells.append(table.cell(name, n_sigma, column, search))
    return exhibit.study(
        scale,
        at,
        _by_row(cells),
        claims=_claims(exhibit, cells, at, prefix),
        searches=searches.values(),
        snapshots=(
            Snapshot(train=at.training(column), iteration=iteration)
            for column in at.columns
            for iteration in at.snapshots
        ),
        baselines=baselines(table.protocol),
    )


def _claims(
    exhibit: SamplingTable, cells: Sequence[Cell], at: TableSettings, prefix: str
) -> tuple[Claim, ...]:
    """Returns the paper's claims, which are about denoised images unless they say otherwise."""

    def label(name: str, n_sigma: int) -> str:
        return f"{prefix}{row_label(name, n_sigma)}"

    source = f"Section 6.1, {exhibit.label}" if exhibit.where else "Section 6.1"
    least = min(at.n_sigma)
    consistent = {label("cas", n): [label("als", n)] for n in at.n_sigma}
    quickest = {label("cas", least): consistent[label("cas", least)]}
    more = {
        label(name, n): [label(name, least)]
        for name in PAPERS_SAMPLERS
        for n in at.n_sigma
        if n > least
    }
    without, adversarial = COLUMNS
    improves = "adversarial training is better"
    hurts = {without: [adversarial]} if exhibit.helped != OUTPUTS else {}
    return (
        denoising(cells, "denoising lowers the distance", source),
        *(
            between(
                cells, f"more steps per level are better, {which} images", source,
                rows=more, quantities=(which,),
            )
            for which in OUTPUTS
        ),
        between(
            cells, "consistent sampling is better, raw images", source,
            rows=consistent, quantities=("raw",),
        ),
        between(
            cells, f"consistent sampling is better at n_sigma = {least}, denoised images", source,
            rows=quickest if exhibit.is_quickest_consistent else {},
        ),
        *(
            between(
                cells, f"{improves}, {which} images", source,
                columns={adversarial: [without]}, quantities=(which,),
            )
            for which in exhibit.helped
        ),
        between(
            cells, "adversarial training is not better, denoised images", source,
            columns=hurts, or_equal=True,
        ),
    )  # fmt: skip


def _by_row(cells: Sequence[Cell]) -> list[Cell]:
    """Returns the cells sorted by row, with rows in order of first appearance."""
    rows = list(dict.fromkeys(cell.row for cell in cells))
    return sorted(cells, key=lambda cell: rows.index(cell.row))


def row_label(name: str, n_sigma: int) -> str:
    """Returns the label of a row, in the paper's words.

    Args:
        name: sampler, "als" or "cas".
        n_sigma: steps per noise level.
    """
    return f"{'consistent' if name == 'cas' else 'non-consistent'} (n_sigma = {n_sigma})"


class _Table:
    """A builder of the searches and cells of a table.

    Args:
        exhibit: the table.
        at: settings of the table.
        prefix: prefix of the names of rows and searches.
    """

    def __init__(self, exhibit: SamplingTable, at: TableSettings, prefix: str) -> None:
        self._exhibit, self._at, self._prefix = exhibit, at, prefix
        self.protocol = FidProtocol(
            extractor=at.extractor, data=at.train.data, n_images=at.n_images, seeds="fresh"
        )

    def selection(self, column: str) -> Search:
        """Returns the search over snapshot and EMA decay of a column, by a partial distance."""
        at = self._at
        template = Score(
            sample=SampleSpec(
                model=Snapshot(train=at.training(column), iteration=at.iteration),
                ema=at.ema,
                sampler=Cas(epsilon=initial_step_size("cas", 1, at.train.schedule), n_sigma=1),
                start=at.start,
                chunk_images=at.chunk_images,
                precision=at.sampling_precision,
            ),
            protocol=self.protocol.replace(n_images=at.selection.n_images, seeds="search"),
        )
        iterations = tuple(at.snapshots)
        return Search(
            name=f"{self._prefix}snapshot and EMA, {column}",
            space=ParameterSpace(
                template=template,
                parameters=(
                    OneOf(name="iteration", path="sample.model.iteration", values=iterations),
                    OneOf(name="ema", path="sample.ema", values=at.train.ema),
                ),
            ),
            n_trials=at.selection.n_trials,
            starts=({"iteration": at.iteration, "ema": at.ema},),
            starts_from="the first choice",
        )

    def search_name(self, name: str, n_sigma: int, column: str) -> str:
        """Returns the name of the search over a step size."""
        return f"{self._prefix}{name} n_sigma={n_sigma}, {column}"

    def step_size_search(
        self, name: str, n_sigma: int, column: str, selection: Search, earlier: Search | None
    ) -> Search:
        """Returns the search over the step size of a cell, on the selected snapshot.

        Args:
            name: sampler, "als" or "cas".
            n_sigma: steps per noise level.
            column: column of the cell, one of `COLUMNS`.
            selection: search that selects the snapshot and the EMA decay.
            earlier: search whose best step size is carried over as the first start; None for no
                such search.
        """
        at, schedule = self._at, self._at.train.schedule
        start = at.search.start(name, n_sigma, schedule, is_first=n_sigma == at.n_sigma[0])
        sampler = SAMPLERS[name].of(start, n_sigma)
        return step_size_search(
            self.search_name(name, n_sigma, column),
            at.search,
            selection.space.sample.replace(sampler=sampler),
            self.protocol,
            after=earlier,
            model_of=selection,
        )

    def cell(self, name: str, n_sigma: int, column: str, search: Search) -> Cell:
        """Returns the cell of a sampler and a column, with the paper's numbers, if any."""
        return Cell(
            row=f"{self._prefix}{row_label(name, n_sigma)}",
            column=column,
            search=search,
            protocol=self.protocol,
            n_seeds=self._at.seeds,
            **self._reported(name, n_sigma, column),
        )

    def _reported(self, name: str, n_sigma: int, column: str) -> dict[str, Any]:
        """Returns the reported numbers of a cell, as keyword arguments of `Cell`."""
        exhibit = self._exhibit
        if not exhibit.where or n_sigma not in REPORTED_N_SIGMA:
            return {}
        row = f"sampler={name} n_sigma={n_sigma}"
        papers, schedule = papers_protocol(exhibit.data), exhibit.schedule
        epsilon = exhibit.reported(table="5", row=row, column=column, metric="epsilon").value
        return {
            "reported": {
                which: exhibit.reported(None, papers, row=row, column=column, metric=metric)
                for which, metric in METRICS.items()
            },
            "reported_epsilon": epsilon,
            "reported_r": relative_step(epsilon, schedule.sigma_L, schedule.gamma, n_sigma),
        }
