"""Table 4 of "Adversarial score matching and improved sampling": modes of stacked MNIST.

Question: does adversarial score matching lose diversity? A classifier of single digits sorts 26,000
stacks of three digits into the 1,000 modes. The table shows the number of modes that occur, and
KL(shares || equal shares). Because the sample is finite, 26,000 perfect stacks have a KL of .024 on
MNIST, whose digits are not equally frequent (.019 if they were), and fewer stacks do not even hit
all modes. The notes under the table give both numbers for perfect stacks, for every number of
stacks that the table shows. The paper's numbers are of 26,000 stacks.

Source: https://arxiv.org/abs/2009.05475, Table 4, with the values of eight GANs from the sources
that the paper cites. The paper's KL of 1.36 and 1.49 comes, by our inference, from a script that
counts every stack twice. Without the double count the values are .053 and .121
(`scorelib.metrics.modes`). The table shows these values next to ours, and the printed values in a
separate column.

Command: ``python -m studies.run stacked_mnist_modes [--scale paper]``

The step size of CAS (n_sigma = 1) is searched over a wide range, by KL. The paper scores raw
samples only. The authors' code normalises data to [-1, 1], while the network expects [0, 1]; here
data is in [0, 1], as in all studies. The authors' classifier has active dropout; ours is in
evaluation mode.

Demo scale: stacks of scikit-learn's 8 x 8 digits, a residual perceptron. Paper scale: MNIST,
NCSNv2, sigma 50 to .01 in 200 levels, 100k iterations, EMA .999.
"""

from dataclasses import dataclass

from scorelib.data import DataSpec, Digits, Mnist, Stacked
from scorelib.errors import require_input
from scorelib.losses import SCORE_ADAM, Adversarial, Dsm
from scorelib.metrics.classifier import ClassifierSpec
from scorelib.metrics.modes import N_IMAGES, kl_of_reported, perfect_coverage
from scorelib.metrics.stacked import StackedClassifierFeatures
from scorelib.networks import BigGanDiscriminator, Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Cas
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes.table_settings import with_discriminator
from studies.common.claims import between
from studies.common.execution_settings import SamplingSettings
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import initial_step_size
from tuning.cells import Cell, Reported, Search
from tuning.spaces import EPSILON, StepSizeSpace
from tuning.stages import ModesProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.study import Study

EXHIBIT = Exhibit(
    name="stacked_mnist_modes",
    paper="acsm",
    label="Table 4",
    title="Modes of stacked digits covered, and KL from equal shares",
    question="Does adversarial score matching lose diversity?",
    figures=("step_sizes", "noise_schedules", "searches", "losses"),
    notes=(
        "the paper's KL of the DSM rows is corrected here for a double count in the authors' "
        "script (our inference): the paper prints 1.36 and 1.49",
    ),
    where={"table": "4"},
)
GANS = (
    "DCGAN", "ALI", "Unrolled GAN", "VEEGAN", "PacDCGAN2", "WGAN-GP", "PresGAN", "MEG",
)  # fmt: skip
ROWS = {"non-adversarial DSM": False, "adversarial DSM": True}
STATISTICS = {"modes": "modes", "KL": "kl"}


@dataclass(frozen=True, kw_only=True)
class ModesSettings(SamplingSettings):
    """Settings that define the study at a scale.

    Attributes:
        train: training run without a discriminator.
        adversarial: objective of the adversarial run; the other settings are those of `train`,
            except for the optimizer.
        adversarial_optimizer: optimizer of the score network in the adversarial run; the learning
            rate is replaced by that of `train`.
        iteration: iteration of the snapshot that images are sampled from, >= 1.
        classifier: classifier of single digits.
        chunk_images: images per sampling job, >= 1.
        n_trials: number of step sizes that are tried, >= 1.
        search_images: images per trial, >= 1.
        n_images: images per cell and seed, >= 1.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
    """

    KIND = "ModesSettings"

    train: TrainSpec
    adversarial: Adversarial
    adversarial_optimizer: AdamSpec = SCORE_ADAM
    iteration: int
    classifier: ClassifierSpec
    chunk_images: int = 1000
    n_trials: int
    search_images: int
    n_images: int = N_IMAGES
    seeds: int = 1

    def validate(self) -> None:
        """Raises InputError if `seeds` is below 1."""
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")


def demo() -> ModesSettings:
    """Returns settings for stacks of scikit-learn's digits: minutes on a CPU."""
    data = Stacked(of=Digits(), n=20_000)
    return ModesSettings(
        train=TrainSpec(
            data=data,
            network=ResidualMlp(width=384, depth=4),
            schedule=GeometricSchedule(sigma_1=7.3, sigma_L=0.1, n_levels=30),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=(0.999,),
            batch_size=128,
        ),
        adversarial=Adversarial(n_d=1, discriminator=BigGanDiscriminator(width=4)),
        iteration=5000,
        classifier=ClassifierSpec(data=data.of),
        n_trials=20,
        search_images=5000,
    )


def paper() -> ModesSettings:
    """Returns the paper's settings."""
    data = Stacked(of=Mnist())
    return ModesSettings(
        train=TrainSpec(
            data=data,
            network=Ncsnv2(),
            schedule=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=200),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-4),
            ema=(0.999,),
            batch_size=128,
        ),
        adversarial=Adversarial(n_d=2),
        iteration=100_000,
        classifier=ClassifierSpec(data=data.of, iterations=6000, batch_size=128),
        n_trials=12,
        search_images=5000,
        seeds=3,
    )


def study(scale: str, at: ModesSettings) -> Study:
    """Returns the study: one row per reported GAN, and two rows measured here."""
    cells = [
        _reported_cell(at, gan, column, statistic, network="")
        for gan in GANS
        for column, statistic in STATISTICS.items()
    ]
    searches = []
    for row, is_adversarial in ROWS.items():
        search = _search(at, row, is_adversarial)
        searches.append(search)
        cells += [_cell(at, row, column, search) for column in STATISTICS]
        cells.append(_reported_cell(at, row, "KL as printed", "kl", network="ncsnv2"))
    shown = sorted({at.n_images, at.search_images}, reverse=True)
    perfect = [_perfect(at.train.data, n_images) for n_images in shown]
    plain, adversarial = ROWS
    claims = (
        between(
            [cell for cell in cells if cell.column == column],
            f"adversarial training does not hurt diversity: {column}",
            "Section 6.2, Table 4",
            rows={adversarial: [plain]},
            quantities=("raw",),
            or_equal=True,
        )
        for column in STATISTICS
    )
    notes = (*EXHIBIT.notes, *perfect)
    return EXHIBIT.study(scale, at, cells, searches=searches, claims=claims, notes=notes)


def _perfect(data: DataSpec, n_images: int) -> str:
    """Returns a note on the numbers of perfect stacks; the ranges hold for 95% of such samples."""
    shares, k = data.class_shares, data.n_classes
    found = perfect_coverage(n_images, shares or (1 / k,) * k)
    modes, kl = found.n_modes, found.kl
    frequent = f"as frequent as in {data.name}" if shares else "equally frequent"
    return (
        f"{n_images:,} perfect stacks hit {modes.mean:,.4g} of {k:,} modes (95% of such samples: "
        f"{modes.low:,.0f} to {modes.high:,.0f}) and have a KL of {kl.mean:.3f} ({kl.low:.3f} to "
        f"{kl.high:.3f}), if the modes are {frequent}"
    )


def _search(at: ModesSettings, row: str, is_adversarial: bool) -> Search:
    train = at.train
    if is_adversarial:
        train = with_discriminator(train, at.adversarial, at.adversarial_optimizer)
    start = initial_step_size("cas", 1, train.schedule)
    template = Score(
        sample=SampleSpec(
            model=Snapshot(train=train, iteration=at.iteration),
            ema=train.ema[0],
            sampler=Cas(epsilon=start, n_sigma=1),
            chunk_images=at.chunk_images,
            precision=at.sampling_precision,
        ),
        protocol=_protocol(at, "kl").replace(n_images=at.search_images, seeds="search"),
    )
    return Search(
        name=f"cas n_sigma=1, {row}",
        space=StepSizeSpace(template=template),
        n_trials=at.n_trials,
        starts=({EPSILON: start},),
    )


def _protocol(at: ModesSettings, statistic: str) -> ModesProtocol:
    assert isinstance(at.train.data, Stacked)
    return ModesProtocol(
        extractor=StackedClassifierFeatures(classifier=at.classifier),
        data=at.train.data,
        n_images=at.n_images,
        seeds="fresh",
        statistic="kl" if statistic == "kl" else "modes",
    )


def _cell(at: ModesSettings, row: str, column: str, search: Search) -> Cell:
    statistic = STATISTICS[column]
    known = EXHIBIT.reported(row=row, metric=statistic, network="ncsnv2")
    if statistic == "kl":
        corrected = round(kl_of_reported(known.value), 3)
        source = f"{EXHIBIT.label}, corrected by our inference"
        known = Reported(corrected, source, n_images=known.n_images)
    return Cell(
        row=row,
        column=column,
        search=search,
        protocol=_protocol(at, statistic),
        n_seeds=at.seeds,
        reported={"raw": known},
    )


def _reported_cell(at: ModesSettings, row: str, column: str, statistic: str, network: str) -> Cell:
    known = EXHIBIT.reported(row=row, metric=statistic, network=network)
    return Cell(
        row=row, column=column, protocol=_protocol(at, statistic), quantities=("raw",),
        reported={"raw": known},
    )  # fmt: skip
