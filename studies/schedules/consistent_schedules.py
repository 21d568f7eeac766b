"""Combines two papers: consistent annealed sampling on schedules that a report found to be bad.

The report named in `schedule_table` samples with annealed Langevin sampling (ALS) at one step for
all families and finds that only the geometric schedule makes good images. "Adversarial score
matching and improved sampling for image generation" uses consistent annealed sampling (CAS), on
geometric schedules alone. Neither paper samples the other families by CAS. Here every family is
sampled in three ways, each at its own best step size:

- ALS, with one epsilon;
- CAS, with one epsilon for all levels, as the paper remarks on schedules that are not geometric;
- CAS in r, with the same r at all levels: the step in units of the step that follows the schedule
  to the next level (`scorelib.samplers.cas`). On the geometric schedule this is CAS, and the two
  columns differ by the resolution of the searched step sizes alone.

Command: ``python -m studies.run consistent_schedules [--scale paper]``

Paper scale: MNIST, the network and the training of `mnist_schedules` at paper scale, 200 levels
from sigma_1 = 30. The network, NCSN, knows its levels by number, so it is sampled at these levels
alone, ``n_sigma = 1``. The report's own sampler takes 100 steps per level (`mnist_schedules`).

Demo scale: scikit-learn's digits and the residual perceptron of `mnist_schedules`, which reads
sigma; 40 levels from sigma_1 = 5, one step per level.
"""

from dataclasses import dataclass

from scorelib.errors import require_input
from scorelib.metrics.features import Extractor
from scorelib.networks import Ncsn
from scorelib.schedules import GeometricSchedule, Schedule
from studies.common.claims import between
from studies.common.distances import baselines
from studies.common.execution_settings import SamplingSettings
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import SAMPLERS, initial_step_size
from studies.common.step_size_search import SearchSettings, require_choice, step_size_search
from studies.schedules import mnist_schedules
from studies.schedules.schedule_table import of_family, require_families
from tuning.cells import Cell, Search
from tuning.stages import FidProtocol, SampleSpec, Snapshot, TrainSpec
from tuning.study import Study

EXHIBIT = Exhibit(
    name="consistent_schedules",
    paper="",
    label="Schedules and samplers",
    title="Families of noise schedules by sampler, each at its best step size, raw / denoised",
    question="Does consistent sampling make good images on schedules that are bad for ALS?",
    figures=("noise_schedules", "step_sizes", "searches", "losses"),
)
COLUMNS = {"als": "ALS", "cas": "CAS", "cas_r": "CAS in r"}
"""Label of the column of each sampler."""


@dataclass(frozen=True, kw_only=True)
class ConsistentSettings(SamplingSettings):
    """Settings that define the study at a scale.

    Attributes:
        train: training run; each row replaces the schedule, also in the network if the network is
            an NCSN.
        levels: ends and number of levels of all schedules.
        families: families of schedules, one row each, by their names in `scorelib.schedules`.
        samplers: samplers, one column each, of "als", "cas" and "cas_r".
        n_sigma: steps per noise level of all samplers, >= 1; 1 for an NCSN.
        iterations: length of the trainings, in iterations, >= 1.
        extractor: feature extractor of the distances.
        chunk_images: images per sampling job, >= 1.
        search: the search over the step size of each cell.
        n_images: images per cell and seed, >= 2.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
    """

    KIND = "ConsistentSettings"

    train: TrainSpec
    levels: GeometricSchedule
    families: tuple[str, ...] = ("geometric", "linear", "cosine", "squared_cosine", "sigmoid")
    samplers: tuple[str, ...] = tuple(COLUMNS)
    n_sigma: int = 1
    iterations: int
    extractor: Extractor
    chunk_images: int = 500
    search: SearchSettings
    n_images: int
    seeds: int

    def validate(self) -> None:
        """Checks families, samplers and counts.

        Raises:
            InputError: `families` or `samplers` is empty or has an unknown entry, a count is below
                its minimum, or an NCSN is to be sampled between its levels.
        """
        require_families(self.families, self.levels)
        require_choice(self.samplers, tuple(COLUMNS), "samplers")
        for name in ("n_sigma", "iterations", "seeds"):
            value = getattr(self, name)
            require_input(value >= 1, f"{name} must be at least 1, but got {value}")
        require_input(
            self.n_sigma == 1 or not isinstance(self.train.network, Ncsn),
            "n_sigma must be 1 for an NCSN, which knows its levels by number, but got "
            f"{self.n_sigma}",
        )

    def training(self, family: str) -> TrainSpec:
        """Returns the training on the schedule of a family."""
        schedule = of_family(family, self.levels)
        network = self.train.network
        if isinstance(network, Ncsn):
            network = network.replace(schedule=schedule)
        return self.train.replace(schedule=schedule, network=network)

    def sample(self, family: str, sampler: str) -> SampleSpec:
        """Returns the images that the search of a cell starts with."""
        train = self.training(family)
        schedule: Schedule = train.schedule
        start = initial_step_size(sampler, self.n_sigma, schedule)
        return SampleSpec(
            model=Snapshot(train=train, iteration=self.iterations),
            ema=train.ema[0],
            sampler=SAMPLERS[sampler].of(start, self.n_sigma),
            chunk_images=self.chunk_images,
            precision=self.sampling_precision,
        )


def demo() -> ConsistentSettings:
    """Returns settings for scikit-learn's digits."""
    of = mnist_schedules.demo()
    return ConsistentSettings(
        train=of.train,
        levels=of.many,
        iterations=of.iterations,
        extractor=of.extractor,
        search=SearchSettings(n_trials=20, round_size=1, n_images=1000, top_images=2000, keep=2),
        n_images=of.n_images,
        seeds=3,
    )


def paper() -> ConsistentSettings:
    """Returns the settings of `mnist_schedules` at paper scale."""
    of = mnist_schedules.paper()
    return ConsistentSettings(
        train=of.train,
        levels=of.many,
        iterations=of.iterations,
        extractor=of.extractor,
        search=SearchSettings(n_trials=16, round_size=1, n_images=1000, top_images=5000, keep=2),
        n_images=of.n_images,
        seeds=of.seeds,
    )


def study(scale: str, at: ConsistentSettings) -> Study:
    """Returns the study: one row per family, one column per sampler, a search for each cell."""
    protocol = FidProtocol(
        extractor=at.extractor, data=at.train.data, n_images=at.n_images, seeds="fresh"
    )
    cells = [_cell(at, family, name, protocol) for family in at.families for name in at.samplers]
    als, cas, in_r = COLUMNS.values()
    varying = [cell for cell in cells if cell.row != "geometric"]
    return EXHIBIT.study(
        scale,
        at,
        cells,
        claims=(
            between(cells, "CAS is better than ALS", "this study", columns={cas: [als]}),
            between(
                varying,
                "CAS in r is better than CAS if the ratios of levels vary",
                "this study",
                columns={in_r: [cas]},
            ),
        ),
        searches=(cell.search for cell in cells if cell.search),
        baselines=baselines(protocol),
    )


def _cell(at: ConsistentSettings, family: str, sampler: str, protocol: FidProtocol) -> Cell:
    row, column = family.replace("_", " "), COLUMNS[sampler]
    search: Search = step_size_search(
        f"{row}, {column}", at.search, at.sample(family, sampler), protocol
    )
    return Cell(row=row, column=column, search=search, protocol=protocol, n_seeds=at.seeds)
