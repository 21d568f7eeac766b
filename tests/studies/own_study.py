"""The text of a user's study, for tests: an own network on the digits, two tiny cells."""

TEXT = """
from dataclasses import dataclass

from torch import nn

from scorelib.data import Digits
from scorelib.losses import Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.networks import NetworkSpec, ScoreNetwork
from scorelib.optim import AdamSpec
from scorelib.samplers import Cas
from scorelib.schedules import GeometricSchedule
from studies.common.execution_settings import StudySettings
from tuning.stages import FidProtocol, SampleSpec, Snapshot, TrainSpec
from tuning.cells import Cell
from tuning.study import Study


class Eps(ScoreNetwork):
    def __init__(self, size, width):
        super().__init__()
        self.net = nn.Sequential(nn.Linear(size, width), nn.SiLU(), nn.Linear(width, size))

    def forward(self, x, sigma):
        u = 2 * x.flatten(1) - 1
        u = u / (1 + u.square().mean(1, keepdim=True)).sqrt()
        return -(u + self.net(u)).reshape(x.shape)


@dataclass(frozen=True, kw_only=True)
class EpsSpec(NetworkSpec):
    width: int = 8
    conditional = False

    def build(self, shape):
        return Eps(shape[0] * shape[1] * shape[2], self.width)


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    widths: tuple[int, ...] = (4, 8)
    iterations: int = 20


SCALES = {"demo": Settings}


def study(at):
    digits, cells = Digits(), []
    classifier = ClassifierSpec(data=digits, iterations=5, width=4, n_features=8)
    protocol = FidProtocol(
        extractor=ClassifierFeatures(classifier=classifier), data=digits, n_images=40, seeds="fresh"
    )
    for width in at.widths:
        train = TrainSpec(
            data=digits, network=EpsSpec(width=width), objective=Dsm(), ema=(0.9,), batch_size=16,
            schedule=GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=6),
            optimizer=AdamSpec(learning_rate=1e-3),
        )
        sample = SampleSpec(
            model=Snapshot(train=train, iteration=at.iterations), ema=0.9,
            sampler=Cas(n_sigma=1, epsilon=0.008), chunk_images=20,
        )
        cells.append(Cell(row=f"width {width}", column="mine", sample=sample, protocol=protocol))
    return Study(cells=tuple(cells), title="the width of my network")
"""
