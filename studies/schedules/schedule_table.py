"""The form of the tables of a report on noise schedules for NCSN.

Rows: the families of noise schedules. Columns: few levels from a low sigma_1, as in the first NCSN,
and many from a high one. For each, a noise conditional score network is trained on the schedule and
sampled by annealed Langevin sampling on the same. As in the report, the snapshot is chosen by the
distance of a few raw images: all snapshots on `search_images`, the best `keep` of them again on
`n_images`, which leave the winner; the cell is that winner on as many images of fresh seeds.

The sampler is that of Song and Ermon (2019): ``x + alpha_i / 2 score + sqrt(alpha_i) z``, where
``alpha_i = e sigma_i^2 / sigma_L^2``, T times at each level. It is our `Als` with
``epsilon = e / 2`` and ``n_sigma = T`` (`scorelib.step_size.epsilon_of_langevin_step`). At e = 2e-5
and sigma_L = .01 an update goes a tenth of the way to the denoised sample, on every schedule.

Differences from the report, in all these studies:

- its formulas of the cosine and sigmoid families do not end at sigma_L, by mistake as its own
  numbers show: `scorelib.schedules`;
- it reports the distance of the images its snapshot was chosen by, or does not say; ours are fresh,
  and so not flattered;
- it shows raw images only; those denoised at the end are beside them here, and choose nothing;
- chains start from N(0, sigma_1^2); the authors of NCSN, and so perhaps the report, from U[0, 1].

Source: A. Spagnoletti, A. Ratouchniak and D. Aubakirova, Denoising score matching for diffusion
models (a report), Section 7. NCSN: Song and Ermon 2019, https://arxiv.org/abs/1907.05600.
"""

from dataclasses import dataclass

from scorelib.data import DataSpec
from scorelib.errors import require_input
from scorelib.metrics.features import Extractor
from scorelib.networks import Ncsn
from scorelib.samplers import Als
from scorelib.schedules import SCHEDULES, GeometricSchedule, Schedule
from scorelib.step_size import epsilon_of_langevin_step
from studies.common.distances import baselines, papers_protocol
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from studies.common.snapshots import require_snapshot, snapshot_iterations
from tuning.spaces import OneOf, ParameterSpace, Rung
from tuning.stages import FidProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.study import Cell, Reported, Search, Study

REPORT = "schedules"
FEW_LEVELS = GeometricSchedule(sigma_1=1.0, sigma_L=0.01, n_levels=10)
"""The few levels of the first NCSN, and of the report."""


@dataclass(frozen=True, kw_only=True)
class LevelSettings(StudySettings):
    """What is trained and sampled.

    Attributes:
        train: training run; each row puts its schedule there, in the network too if it is an NCSN.
        few: ends and number of the few levels; None, in a study without them, for no such column.
        many: of the many levels.
        langevin_step: the step e of Song and Ermon, data units squared.
        n_sigma: their T, updates at each level.
        iterations: length of the trainings.
        snapshot_every: iterations between snapshots.
        chunk_images: images per sampling job.
        n_images: images per cell and seed.
    """

    KIND = "LevelSettings"

    train: TrainSpec
    few: GeometricSchedule | None = FEW_LEVELS
    many: GeometricSchedule
    langevin_step: float = 2e-5
    n_sigma: int = 100
    iterations: int
    snapshot_every: int
    chunk_images: int = 500
    n_images: int

    def validate(self) -> None:
        """Refuses lengths that leave no snapshot at the end, and steps that no level admits."""
        require_snapshot(self.iterations, self.snapshots, "iterations")
        for levels in self.columns.values():
            self.sampler.require_admissible(levels)

    @property
    def snapshots(self) -> range:
        """Iterations at which snapshots are made."""
        return snapshot_iterations(self.snapshot_every, self.iterations)

    @property
    def columns(self) -> dict[str, GeometricSchedule]:
        """Ends and numbers of levels, by the column's label."""
        given = (levels for levels in (self.few, self.many) if levels)
        return {f"L = {g.n_levels}, sigma_1 = {g.sigma_1:g}": g for g in given}

    @property
    def sampler(self) -> Als:
        """Annealed Langevin sampling."""
        epsilon = epsilon_of_langevin_step(self.langevin_step)
        return Als(epsilon=epsilon, n_sigma=self.n_sigma)

    def sample(self, family: str, levels: GeometricSchedule, seed: int = 0) -> SampleSpec:
        """Images of the last snapshot of a training on the levels of a family."""
        train = self.train.replace(schedule=of_family(family, levels))
        if isinstance(train.network, Ncsn):
            train = train.replace(network=train.network.replace(schedule=train.schedule))
        return SampleSpec(
            model=Snapshot(train=train, iteration=self.iterations),
            ema=train.ema[0],
            sampler=self.sampler,
            chunk_images=self.chunk_images,
            seed=seed,
        )


def of_family(family: str, levels: GeometricSchedule) -> Schedule:
    """The schedule of a family with given ends and number of levels.

    Raises:
        InputError: no such family.
    """
    require_input(
        family in SCHEDULES, f"families must be of {', '.join(SCHEDULES)}; got {family!r}"
    )
    return SCHEDULES[family](
        sigma_1=levels.sigma_1, sigma_L=levels.sigma_L, n_levels=levels.n_levels
    )


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings(LevelSettings):
    """Everything that defines such a study at a scale.

    Attributes:
        families: of schedules, a row each, by their names in `scorelib.schedules`; the report's
            five, whatever others there are.
        extractor: features of the distances.
        search_images: images by which the snapshots are first compared.
        keep: how many of them are compared again, on `n_images`.
        seeds: fresh seeds each cell is measured with.
        frames: pictures along the chain for each cell, of a few images; 0 for none.
    """

    KIND = "ScheduleSettings"

    families: tuple[str, ...] = ("geometric", "linear", "cosine", "squared_cosine", "sigmoid")
    extractor: Extractor
    search_images: int = 1000
    keep: int = 1
    seeds: int
    frames: int = 10

    def validate(self) -> None:
        """Refuses families there are not, and ladders that keep nothing."""
        super().validate()
        for family in self.families:
            of_family(family, self.many)
        require_input(
            min(self.keep, self.seeds, len(self.families)) >= 1,
            "keep and seeds must be at least 1, and families not empty; got "
            f"{self.keep}, {self.seeds} and {self.families}",
        )
        require_input(
            self.search_images <= self.n_images,
            f"search_images must be at most n_images; got {self.search_images} and {self.n_images}",
        )


@dataclass(frozen=True, kw_only=True)
class ScheduleTable(Exhibit):
    """One of these tables.

    Attributes:
        data: the report's data set; None if how its numbers were measured is not known well enough
            to compare any with them.
        source: where its numbers stand.
        levels: the levels they are of.
        families: the families they are of, with these levels.
    """

    paper: str = REPORT
    question: str = "Which family of noise schedules makes the best images?"
    figures: tuple[str, ...] = ("noise_schedules", "searches", "losses")
    data: DataSpec | None
    source: str
    levels: str
    families: tuple[str, ...]


def build(exhibit: ScheduleTable, scale: str, at: ScheduleSettings) -> Study:
    """The study of one of these tables: a search over snapshots for each of its cells."""
    protocol = FidProtocol(
        extractor=at.extractor, data=at.train.data, n_images=at.n_images, seeds="fresh"
    )
    cells = []
    for family in at.families:
        for column, levels in at.columns.items():
            is_reported = levels is at.many and family in exhibit.families
            cells.append(
                Cell(
                    row=family.replace("_", " "),
                    column=column,
                    search=_search(at, family, column, levels, protocol),
                    protocol=protocol,
                    n_seeds=at.seeds,
                    frames=at.frames,
                    reported=_reported(exhibit, family) if is_reported else {},
                )
            )
    of_levels = [f"the report's numbers are of {exhibit.levels}"]
    return exhibit.study(
        scale,
        at,
        cells,
        searches=(cell.search for cell in cells if cell.search),
        baselines=baselines(protocol),
        notes=(*(of_levels if any(c.reported for c in cells) else ()), *exhibit.notes),
    )


def _search(
    at: ScheduleSettings, family: str, column: str, levels: GeometricSchedule, protocol: FidProtocol
) -> Search:
    snapshots = tuple(at.snapshots)
    return Search(
        name=f"{family.replace('_', ' ')}, {column}",
        space=ParameterSpace(
            template=Score(
                sample=at.sample(family, levels),
                protocol=protocol.replace(n_images=at.search_images, seeds="search"),
            ),
            parameters=(OneOf(name="iteration", path="sample.model.iteration", values=snapshots),),
            output="raw",
            round_size=len(snapshots),  # all are tried: none waits for another
        ),
        n_trials=len(snapshots),
        starts=({"iteration": at.iterations},),
        ladder=(Rung(n_images=at.n_images, keep=at.keep),),
        starts_from="the last snapshot",
    )


def _reported(exhibit: ScheduleTable, family: str) -> dict[str, Reported]:
    protocol = papers_protocol(exhibit.data) if exhibit.data else None
    known = exhibit.reported(exhibit.source, protocol, metric="fid", row=f"schedule={family}")
    return {"raw": known}
