"""Figures 2 and 5 of a report on noise schedules: families of schedules on MNIST.

What is asked: which family of noise schedules makes the best images, with ten levels from
sigma_1 = 1 and with two hundred from 30?

Source: the report named in `schedule_table`, Figures 1, 2, 5 and 9; of its numbers those of
Figure 5 are known (geometric 9.65, sigmoid 22.69, squared cosine 220.42). FID of grey images is of
three equal channels.

Command: ``python -m studies.run mnist_schedules [--scale paper]``

The report mirrors its training images, digits too: so does paper scale, and measures them against
digits that are not, as it must have (``--set train.flips=false`` mirrors none). It says nothing of
the number of iterations, of snapshots or of averaged weights; paper scale has those of NCSN's
authors: 200,000, one every 5,000, none averaged, 64 channels for MNIST.

Demo scale: scikit-learn's digits; a residual perceptron that reads sigma, since a convolutional
network takes some twenty times as long on two cores; 40 levels from sigma_1 = 5, about the largest
distance between two digits as 30 is for MNIST, for 200 from 30; T = 10 instead of 100.
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
    """Digits, three snapshots of each training."""
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
    """The report's settings, and where it has none those of NCSN's authors."""
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
    """The study with given settings: five families, few levels and many."""
    return build(EXHIBIT, scale, at)
