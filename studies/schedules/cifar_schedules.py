"""Figures 3 and 6 of a report on noise schedules: families of schedules on CIFAR-10.

Question: as in `mnist_schedules`, which family of noise schedules makes the best images? On
CIFAR-10, sigma_1 = 1 is far below the distance between two images, and sigma_1 = 50 about as large.

Source: the report named in `schedule_table`, Figures 1, 3, 6 and 10. Numbers are known for Figure 6
only: FID 40.05 for the geometric, 47.59 for the sigmoid and 305.74 for the squared cosine schedule.
With ten geometric levels the authors of NCSN report 25.32, which the report did not reach.

Command: ``python -m studies.run cifar_schedules [--scale paper]``

Iterations, snapshots and averages are as in `mnist_schedules`; the network has 128 channels. For
Figure 6, the report's Section 7 states sigma_1 = 30 in the text and 50 in the caption; the study
follows the caption.

Demo scale: colour patches of 8 x 8 pixels from two photographs, mirrored in training; a residual
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
    """Returns settings for patches of photographs, with three snapshots per training."""
    data = Photographs(size=8)
    of = mnist_schedules.demo()
    return of.replace(
        train=of.train.replace(data=data, flips=True),
        many=GeometricSchedule(sigma_1=7.0, sigma_L=0.01, n_levels=40),
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
    )


def paper() -> ScheduleSettings:
    """Returns the report's settings, and those of NCSN's authors where the report gives none."""
    of = mnist_schedules.paper()
    return of.replace(
        train=of.train.replace(data=Cifar10(), network=Ncsn()),
        many=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=200),
    )


def study(scale: str, at: ScheduleSettings) -> Study:
    """Returns the study: one row per family of schedules, one column per number of levels."""
    return build(EXHIBIT, scale, at)
