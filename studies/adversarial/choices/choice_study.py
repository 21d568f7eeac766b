"""The form of the studies of Appendix B of "Adversarial score matching and improved sampling".

The paper reports what it chose (the GAN loss, Adam's betas, lambda, n_D, the EMA decay, the
snapshot) from "quick experiments", without numbers. Each of these studies makes such a choice as a
recorded search, by successive halving: all trials on a short training and few images, the best of
them on longer ones, through the store, so a longer training continues the shorter. The paper's own
choice is the first trial. Two cells say what came of it, on fresh seeds at the last rung: the best
that was found, and the paper's choice.

Images come from CAS with one step per level at a step size that is not tuned (r = 1.5, see
`initial_step_sizes`) unless the search is over the step size too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scorelib.errors import require_input
from scorelib.metrics.features import Extractor
from scorelib.samplers import Cas
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.common.distances import baselines
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import initial_step_size
from tuning.spaces import LogUniform, OneOf, ParameterSpace, Rung
from tuning.stages import FidProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.store.ledger import Values
from tuning.study import Cell, Search, Study

OPTIMIZER = "sample.model.train.optimizer"
OBJECTIVE = "sample.model.train.objective"

PAPERS_CHOICE = "the paper's choice"
BEST_FOUND = "the best found"


@dataclass(frozen=True, kw_only=True)
class ChoiceSettings(StudySettings):
    """Everything that defines such a study at a scale; each field can be set on the command line.

    Attributes:
        train: training run; the search replaces some of its fields.
        ema: EMA decay that is sampled from.
        epsilon: step size of CAS with one step per level; None for r = 1.5.
        iterations: of training, on each rung of the ladder, never falling.
        images: that trials are measured on, on each rung, never falling.
        keep: trials on each rung: how many are tried, and how many of them go on.
        round_size: trials proposed together.
        extractor: features of the distances.
        chunk_images: images per sampling job.
        n_images: images per cell and seed.
        seeds: fresh seeds each cell is measured with.
    """

    KIND = "ChoiceSettings"

    train: TrainSpec
    ema: float
    epsilon: float | None = None
    iterations: tuple[int, ...]
    images: tuple[int, ...]
    keep: tuple[int, ...]
    round_size: int = 2
    extractor: Extractor
    chunk_images: int = 500
    n_images: int
    seeds: int

    def validate(self) -> None:
        """Refuses ladders that lead nowhere."""
        rungs = (self.iterations, self.images, self.keep)
        is_ladder = len({len(r) for r in rungs}) == 1 and all(r and min(r) >= 1 for r in rungs)
        climbs = [sorted(self.iterations), sorted(self.images), sorted(self.keep, reverse=True)]
        require_input(
            is_ladder and [list(r) for r in rungs] == climbs and self.seeds >= 1,
            "iterations, images and keep must have a value >= 1 for each rung, the first two "
            "never falling, keep never rising, and seeds must be at least 1; got "
            f"{self.iterations}, {self.images}, {self.keep} and {self.seeds}",
        )

    @property
    def sampler(self) -> Cas:
        """The sampler of all trials that do not search it."""
        epsilon = self.epsilon or initial_step_size("cas", 1, self.train.schedule)
        return Cas(epsilon=epsilon, n_sigma=1)


@dataclass(frozen=True, kw_only=True)
class Choice(Exhibit):
    """One of the choices of Appendix B."""

    paper: str = "acsm"
    label: str = "Appendix B"
    figures: tuple[str, ...] = ("noise_schedules", "searches", "losses")
    notes: tuple[str, ...] = ("the paper reports its choice without numbers",)


def build(
    exhibit: Choice,
    scale: str,
    at: ChoiceSettings,
    parameters: Sequence[OneOf | LogUniform],
    papers_choice: Values,
) -> Study:
    """The study of one choice: its search, and the best found beside the paper's choice.

    Args:
        exhibit: what is chosen.
        scale: "demo" or "paper".
        at: its settings.
        parameters: what is searched.
        papers_choice: the paper's values, by parameter.
    """
    protocol = FidProtocol(
        extractor=at.extractor, data=at.train.data, n_images=at.n_images, seeds="fresh"
    )
    space = ParameterSpace(
        template=Score(
            sample=SampleSpec(
                model=Snapshot(train=at.train, iteration=at.iterations[0]),
                ema=at.ema,
                sampler=at.sampler,
                chunk_images=at.chunk_images,
            ),
            protocol=protocol.replace(n_images=at.images[0], seeds="search"),
        ),
        parameters=tuple(parameters),
        round_size=at.round_size,
    )
    search = Search(
        name=exhibit.title,
        space=space,
        n_trials=at.keep[0],
        starts=(papers_choice,),
        ladder=tuple(map(Rung, at.images[1:], at.keep[1:], at.iterations[1:])),
        starts_from=PAPERS_CHOICE,
    )
    last = search.ladder[-1] if search.ladder else None
    papers = space.score(papers_choice, last).sample
    shared: dict[str, Any] = {
        "column": protocol.name, "protocol": protocol, "n_seeds": at.seeds,
    }  # fmt: skip
    return exhibit.study(
        scale,
        at,
        (
            Cell(row=BEST_FOUND, search=search, **shared),
            Cell(row=PAPERS_CHOICE, sample=papers, **shared),
        ),
        searches=(search,),
        baselines=baselines(protocol),
    )


def demo(*, keep: tuple[int, ...] = (16, 4)) -> ChoiceSettings:
    """Digits and networks as in Table 1's demo, a small discriminator; two rungs."""
    table = cifar_sampling_eps.demo()
    return ChoiceSettings(
        train=table.training("adversarial").replace(batch_size=64),
        ema=0.99,
        iterations=(600, 1800),
        images=(1000, 2000),
        keep=keep,
        extractor=table.extractor,
        n_images=2000,
        seeds=2,
    )


def paper(*, keep: tuple[int, ...] = (24, 8, 3)) -> ChoiceSettings:
    """CIFAR-10 as in Table 1, at its adversarial step size for CAS; three rungs."""
    table = cifar_sampling_eps.paper()
    return ChoiceSettings(
        train=table.training("adversarial"),
        ema=table.ema,
        epsilon=5.6e-6,
        iterations=(50_000, 100_000, 300_000),
        images=(1_000, 5_000, 10_000),
        keep=keep,
        extractor=table.extractor,
        n_images=table.n_images,
        seeds=table.seeds,
    )
