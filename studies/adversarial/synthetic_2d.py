"""Figure 2 of "Adversarial score matching and improved sampling": denoising in the plane.

Question: how much nearer to the data are denoised samples than the last samples of the chain, on a
Swiss roll and on 25 Gaussians?

Source: https://arxiv.org/abs/2009.05475, Figure 2 and Appendix B: Langevin sampling with n_sigma =
10, epsilon = .2 and one level sigma = .1 (epsilon there is the share eta of sigma^2). The paper
shows pictures. The measure here is the mean distance to the noise-free set, which is exact
(`scorelib.data.toys`). A note below the table gives the mean distance of the data themselves.

Command: ``python -m studies.run synthetic_2d [--scale paper]``

Paper scale trains for 2,000 iterations at learning rate 1e-4, as the authors' notebook does. The
chains of the notebook start from U[-3, 3]^2 and add noise scaled by eta, which is not annealed
Langevin sampling; the noise here is that of annealed Langevin sampling. Demo scale trains at
learning rate 1e-3, by which the network learns more of the data in as many iterations.
"""

from dataclasses import dataclass

from scorelib.data import Gaussians, SwissRoll, Toy
from scorelib.errors import require_input
from scorelib.losses import Dsm
from scorelib.networks import ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Als, Start
from scorelib.schedules import GeometricSchedule
from studies.common.claims import denoising
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from tuning.cells import Cell
from tuning.stages import DistanceProtocol, SampleSpec, Snapshot, TrainSpec
from tuning.study import Study

EXHIBIT = Exhibit(
    name="synthetic_2d",
    paper="acsm",
    label="Figure 2",
    title="Langevin samples in the plane, final and denoised",
    question="How much nearer to the data are denoised samples than the last samples of the chain?",
    figures=("noise_schedules", "losses"),
    notes=(
        "raw: the last sample of the chain, with noise; denoised: the expected denoised sample; "
        "the paper shows pictures only",
    ),
)
DATA: dict[str, Toy] = {"Swiss roll": SwissRoll(), "25 Gaussians": Gaussians()}


@dataclass(frozen=True, kw_only=True)
class PlaneSettings(StudySettings):
    """Settings of the figure.

    Attributes:
        network: score network.
        optimizer: optimizer of the training.
        iterations: number of iterations of the training, >= 1.
        batch_size: points per update, >= 1.
        ema: EMA decay of the weights that points are sampled with, in [0, 1).
        sigma: the only noise level, in data units, > 0.
        eta: step as a share of the way to the denoised sample, in (0, 2).
        n_sigma: number of sampling steps, >= 1.
        start: distribution that chains start from.
        n_points: points per cell and seed, >= 1.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
    """

    KIND = "PlaneSettings"

    network: ResidualMlp
    optimizer: AdamSpec
    iterations: int = 2000
    batch_size: int = 256
    ema: float = 0.99
    sigma: float = 0.1
    eta: float = 0.2
    n_sigma: int = 10
    start: Start = "uniform"
    n_points: int = 5000
    seeds: int = 3

    def validate(self) -> None:
        """Raises InputError if `seeds` is below 1."""
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")


def demo() -> PlaneSettings:
    """Returns settings with a smaller network and a higher learning rate than the notebook's."""
    return PlaneSettings(
        network=ResidualMlp(width=128, depth=2), optimizer=AdamSpec(learning_rate=1e-3)
    )


def paper() -> PlaneSettings:
    """Returns the settings of the authors' notebook."""
    return PlaneSettings(
        network=ResidualMlp(width=512, depth=2), optimizer=AdamSpec(learning_rate=1e-4)
    )


def study(scale: str, at: PlaneSettings) -> Study:
    """Returns the study: one row per data set, with the distances of raw and denoised samples."""
    cells, snapshots = [], []
    for row, data in DATA.items():
        model = Snapshot(train=_training(at, data), iteration=at.iterations)
        snapshots.append(model)
        sampler = Als(epsilon=at.eta * at.sigma**2, n_sigma=at.n_sigma)
        cells.append(
            Cell(
                row=row,
                column="mean distance to the data",
                sample=SampleSpec(model=model, ema=at.ema, sampler=sampler, start=at.start),
                protocol=DistanceProtocol(data=data, n_images=at.n_points, seeds="fresh"),
                n_seeds=at.seeds,
            )
        )
    own = (
        f"{row}: the mean distance of the data themselves is {_mean_distance(of):.4f}"
        for row, of in DATA.items()
    )
    return EXHIBIT.study(
        scale,
        at,
        cells,
        snapshots=snapshots,
        claims=(denoising(cells, "denoised samples are nearer to the data", EXHIBIT.label),),
        notes=(*EXHIBIT.notes, *own),
    )


def _training(at: PlaneSettings, data: Toy) -> TrainSpec:
    return TrainSpec(
        data=data,
        network=at.network,
        schedule=GeometricSchedule(sigma_1=at.sigma, sigma_L=at.sigma, n_levels=1),
        objective=Dsm(),
        optimizer=at.optimizer,
        ema=(at.ema,),
        batch_size=at.batch_size,
    )


def _mean_distance(data: Toy) -> float:
    points, _ = data.load("test")
    return data.distances(points).mean().item()
