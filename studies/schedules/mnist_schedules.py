"""Figures 2 and 5 of a report on noise schedules: families of schedules on MNIST.

Question: which family of noise schedules makes the best images, with ten levels from sigma_1 = 1
and with two hundred levels from sigma_1 = 30?

Source: the report named in `schedule_table`, Figures 1, 2, 5 and 9. Numbers are known for Figure 5
only: FID 9.65 for the geometric, 22.69 for the sigmoid and 220.42 for the squared cosine schedule.
For the FID, a grey image is repeated in three equal channels.

Command: ``python -m studies.run mnist_schedules [--scale paper]``

The report mirrors its training images, digits too. Paper scale does the same and measures distances
to digits that are not mirrored, as the report must have done; ``--set train.flips=false`` turns
mirroring off. The report states neither the number of iterations, nor the snapshots, nor whether
weights are averaged. Paper scale therefore uses the settings of NCSN's authors: 200,000 iterations,
a snapshot every 5,000, no averaging, 64 channels for MNIST.

Demo scale: scikit-learn's digits and a residual perceptron that reads sigma, since a convolutional
network takes some twenty times as long on two cores. 40 levels from sigma_1 = 5 replace 200 levels
from sigma_1 = 30; either sigma_1 is about the largest distance between two digits of the data set.
T = 10 replaces T = 100.
"""

from scorelib.data import Digits, Mnist
from scorelib.losses import Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import Ncsn, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.schedules.schedule_table import FEW_LEVELS, ScheduleSettings, ScheduleTable, build
from tuning.stages import TrainSpec
from tuning.study import Study

EXHIBIT = ScheduleTable(
    name="mnist_schedules",
    label="Figures 2 and 5",
    title="Noise schedules on MNIST, raw / denoised",
    data=Mnist(),
    where={"table": "fig7-mnist", "column": "sigma_1=30"},
    source="Figure 5",
    levels="L = 200, sigma_1 = 30",
    families=("geometric", "squared_cosine", "sigmoid"),
)


def demo() -> ScheduleSettings:
    """Returns settings for scikit-learn's digits, with three snapshots per training."""
    data = Digits()
    return ScheduleSettings(
        train=TrainSpec(
            data=data,
            network=ResidualMlp(width=128, depth=3, conditional=True),
            schedule=FEW_LEVELS,
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=(0.99,),
            batch_size=128,
        ),
        many=GeometricSchedule(sigma_1=5.0, sigma_L=0.01, n_levels=40),
        n_sigma=10,
        iterations=3000,
        snapshot_every=1000,
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        n_images=2000,
        seeds=2,
    )


def paper() -> ScheduleSettings:
    """Returns the report's settings, and those of NCSN's authors where the report gives none."""
    return ScheduleSettings(
        train=TrainSpec(
            data=Mnist(),
            network=Ncsn(ngf=64),
            schedule=FEW_LEVELS,
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=(0.0,),
            batch_size=128,
            flips=True,
        ),
        many=GeometricSchedule(sigma_1=30.0, sigma_L=0.01, n_levels=200),
        iterations=200_000,
        snapshot_every=5_000,
        extractor=InceptionFeatures(),
        n_images=10_000,
        seeds=3,
    )


def study(scale: str, at: ScheduleSettings) -> Study:
    """Returns the study: one row per family of schedules, one column per number of levels."""
    return build(EXHIBIT, scale, at)
