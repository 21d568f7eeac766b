"""A score model of a user's own, for tests: the exact score of some digits, never trained."""

from dataclasses import dataclass

from torch import nn

from scorelib.data import DataSpec, Digits
from scorelib.exact.parzen import Parzen
from scorelib.schedules import GeometricSchedule, Schedule
from tuning.stages import ScoreModel


class Exact(nn.Module):
    def __init__(self, images):
        super().__init__()
        self.parzen = Parzen(images.flatten(1))

    def forward(self, x, sigma):
        levels = sigma.double().expand(len(x))
        score = self.parzen.prior_score(x.flatten(1).double(), levels)
        return (levels[:, None] * score).reshape(x.shape).to(x)


@dataclass(frozen=True, kw_only=True)
class Memory(ScoreModel):
    """The exact score of the first images of a data set."""

    KIND = "tests:Memory"

    data: DataSpec
    schedule: Schedule
    n: int = 100

    @property
    def target(self):
        return self.data

    @property
    def levels(self):
        return self.schedule

    def score_network(self, at, ema):
        return Exact(at.images(self.data, "train")[0][: self.n])


LEVELS = GeometricSchedule(sigma_1=3.0, sigma_L=0.1, n_levels=6)
MODEL = Memory(data=Digits(), schedule=LEVELS)
SMALL = {
    "images": "Digits", "samplers": '["cas"]', "n_sigma": "[1, 2]", "n_images": "40", "seeds": "1",
    "chunk_images": "40", "search.n_trials": "2", "search.n_images": "40", "search.keep": "1",
    "search.top_images": "40",
    "extractor": '{"spec": "ClassifierOfImages", "iterations": 20, "width": 2, "n_features": 4}',
}  # fmt: skip
