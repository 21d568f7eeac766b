"""Small studies made of classes of tuning and scorelib: the real engine on specs of seconds."""

from dataclasses import dataclass

from scorelib.data import Digits
from scorelib.losses import SCORE_ADAM, Adversarial, Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.features import Extractor
from scorelib.networks import BigGanDiscriminator, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.samplers import Als, Cas
from scorelib.schedules import GeometricSchedule
from scorelib.spec import Spec
from scorelib.spec_paths import replace_paths
from tuning.cells import Cell, Search
from tuning.spaces import (
    EPSILON,
    LogUniform,
    MultiObjectiveSpace,
    OneOf,
    ParameterSpace,
    Rung,
    StepSizeSpace,
)
from tuning.stages import (
    Baseline,
    FidProtocol,
    NeighboursProtocol,
    SampleSpec,
    Score,
    Snapshot,
    TrainSpec,
)
from tuning.study import Study

DATA = Digits()
TRAIN = TrainSpec(
    data=DATA,
    network=ResidualMlp(width=16, depth=1),
    schedule=GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=6),
    objective=Dsm(),
    optimizer=AdamSpec(learning_rate=1e-3),
    ema=(0.99, 0.999),
    batch_size=128,
)
FEATURES = ClassifierFeatures(
    classifier=ClassifierSpec(data=DATA, iterations=30, width=4, n_features=8)
)
BRIEF = TRAIN.replace(
    network=TRAIN.network.replace(depth=3),
    schedule=TRAIN.schedule.replace(n_levels=5),
    batch_size=8,
)
COARSE = ClassifierFeatures(
    classifier=ClassifierSpec(data=DATA, iterations=5, width=2, n_features=4)
)
PLAYERS = Adversarial(n_d=1, discriminator=BigGanDiscriminator(width=4))
SAMPLERS = {"als": Als, "cas": Cas}
FIRST_EPSILON = {("als", 1): 0.01, ("als", 5): 0.0069, ("cas", 1): 0.01, ("cas", 5): 0.0022}
"""First step sizes by sampler and steps per level, within the limits of the schedule."""


@dataclass(frozen=True, kw_only=True)
class SelectionSettings(Spec):
    """Settings of the choice of a snapshot and an EMA decay."""

    n_trials: int = 2
    n_images: int = 40


@dataclass(frozen=True, kw_only=True)
class SearchSettings(Spec):
    """Settings of the searches of step sizes on two rungs."""

    n_trials: int = 3
    n_images: int = 40
    top_images: int = 60
    keep: int = 1
    tolerance: float = 0.01


@dataclass(frozen=True, kw_only=True)
class Settings(Spec):
    """Settings of the miniature that tests change."""

    train: TrainSpec = TRAIN
    columns: tuple[str, ...] = ("non-adversarial",)
    iterations: int = 60
    snapshot_every: int = 30
    selection: SelectionSettings = SelectionSettings()
    extractor: Extractor = FEATURES
    chunk_images: int = 20
    search: SearchSettings = SearchSettings()
    n_sigma: tuple[int, ...] = (1, 5)
    n_images: int = 60
    seeds: int = 1

    @property
    def protocol(self):
        return FidProtocol(
            extractor=self.extractor, data=DATA, n_images=self.n_images, seeds="fresh"
        )

    @property
    def baselines(self):
        reference = self.protocol.reference
        return (
            Baseline(reference=reference, kind="held-out"),
            Baseline(reference=reference, kind="gaussian", n_images=self.n_images),
        )

    def training(self, column):
        if column == "non-adversarial":
            return self.train
        optimizer = SCORE_ADAM.replace(learning_rate=self.train.optimizer.learning_rate)
        return self.train.replace(objective=PLAYERS, optimizer=optimizer)


def miniature_study(**changes):
    """Returns a study that selects a snapshot, then searches step sizes on a ladder of rungs.

    Later searches start from the results of earlier ones.

    Args:
        changes: changes of the settings by path (dots written as __), values as on a command line.
    """
    further = {path.replace("__", "."): value for path, value in changes.items()}
    at = replace_paths(Settings(), further)
    searches, cells = {}, []
    for column in at.columns:
        selection = _selection(at, column)
        searches[selection.name] = selection
        for name in SAMPLERS:
            earlier = searches.get(f"{name} n_sigma={at.n_sigma[0]}, non-adversarial")
            for n_sigma in at.n_sigma:
                earlier = _step_sizes(at, name, n_sigma, column, selection, earlier)
                searches[earlier.name] = earlier
                cell = Cell(
                    row=f"{name} n_sigma={n_sigma}", column=column, search=earlier,
                    protocol=at.protocol, n_seeds=at.seeds,
                )  # fmt: skip
                cells.append(cell)
    snapshots = tuple(
        Snapshot(train=at.training(column), iteration=iteration)
        for column in at.columns
        for iteration in range(at.snapshot_every, at.iterations + 1, at.snapshot_every)
    )
    return _study("miniature", at, cells, searches.values(), snapshots)


def _study(name, at, cells, searches, snapshots=()):
    return Study(
        name=name, scale="demo", paper="none", exhibit="Table 0", title="A miniature",
        question="Does the engine work?", settings=at, cells=tuple(cells),
        searches=tuple(searches), snapshots=snapshots, baselines=at.baselines,
    )  # fmt: skip


def _template(at, column, n_images, ema=0.999):
    """Returns scores of few images of the last snapshot, sampled by CAS."""
    return Score(
        sample=SampleSpec(
            model=Snapshot(train=at.training(column), iteration=at.iterations),
            ema=ema,
            sampler=Cas(epsilon=FIRST_EPSILON["cas", 1], n_sigma=1),
            chunk_images=at.chunk_images,
        ),
        protocol=at.protocol.replace(n_images=n_images, seeds="search"),
    )


def _selection(at, column):
    iterations = tuple(range(at.snapshot_every, at.iterations + 1, at.snapshot_every))
    return Search(
        name=f"snapshot and EMA, {column}",
        space=ParameterSpace(
            template=_template(at, column, at.selection.n_images),
            parameters=(
                OneOf(name="iteration", path="sample.model.iteration", values=iterations),
                OneOf(name="ema", path="sample.ema", values=at.train.ema),
            ),
        ),
        n_trials=at.selection.n_trials,
        starts=({"iteration": at.iterations, "ema": 0.999},),
    )


def _step_sizes(at, name, n_sigma, column, selection, earlier):
    start = FIRST_EPSILON[name, n_sigma]
    sampler = SAMPLERS[name](epsilon=start, n_sigma=n_sigma)
    score = _template(at, column, at.search.n_images)
    return Search(
        name=f"{name} n_sigma={n_sigma}, {column}",
        space=StepSizeSpace(
            template=score.replace(sample=score.sample.replace(sampler=sampler)), round_size=1
        ),
        n_trials=at.search.n_trials,
        starts=({EPSILON: start},),
        ladder=(Rung(n_images=at.search.top_images, keep=at.search.keep),),
        after=earlier,
        model_of=selection,
        tolerance=at.search.tolerance,
    )


def first_score(study, search="cas n_sigma=1, non-adversarial", n_images=40):
    """Returns a score of a search of a study, at a step size that leaves noise in raw images."""
    (found,) = [s for s in study.searches if s.name == search]
    return found.space.score({EPSILON: 0.008}, Rung(n_images=n_images, keep=1))


def joint_study(*, keep=(6, 3, 1)):
    """Returns a search of lambda and n_D of an adversarial training, on three rungs.

    Args:
        keep: number of trials on each rung; each rung trains longer and measures more images.
    """
    iterations, images = (2, 4, 6), (10, 20, 30)
    at = Settings(
        train=BRIEF, iterations=iterations[0], extractor=COARSE,
        chunk_images=10, n_images=20,
    )  # fmt: skip
    choice = {"lambda": 1.0, "n_D": 2}
    objective = "sample.model.train.objective"
    space = ParameterSpace(
        template=_template(at, "adversarial", images[0], ema=0.99),
        parameters=(
            LogUniform(name="lambda", path=f"{objective}.lambda_", low=0.01, high=100.0),
            OneOf(name="n_D", path=f"{objective}.n_d", values=(1, 2)),
        ),
        round_size=2,
    )
    search = Search(
        name="lambda and n_D", space=space, n_trials=keep[0], starts=(choice,),
        ladder=tuple(map(Rung, images[1:], keep[1:], iterations[1:])),
        starts_from="the paper's choice",
    )  # fmt: skip
    given = space.score(choice, search.ladder[-1]).sample
    cells = [
        Cell(row=row, column="fd", protocol=at.protocol, **measured)
        for row, measured in (
            ("the best found", {"search": search}),
            ("the paper's choice", {"sample": given}),
        )
    ]
    return _study("joint", at, cells, (search,))


def front_study():
    """Returns a search of the step size and the EMA decay by both a distance and coverage."""
    at = Settings(train=BRIEF, iterations=4, extractor=COARSE, chunk_images=20, n_images=40)
    coverage = NeighboursProtocol(
        extractor=at.extractor, data=DATA, n_images=40, seeds="search", n_real=40, k=2,
        statistic="coverage", classwise=False,
    )  # fmt: skip
    search = Search(
        name="epsilon and EMA",
        space=MultiObjectiveSpace(
            template=_template(at, "non-adversarial", 40),
            parameters=(
                LogUniform(name=EPSILON, path="sample.sampler.epsilon", low=0.007, high=0.013),
                OneOf(name="ema", path="sample.ema", values=at.train.ema),
            ),
            other_protocols=(coverage,),
            round_size=2,
        ),
        n_trials=5,
        starts=({EPSILON: 0.01, "ema": 0.999},),
    )
    cells = [
        Cell(
            row="least distance on the front", column=protocol.name, search=search,
            protocol=protocol.replace(seeds="fresh"), quantities=("denoised",),
        )
        for protocol in (at.protocol, coverage)
    ]  # fmt: skip
    return _study("front", at, cells, (search,))
