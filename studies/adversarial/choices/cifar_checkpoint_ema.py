"""Appendix B of "Adversarial score matching and improved sampling": snapshot and EMA decay.

What is asked: how do the images depend on the iteration at which training is stopped and on the
decay of the average that is sampled from?

Source: https://arxiv.org/abs/2009.05475, Appendix B: snapshots every 2,500 iterations, decays .999
and .9999; .9999 was best on CIFAR-10 (at 250,000 iterations by the authors' code, which saves every
5,000: ``snapshot_every=5000``). All decays are tracked in one training, so the whole search
retrains nothing. The form of the study: `choice_study`.

Command: ``python -m studies.run cifar_checkpoint_ema [--scale paper]``
"""

from dataclasses import dataclass
from typing import Any

from scorelib.errors import InputError
from scorelib.losses import Dsm
from scorelib.optim import AdamSpec
from scorelib.spec import fields_of
from studies.adversarial.choices.choice_study import (
    ChoiceSettings,
    Question,
    adversarial_demo,
    adversarial_paper,
    build,
)
from studies.common.execution_settings import at_scale
from tuning.spaces import OneOf
from tuning.study import Study


@dataclass(frozen=True, kw_only=True)
class SnapshotChoiceSettings(ChoiceSettings):
    """Those of Appendix B, with a grid of snapshots instead of a ladder of trainings.

    Attributes:
        train_iterations: length of the training.
        snapshot_every: iterations between snapshots.
    """

    KIND = "SnapshotChoiceSettings"

    train_iterations: int
    snapshot_every: int

    def validate(self) -> None:
        """Refuses a choice that is no snapshot, and ladders over trainings."""
        super().validate()
        if len(self.iterations) != 1:
            raise InputError(
                f"a search over snapshots has one rung; got {len(self.iterations)} in iterations"
            )
        if self.snapshot_every < 1 or not set(self.iterations) <= set(self.snapshots):
            raise InputError(
                "iterations, the paper's choice, must be a multiple of snapshot_every="
                f"{self.snapshot_every} up to {self.train_iterations}; got {self.iterations}"
            )

    @property
    def snapshots(self) -> range:
        """Iterations at which snapshots are made."""
        return range(self.snapshot_every, self.train_iterations + 1, self.snapshot_every)


def settings(scale: str) -> SnapshotChoiceSettings:
    """The study's settings at a scale.

    Raises:
        InputError: an unknown scale.
    """
    return at_scale(scale, demo=demo, paper=paper)


def study(scale: str, at: SnapshotChoiceSettings) -> Study:
    """The study with given settings: a search over snapshots and decays."""
    question = Question(
        study="cifar_checkpoint_ema",
        title="snapshot and EMA",
        asks="Which snapshot and which EMA decay make the best images?",
        papers_choice={"iteration": at.iterations[0], "ema": at.ema},
    )
    return build(
        question,
        scale,
        at,
        [
            OneOf(name="iteration", path="sample.model.iteration", values=tuple(at.snapshots)),
            OneOf(name="ema", path="sample.ema", values=at.train.ema),
        ],
    )


def demo() -> SnapshotChoiceSettings:
    """Digits; all sixteen pairs of eight snapshots and two decays."""
    return SnapshotChoiceSettings(
        **_without_discriminator(adversarial_demo(), learning_rate=1e-3),
        iterations=(4000,), images=(1000,), keep=(16,), train_iterations=4000, snapshot_every=500,
    )  # fmt: skip


def paper() -> SnapshotChoiceSettings:
    """The paper's data and network; a tenth of the 240 pairs."""
    return SnapshotChoiceSettings(
        **_without_discriminator(adversarial_paper(), learning_rate=1e-4),
        iterations=(250_000,), images=(5000,), keep=(24,),
        train_iterations=300_000, snapshot_every=2_500,
    )  # fmt: skip


def _without_discriminator(of: ChoiceSettings, learning_rate: float) -> dict[str, Any]:
    """The adversarial studies' settings but for the ladder, trained by score matching alone."""
    kept = fields_of(of)
    optimizer = AdamSpec(learning_rate=learning_rate)
    kept["train"] = of.train.replace(objective=Dsm(), optimizer=optimizer)
    kept["ema"] = max(of.train.ema)  # the paper's choice of its two
    return {name: kept[name] for name in kept.keys() - {"iterations", "images", "keep"}}
