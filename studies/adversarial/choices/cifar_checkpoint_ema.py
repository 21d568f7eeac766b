"""Appendix B of "Adversarial score matching and improved sampling": snapshot and EMA decay.

Question: how do the images depend on the iteration at which training stops and on the EMA decay of
the weights that images are sampled with?

Source: https://arxiv.org/abs/2009.05475, Appendix B: snapshots every 2,500 iterations, decays .999
and .9999; .9999 was best on CIFAR-10. The authors' code uses 250,000 iterations and saves snapshots
every 5,000 (``snapshot_every=5000``). One training tracks all decays, so the search needs one
training only. For the layout of the study see `choice_study`.

Command: ``python -m studies.run cifar_checkpoint_ema [--scale paper]``
"""

from dataclasses import dataclass
from typing import Any

from scorelib.errors import require_input
from scorelib.losses import Dsm
from scorelib.optim import AdamSpec
from scorelib.spec import fields_of
from studies.adversarial.choices import choice_study
from studies.adversarial.choices.choice_study import Choice, ChoiceSettings, build
from studies.common.snapshots import require_snapshot, snapshot_iterations
from tuning.spaces import OneOf
from tuning.study import Study

EXHIBIT = Choice(
    name="cifar_checkpoint_ema",
    title="snapshot and EMA",
    question="Which snapshot and which EMA decay make the best images?",
)


@dataclass(frozen=True, kw_only=True)
class SnapshotChoiceSettings(ChoiceSettings):
    """Settings of `ChoiceSettings`, with a grid of snapshots instead of a ladder of trainings.

    Attributes:
        train_iterations: length of the training, in iterations, >= `snapshot_every`.
        snapshot_every: iterations between snapshots, >= 1.
    """

    KIND = "SnapshotChoiceSettings"

    train_iterations: int
    snapshot_every: int

    def validate(self) -> None:
        """Checks the rungs and the paper's choice of the snapshot.

        Raises:
            InputError: `iterations` has more than one value, or the training saves no snapshot at
                its value; also as `ChoiceSettings.validate`.
        """
        super().validate()
        require_input(
            len(self.iterations) == 1,
            f"iterations must have one value here, but got {len(self.iterations)} values",
        )
        require_snapshot(self.iterations[0], self.snapshots, "iterations, the paper's choice,")

    @property
    def snapshots(self) -> range:
        """Iterations at which snapshots are saved."""
        return snapshot_iterations(self.snapshot_every, self.train_iterations)


def demo() -> SnapshotChoiceSettings:
    """Returns settings for digits: all 16 pairs of eight snapshots and two decays."""
    return _without_discriminator(
        choice_study.demo(),
        iterations=(4000,), images=(1000,), keep=(16,), train_iterations=4000, snapshot_every=500,
    )  # fmt: skip


def paper() -> SnapshotChoiceSettings:
    """Returns settings with the paper's data and network: a tenth of the 240 pairs."""
    return _without_discriminator(
        choice_study.paper(),
        iterations=(250_000,), images=(5000,), keep=(24,),
        train_iterations=300_000, snapshot_every=2_500,
    )  # fmt: skip


def _without_discriminator(of: ChoiceSettings, **grid: Any) -> SnapshotChoiceSettings:
    """Returns the settings of the adversarial studies, trained by score matching alone.

    Args:
        of: settings of the adversarial studies.
        grid: fields of `SnapshotChoiceSettings` that are added or replaced.
    """
    optimizer = AdamSpec(learning_rate=of.train.optimizer.learning_rate)
    changed = {
        "train": of.train.replace(objective=Dsm(), optimizer=optimizer),
        "ema": max(of.train.ema),  # the paper's choice among its two decays
    }
    return SnapshotChoiceSettings(**fields_of(of) | changed | grid)


def study(scale: str, at: SnapshotChoiceSettings) -> Study:
    """Returns the study: a search over snapshots and EMA decays."""
    parameters = [
        OneOf(name="iteration", path="sample.model.iteration", values=tuple(at.snapshots)),
        OneOf(name="ema", path="sample.ema", values=at.train.ema),
    ]
    papers_choice = {"iteration": at.iterations[0], "ema": at.ema}
    return build(EXHIBIT, scale, at, parameters, papers_choice)
