"""Figures 3 and 6 of a report on noise schedules: families of schedules on CIFAR-10.

What is asked: as in `mnist_schedules`, where sigma_1 = 1 is far below, and 50 about as large as,
the distance between two images.

Source: the report named in `schedule_table`, Figures 1, 3, 6 and 10; of its numbers those
of Figure 6 are known (geometric 40.05, sigmoid 47.59, squared cosine 305.74). With ten geometric
levels the authors of NCSN report 25.32, which the report did not reach.

Command: ``python -m studies.run cifar_schedules [--scale paper]``

Iterations, snapshots and averages as in `mnist_schedules`; 128 channels. The report's Section 7 has
sigma_1 = 30 for its Figure 6 in the text, 50 in the caption: the caption is followed.

Demo scale: colour patches of 8 x 8 pixels of two photographs, mirrored in training; a residual
perceptron that reads sigma; 40 levels from sigma_1 = 7, about the largest distance between two
patches; T = 10.
"""

from scorelib.data import Cifar10, Photographs
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.networks import Ncsn
from scorelib.schedules import GeometricSchedule
from studies.schedules import mnist_schedules
from studies.schedules.schedule_table import ScheduleSettings, ScheduleTable, build
from tuning.study import Study

EXHIBIT = ScheduleTable(
    name="cifar_schedules",
    label="Figures 3 and 6",
    title="Noise schedules on CIFAR-10, raw / denoised",
    data=Cifar10(),
    where={"table": "fig7-cifar10", "column": "sigma_1=50"},
    source="Figure 6",
    levels="L = 200, sigma_1 = 50",
    families=("geometric", "squared_cosine", "sigmoid"),
)


def demo() -> ScheduleSettings:
    """Patches of photographs, three snapshots of each training."""
    data = Photographs(size=8)
    of = mnist_schedules.demo()
    return of.replace(
        train=of.train.replace(data=data, flips=True),
        many=GeometricSchedule(sigma_1=7.0, sigma_L=0.01, n_levels=40),
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
    )


def paper() -> ScheduleSettings:
    """The report's settings, and where it has none those of NCSN's authors."""
    of = mnist_schedules.paper()
    return of.replace(
        train=of.train.replace(data=Cifar10(), network=Ncsn()),
        many=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=200),
    )


def study(scale: str, at: ScheduleSettings) -> Study:
    """The study with given settings: five families, few levels and many."""
    return build(EXHIBIT, scale, at)
