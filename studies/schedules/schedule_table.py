"""The layout shared by the tables of a report on noise schedules for NCSN.

Rows are the families of noise schedules. Columns are few levels from a low sigma_1, as in the first
NCSN, and many levels from a high sigma_1. For each cell, a noise conditional score network is
trained on the schedule and sampled by annealed Langevin sampling on the same schedule. As in the
report, the snapshot is chosen by the distance of a small number of raw images: all snapshots are
compared on `search_images` images, and the best `keep` of them again on `n_images`. The cell
measures the best snapshot on `n_images` images per fresh seed.

The sampler is that of Song and Ermon (2019): ``x + alpha_i / 2 score + sqrt(alpha_i) z``, where
``alpha_i = e sigma_i^2 / sigma_L^2``, T times at each level. In our notation this is `Als` with
``epsilon = e / 2`` and ``n_sigma = T`` (`scorelib.step_size.epsilon_of_langevin_step`). At e = 2e-5
and sigma_L = .01, an update covers a tenth of the way to the denoised sample, on every schedule.

Differences from the report, in all these studies:

- The report's formulas of the cosine and sigmoid families do not end at sigma_L, by mistake as the
  report's own numbers show: see `scorelib.schedules`.
- The report measures distances on the images by which it chose the snapshot, or does not say
  otherwise. Here the images are drawn with fresh seeds, so the choice does not bias the distance.
- The report shows raw images only. Here images that are denoised at the end are shown next to the
  raw images; they do not affect the choice of the snapshot.
- Chains start from N(0, sigma_1^2) here. The chains of NCSN's authors, and so perhaps those of the
  report, start from U[0, 1].

Source: A. Spagnoletti, A. Ratouchniak and D. Aubakirova, Denoising score matching for diffusion
models (a report), Section 7. NCSN: Song and Ermon 2019, https://arxiv.org/abs/1907.05600.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from scorelib.data import DataSpec
from scorelib.errors import require_input
from scorelib.metrics.features import Extractor
from scorelib.networks import Ncsn
from scorelib.samplers import Als
from scorelib.schedules import SCHEDULES, GeometricSchedule, Schedule
from scorelib.step_size import epsilon_of_langevin_step
from studies.common.claims import between
from studies.common.distances import baselines, papers_protocol
from studies.common.execution_settings import SamplingSettings
from studies.common.exhibit import Exhibit
from studies.common.snapshots import require_snapshot, snapshot_iterations
from tuning.cells import Cell, Reported, Search
from tuning.claims import Claim
from tuning.spaces import OneOf, ParameterSpace, Rung
from tuning.stages import FidProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.study import Study

REPORT = "schedules"
FEW_LEVELS = GeometricSchedule(sigma_1=1.0, sigma_L=0.01, n_levels=10)
"""The few levels of the first NCSN and of the report."""


@dataclass(frozen=True, kw_only=True)
class LevelSettings(SamplingSettings):
    """Settings of training and sampling that these studies share.

    Attributes:
        train: training run; each row replaces the schedule, also in the network if the network is
            an NCSN.
        few: ends and number of the few levels; None for a study without this column.
        many: ends and number of the many levels.
        langevin_step: step e of Song and Ermon, in squared data units, > 0.
        n_sigma: number of updates at each level, the T of Song and Ermon, >= 1.
        iterations: length of the trainings, in iterations, >= `snapshot_every`.
        snapshot_every: iterations between snapshots, >= 1.
        chunk_images: images per sampling job, >= 1.
        n_images: images per cell and seed, >= 1.
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
        """Checks the snapshots and the step size.

        Raises:
            InputError: the training saves no snapshot at its last iteration, or the step size is
                not admissible on a schedule.
        """
        require_snapshot(self.iterations, self.snapshots, "iterations")
        for levels in self.columns.values():
            self.sampler.require_admissible(levels)

    @property
    def snapshots(self) -> range:
        """Iterations at which snapshots are saved."""
        return snapshot_iterations(self.snapshot_every, self.iterations)

    @property
    def columns(self) -> dict[str, GeometricSchedule]:
        """Ends and number of levels, by label of the column."""
        given = (levels for levels in (self.few, self.many) if levels)
        return {f"L = {g.n_levels}, sigma_1 = {g.sigma_1:g}": g for g in given}

    @property
    def sampler(self) -> Als:
        """The annealed Langevin sampler with step e and T updates per level."""
        epsilon = epsilon_of_langevin_step(self.langevin_step)
        return Als(epsilon=epsilon, n_sigma=self.n_sigma)

    def sample(self, family: str, levels: GeometricSchedule, seed: int = 0) -> SampleSpec:
        """Returns the spec of images from the last snapshot of a training on a schedule.

        Args:
            family: family of the schedule, a key of `scorelib.schedules.SCHEDULES`.
            levels: ends and number of levels of the schedule.
            seed: seed of the images.
        """
        train = self.train.replace(schedule=of_family(family, levels))
        if isinstance(train.network, Ncsn):
            train = train.replace(network=train.network.replace(schedule=train.schedule))
        return SampleSpec(
            model=Snapshot(train=train, iteration=self.iterations),
            ema=train.ema[0],
            sampler=self.sampler,
            chunk_images=self.chunk_images,
            precision=self.sampling_precision,
            seed=seed,
        )


def of_family(family: str, levels: GeometricSchedule) -> Schedule:
    """Returns the schedule of a family with the given ends and number of levels.

    Args:
        family: family of the schedule, a key of `scorelib.schedules.SCHEDULES`.
        levels: schedule that gives `sigma_1`, `sigma_L` and `n_levels`.

    Raises:
        InputError: the family is unknown.
    """
    require_input(
        family in SCHEDULES, f"families must be of {', '.join(SCHEDULES)}, but got {family!r}"
    )
    return SCHEDULES[family](
        sigma_1=levels.sigma_1, sigma_L=levels.sigma_L, n_levels=levels.n_levels
    )


def require_families(families: tuple[str, ...], levels: GeometricSchedule) -> None:
    """Raises InputError unless the setting `families` names families, at least one.

    Args:
        families: value of the setting.
        levels: ends and number of levels that the schedules are to have.
    """
    require_input(len(families) >= 1, "families must name a family, but got none")
    for family in families:
        of_family(family, levels)


@dataclass(frozen=True, kw_only=True)
class ScheduleSettings(LevelSettings):
    """Settings that define such a study at a scale.

    Attributes:
        families: families of schedules, one row each, by their names in `scorelib.schedules`; by
            default the five families of the report.
        extractor: feature extractor of the distances.
        search_images: number of images in the first comparison of the snapshots, <= `n_images`.
        keep: number of snapshots that are compared again on `n_images` images, >= 1.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
        frames: number of pictures along the sampling chain for each cell, each of a few images, >=
            0; 0 for none.
    """

    KIND = "ScheduleSettings"

    families: tuple[str, ...] = ("geometric", "linear", "cosine", "squared_cosine", "sigmoid")
    extractor: Extractor
    search_images: int = 1000
    keep: int = 1
    seeds: int
    frames: int = 10

    def validate(self) -> None:
        """Checks the families and the search over snapshots.

        Raises:
            InputError: `families` is empty or has an unknown family, `keep` or `seeds` is below 1,
                `frames` is negative, or `search_images` is above `n_images`; also as
                `LevelSettings.validate`.
        """
        super().validate()
        require_families(self.families, self.many)
        for name in ("keep", "seeds"):
            value = getattr(self, name)
            require_input(value >= 1, f"{name} must be at least 1, but got {value}")
        require_input(self.frames >= 0, f"frames must be at least 0, but got {self.frames}")
        require_input(
            self.search_images <= self.n_images,
            "search_images must be at most n_images, but got "
            f"{self.search_images} and {self.n_images}",
        )


@dataclass(frozen=True, kw_only=True)
class ScheduleTable(Exhibit):
    """A table or figure of the report in this layout.

    Attributes:
        data: data set of the report; None if the report's protocol is not known well enough to
            compare other numbers with the report's.
        source: figure of the report that gives the numbers.
        levels: levels for which the report gives numbers, such as "L = 200, sigma_1 = 30".
        families: families for which the report gives numbers, at these levels.
    """

    paper: str = REPORT
    question: str = "Which family of noise schedules makes the best images?"
    figures: tuple[str, ...] = ("noise_schedules", "searches", "losses")
    data: DataSpec | None
    source: str
    levels: str
    families: tuple[str, ...]


def build(exhibit: ScheduleTable, scale: str, at: ScheduleSettings) -> Study:
    """Returns the study of a table: for each cell, a search over snapshots.

    Args:
        exhibit: the table or figure.
        scale: "demo" or "paper".
        at: settings of the study.
    """
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
    of_levels = [f"the report's numbers are for {exhibit.levels}"]
    return exhibit.study(
        scale,
        at,
        cells,
        searches=(cell.search for cell in cells if cell.search),
        baselines=baselines(protocol),
        claims=_claims(exhibit, at, cells),
        notes=(*(of_levels if any(c.reported for c in cells) else ()), *exhibit.notes),
    )


def _claims(exhibit: ScheduleTable, at: ScheduleSettings, cells: list[Cell]) -> Iterator[Claim]:
    """Yields the report's claims about the many levels: on raw images, which alone it shows."""
    about = [c for c in cells if at.columns[c.column] is at.many]
    order = [f.replace("_", " ") for f in ("geometric", "sigmoid", "squared_cosine")]
    named = {family.replace("_", " ") for family in exhibit.families}
    ranked = [row for row in order if row in named]
    for i, row in enumerate(ranked[:-1]):
        worse = ranked[i + 1 :]
        text = f"the {row} schedule is better than the {' and the '.join(worse)} schedule"
        yield between(about, text, exhibit.source, rows={row: worse}, quantities=("raw",))


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
            round_size=len(snapshots),  # one round: all snapshots are tried at once
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
