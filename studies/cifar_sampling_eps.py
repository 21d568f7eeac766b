"""Table 1 of "Adversarial score matching and improved sampling": step sizes on CIFAR-10.

What is asked: how do annealed Langevin sampling (ALS) and consistent annealed sampling (CAS)
compare, with and without denoising the result, each at its own best step size epsilon?

Source: Jolicoeur-Martineau, Piche-Taillefer, Tachet des Combes, Mitliagkas, ICLR 2021,
https://arxiv.org/abs/2009.05475: Table 1 (FID), its rows of Table 5 (epsilon), Figure 3.

Command: ``python -m studies.run cifar_sampling_eps [--scale paper]``

Demo scale: scikit-learn's digits, a residual perceptron, Frechet distances in the features of a
small classifier; under four minutes on two CPU cores. Two things are scaled with it: the EMA decay
(.9999 after a few thousand iterations would be mostly initial weights) and sigma_L, .1 instead of
.01: at .01 raw and denoised digits look alike to the classifier, so Table 1's point could not show.
sigma_1 is the largest distance between two digits (4.81; Song and Ermon's choice).
The number of levels is higher than coverage asks for (14), because ALS with one step per level
finds no good step size on so coarse a schedule.

Paper scale: CIFAR-10, NCSNv2, 300k iterations, sigma 50 to .01 in 232 levels, snapshot 250k, EMA
.9999, Inception FID on 10k images. Expected (reported): see `reported.csv`. Deviation: cells are
measured with seeds that no choice of epsilon has seen, and three of them; the paper does not say.
The adversarial column's training belongs to another study; its cells are laid out and empty.
"""

from dataclasses import dataclass, field
from typing import Literal, get_args

from scorelib.data import Cifar10, Digits
from scorelib.errors import InputError
from scorelib.losses import Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import Extractor
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Als, Cas, Sampler
from scorelib.schedules import GeometricSchedule
from scorelib.spec import Spec
from scorelib.step_size import relative_step, round_significant, schedule_step
from studies.local import ExecutionSettings, Files, ProjectionSettings
from studies.reported import reported
from tuning.stages import FidProtocol, Objective, SampleSpec, Snapshot, TrainSpec, Yardstick
from tuning.study import Cell, Reported, Rung, Search, SearchSpace, Study

Scale = Literal["demo", "paper"]

START_R = {"als": 4.8, "cas": 1.5}
"""First step sizes, in units of the schedule-following step: near the best of all the authors' own
measurements, and a start only."""

SAMPLERS: dict[str, type[Sampler]] = {"als": Als, "cas": Cas}
REPORTED_N_SIGMA = (1, 5)
COLUMNS = ("non-adversarial", "adversarial")
METRICS: dict[Objective, str] = {"raw": "fid", "denoised": "fid_denoised"}


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Spec):
    """How each cell's step size is searched.

    Attributes:
        n_trials: step sizes tried, >= 1.
        round_size: tried at a time.
        n_images: images per trial.
        top_images: images for the best `keep` of them.
        keep: how many go on to `top_images`.
        als_epsilon: first step size of ALS at the first n_sigma; None to start from r = 4.8.
        cas_epsilon: the same of CAS; None to start from r = 1.5.
    """

    n_trials: int
    round_size: int
    n_images: int
    top_images: int
    keep: int
    als_epsilon: float | None = None
    cas_epsilon: float | None = None

    def validate(self) -> None:
        """Refuses searches that try or keep nothing."""
        if min(self.n_trials, self.keep) < 1 or self.top_images < self.n_images:
            raise InputError(
                "a search needs n_trials >= 1, keep >= 1 and top_images >= n_images; got "
                f"n_trials={self.n_trials}, keep={self.keep}, n_images={self.n_images}, "
                f"top_images={self.top_images}"
            )


@dataclass(frozen=True, kw_only=True)
class Settings(Spec):
    """Everything that defines the study at a scale; each field can be set on the command line.

    Attributes:
        data: where files lie.
        execution: how networks are evaluated.
        projections: where searches are shown beside MLflow.
        train: training run.
        iterations: length of the training.
        snapshot_every: iterations between snapshots.
        iteration: snapshot that is sampled from.
        ema: EMA decay that is sampled from.
        extractor: features of the distances.
        chunk_images: images per sampling job.
        search: how step sizes are searched.
        n_sigma: steps per noise level, a row of each sampler for each; of those reported.
        n_images: images per cell and seed.
        seeds: fresh seeds each cell is measured with.
    """

    data: Files
    execution: ExecutionSettings
    train: TrainSpec
    iterations: int
    snapshot_every: int
    iteration: int
    ema: float
    extractor: Extractor
    chunk_images: int
    search: SearchSettings
    n_sigma: tuple[int, ...] = REPORTED_N_SIGMA
    n_images: int
    seeds: int
    projections: ProjectionSettings = field(default_factory=ProjectionSettings)

    def validate(self) -> None:
        """Refuses snapshots that training does not make."""
        if self.snapshot_every < 1 or self.seeds < 1:
            raise InputError(
                "snapshot_every and seeds must be at least 1; "
                f"got {self.snapshot_every} and {self.seeds}"
            )
        distinct = set(self.n_sigma)
        if not 0 < len(distinct) == len(self.n_sigma) or not distinct <= set(REPORTED_N_SIGMA):
            raise InputError(
                f"n_sigma must hold counts the paper reports, each once, of {REPORTED_N_SIGMA}; "
                f"got {self.n_sigma}"
            )
        made = range(self.snapshot_every, self.iterations + 1, self.snapshot_every)
        if self.iteration not in made:
            raise InputError(
                f"iteration must be a multiple of snapshot_every={self.snapshot_every} up to "
                f"iterations={self.iterations}; got {self.iteration}"
            )


def settings(scale: str) -> Settings:
    """The study's settings at a scale.

    Raises:
        InputError: an unknown scale.
    """
    if scale not in get_args(Scale):
        raise InputError(f"--scale must be one of {', '.join(get_args(Scale))}; got {scale!r}")
    return _demo() if scale == "demo" else _paper()


def _demo() -> Settings:
    data = Digits()
    return Settings(
        data=Files(),
        execution=ExecutionSettings(),
        train=TrainSpec(
            data=data,
            network=ResidualMlp(width=256, depth=3),
            schedule=GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=30),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=(0.99, 0.999),
            batch_size=128,
        ),
        iterations=4000,
        snapshot_every=2000,
        iteration=4000,
        ema=0.999,
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        chunk_images=500,
        search=SearchSettings(n_trials=8, round_size=1, n_images=1000, top_images=2000, keep=2),
        n_images=5000,
        seeds=2,
    )


def _paper() -> Settings:
    return Settings(
        data=Files(),
        execution=ExecutionSettings(),
        train=TrainSpec(
            data=Cifar10(),
            network=Ncsnv2(),
            schedule=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-4),
            ema=(0.999, 0.9999),
            batch_size=128,
            flips=True,
        ),
        iterations=300_000,
        snapshot_every=2_500,
        iteration=250_000,
        ema=0.9999,
        extractor=InceptionFeatures(),
        chunk_images=500,
        search=SearchSettings(n_trials=16, round_size=1, n_images=5000, top_images=10_000, keep=2),
        n_images=10_000,
        seeds=3,
    )


def study(scale: str, at: Settings) -> Study:
    """The study with given settings: Table 1's cells and a search for each measured row."""
    protocol = FidProtocol(
        extractor=at.extractor, data=at.train.data, n_images=at.n_images, seeds="fresh"
    )
    searches: dict[tuple[str, int], Search] = {}
    for name in SAMPLERS:
        earlier = None
        for n_sigma in at.n_sigma:
            searches[name, n_sigma] = _search(at, protocol, name, n_sigma, earlier)
            earlier = earlier or searches[name, n_sigma]
    snapshots = range(at.snapshot_every, at.iterations + 1, at.snapshot_every)
    reference = protocol.reference
    return Study(
        name="cifar_sampling_eps",
        scale=scale,
        paper="acsm",
        table="1",
        title="Raw / denoised distance by sampler, each at its best step size",
        question=(
            "How do annealed Langevin sampling and consistent annealed sampling compare, with and "
            "without denoising the result, each at its own best step size?"
        ),
        settings=at,
        cells=tuple(
            _cell(at, protocol, name, n_sigma, column, searches[name, n_sigma])
            for name, n_sigma in searches
            for column in COLUMNS
        ),
        searches=tuple(searches.values()),
        snapshots=tuple(Snapshot(train=at.train, iteration=i) for i in snapshots),
        yardsticks=(
            Yardstick(reference=reference, kind="held-out"),
            Yardstick(reference=reference, kind="gaussian", n_images=at.n_images),
        ),
    )


def _search(
    at: Settings, protocol: FidProtocol, name: str, n_sigma: int, earlier: Search | None
) -> Search:
    schedule = at.train.schedule
    sampler = SAMPLERS[name](epsilon=1.0, n_sigma=n_sigma)
    low, high = sampler.interval(schedule)
    wished = START_R[name] * schedule_step(schedule.sigma_L, schedule.gamma, n_sigma)
    # On a very coarse schedule the wished start lies outside what theory admits.
    start = round_significant(wished if wished < high / 2 else (low + high) / 2)
    given = at.search.als_epsilon if name == "als" else at.search.cas_epsilon
    if given is not None and earlier is None:
        start = given
    sampler = sampler.replace(epsilon=start)
    return Search(
        name=f"{name} n_sigma={n_sigma}",
        space=SearchSpace(
            sample=SampleSpec(
                model=Snapshot(train=at.train, iteration=at.iteration),
                ema=at.ema,
                sampler=sampler,
                chunk_images=at.chunk_images,
            ),
            protocol=protocol.replace(n_images=at.search.n_images, seeds="search"),
            round_size=at.search.round_size,
        ),
        n_trials=at.search.n_trials,
        starts=(start,),
        ladder=(Rung(n_images=at.search.top_images, keep=at.search.keep),),
        after=earlier,
    )


def _cell(
    at: Settings, protocol: FidProtocol, name: str, n_sigma: int, column: str, search: Search
) -> Cell:
    where = {
        "paper": "acsm", "dataset": "cifar10", "network": "ncsnv2",
        "row": f"sampler={name} n_sigma={n_sigma}", "column": column,
    }  # fmt: skip
    epsilon = reported(**where, table="5", metric="epsilon")
    paper = _paper().train.schedule
    papers = FidProtocol(
        extractor=InceptionFeatures(), data=Cifar10(), n_images=10_000, seeds="unstated"
    )
    kind = "consistent" if name == "cas" else "non-consistent"
    return Cell(
        row=f"{kind} (n_sigma = {n_sigma})",
        column=column,
        search=search if column == "non-adversarial" else None,
        protocol=protocol,
        n_seeds=at.seeds,
        reported={
            which: Reported(reported(**where, table="1", metric=metric), papers, "Table 1")
            for which, metric in METRICS.items()
        },
        reported_epsilon=epsilon,
        reported_r=relative_step(epsilon, paper.sigma_L, paper.gamma, n_sigma),
    )
