"""Tests that measured rates are stored under names that do not change with class names."""

from dataclasses import dataclass

from scorelib.data import Digits
from scorelib.losses import Dsm
from scorelib.networks import ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.registry import STUDIES
from tests.studies.whole.test_keys import with_inputs
from tests.studies.whole_studies import whole_study
from tuning.stages import Frames, Snapshot, TrainSpec

NAMES = {
    "accuracy", "classifier", "features", "features of pixels", "frames", "noise", "reference",
    "renormalisation", "sample DdpmUNet", "sample Ncsn", "sample NcsnPp ResNetClassifier",
    "sample Ncsnv2", "sample PlaneMlp", "sample PlaneMlp PlaneMlpClassifier", "sample ResidualMlp",
    "sample ResidualMlp ResNetClassifier", "score", "shares", "train DdpmUNet Adversarial",
    "train DdpmUNet Dsm", "train Ncsn Dsm", "train NcsnPp Dsm", "train Ncsnv2 Adversarial",
    "train Ncsnv2 Dsm", "train PlaneMlp Dsm", "train PlaneMlpClassifier CrossEntropy",
    "train PlaneMlpClassifier Dlsm", "train ResNetClassifier CrossEntropy",
    "train ResNetClassifier Dlsm", "train ResidualMlp Adversarial", "train ResidualMlp Dsm",
    "yardstick",
}  # fmt: skip
"""The names that version 0.1 stored."""


def test_the_names_of_all_studies_are_those_that_rates_are_stored_under():
    found = set()
    for name in STUDIES:
        for scale in ("demo", "paper"):
            jobs = with_inputs(whole_study(name, scale).known_jobs).values()
            found |= {job.rate_name for job in jobs}
    assert found | {Frames.STAGE.name} >= NAMES, "those of a search's winner are known later"


@dataclass(frozen=True, kw_only=True)
class RenamedNetwork(ResidualMlp):
    """A class with another name but the same declared kind."""

    KIND = "OldName"


def test_a_name_follows_the_kind_and_not_the_class():
    train = TrainSpec(
        data=Digits(), network=RenamedNetwork(), objective=Dsm(), optimizer=AdamSpec(),
        schedule=GeometricSchedule(sigma_1=1.0, sigma_L=0.1, n_levels=4), ema=(0.9,),
    )  # fmt: skip
    assert Snapshot(train=train, iteration=3).rate_name == "train OldName Dsm"
