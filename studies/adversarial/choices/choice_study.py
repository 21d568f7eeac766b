"""The layout shared by the studies of Appendix B of "Adversarial score matching".

The paper, "Adversarial score matching and improved sampling", reports its choices (the GAN loss,
Adam's betas, lambda, n_D, the EMA decay, the snapshot) from "quick experiments", without numbers.
Each of these studies makes one choice by a recorded search with successive halving. On the first
rung, all trials have a short training and few images. On each further rung, the best trials
continue with a longer training and more images; the longer training continues the shorter training
from the store. The first trial is the paper's own choice. The table has two cells: the best
settings found and the paper's choice. Both are trained as long as the trials of the last rung, and
are measured on images from fresh seeds.

Symbols: lambda is the weight of denoising score matching beside the GAN term of the loss, n_D the
number of discriminator steps per step of the score network, and EMA the exponential moving average
of the weights.

Unless the search includes the step size, images are sampled by consistent annealed sampling (CAS)
with one step per noise level, at a step size that is not tuned (r = 1.5; `initial_step_sizes`
defines r).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from scorelib.errors import require_input
from scorelib.metrics.features import Extractor
from scorelib.samplers import Cas
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.demo_settings import digits
from studies.common.claims import between
from studies.common.distances import baselines
from studies.common.execution_settings import SamplingSettings
from studies.common.exhibit import Exhibit
from studies.common.initial_step_sizes import initial_step_size
from tuning.cells import Cell, Search
from tuning.spaces import LogUniform, OneOf, ParameterSpace, Rung
from tuning.stages import FidProtocol, SampleSpec, Score, Snapshot, TrainSpec
from tuning.store.ledger import Values
from tuning.study import Study

OPTIMIZER = "sample.model.train.optimizer"
OBJECTIVE = "sample.model.train.objective"

PAPERS_CHOICE = "the paper's choice"
BEST_FOUND = "the best found"


@dataclass(frozen=True, kw_only=True)
class ChoiceSettings(SamplingSettings):
    """Settings of a study of this layout.

    Attributes:
        train: training run; the search replaces some of its fields.
        ema: EMA decay of the weights that images are sampled with, one of `train.ema`.
        epsilon: step size of CAS with one step per level, in squared data units, > 0; None for r =
            1.5.
        iterations: training iterations on each rung of the ladder, >= 1, non-decreasing.
        images: images per trial on each rung, >= 1, non-decreasing.
        keep: number of trials on each rung, >= 1, non-increasing: trials on the first rung, then
            trials that continue.
        round_size: number of trials that are proposed together, >= 1.
        extractor: feature extractor of the distances.
        chunk_images: images per sampling job, >= 1.
        n_images: images per cell and seed, >= 2.
        seeds: number of fresh seeds that each cell is measured with, >= 1.
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
        """Raises InputError if the values of the rungs or `seeds` are outside their ranges."""
        require_input(self.seeds >= 1, f"seeds must be at least 1, but got {self.seeds}")
        rungs = (self.iterations, self.images, self.keep)
        is_ladder = len({len(r) for r in rungs}) == 1 and all(r and min(r) >= 1 for r in rungs)
        climbs = [sorted(self.iterations), sorted(self.images), sorted(self.keep, reverse=True)]
        require_input(
            is_ladder and [list(r) for r in rungs] == climbs,
            "iterations, images and keep must have one value >= 1 for each rung, iterations and "
            "images must not decrease, and keep must not increase, but got "
            f"(iterations={self.iterations}, images={self.images}, keep={self.keep})",
        )

    @property
    def sampler(self) -> Cas:
        """The sampler of all trials, unless the search includes the step size."""
        epsilon = self.epsilon or initial_step_size("cas", 1, self.train.schedule)
        return Cas(epsilon=epsilon, n_sigma=1)


@dataclass(frozen=True, kw_only=True)
class Choice(Exhibit):
    """A choice of hyperparameters in Appendix B."""

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
    """Returns the study of a choice: a search, the best settings found and the paper's choice.

    Args:
        exhibit: the choice.
        scale: "demo" or "paper".
        at: settings of the study.
        parameters: parameters of the search.
        papers_choice: values that the paper chose, by name of the parameter.
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
                precision=at.sampling_precision,
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
    papers = space.score(papers_choice, last)
    assert isinstance(papers, Score)
    shared: dict[str, Any] = {
        "column": protocol.name, "protocol": protocol, "n_seeds": at.seeds,
    }  # fmt: skip
    cells = (
        Cell(row=BEST_FOUND, search=search, **shared),
        Cell(row=PAPERS_CHOICE, sample=papers.sample, **shared),
    )
    claim = between(
        cells,
        f"the paper's choice is as good as the best found ({exhibit.title})",
        exhibit.label,
        rows={PAPERS_CHOICE: [BEST_FOUND]},
        or_equal=True,
    )
    return exhibit.study(
        scale,
        at,
        cells,
        searches=(search,),
        claims=(claim,),
        baselines=baselines(protocol),
    )


def demo(*, keep: tuple[int, ...] = (16, 4)) -> ChoiceSettings:
    """Returns settings with the digits and networks of Tables 1 to 3, and two rungs.

    Args:
        keep: number of trials on each rung.
    """
    table = digits()
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
    """Returns settings for CIFAR-10 as in Table 1, and three rungs.

    The step size is that of the adversarial column of Table 1 for CAS.

    Args:
        keep: number of trials on each rung.
    """
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
