"""Table 2 of "Adversarial score matching and improved sampling": step sizes on LSUN-churches.

What is asked: the same as of Table 1 (`cifar_sampling_eps`), on larger photographs.

Source: https://arxiv.org/abs/2009.05475: Table 2 (FID), its rows of Table 5 (epsilon). How the
choices are made, and the settings that follow the authors' code instead: `sampling_table`.

Command: ``python -m studies.run church_sampling_eps [--scale paper]``

Demo scale: 8 x 8 patches of scikit-learn's two photographs, a residual perceptron, Frechet
distances in the features of a classifier that tells the photographs apart. sigma_1 is the largest
distance between two patches (13.6); sigma_L is .1 for the reason given with Table 1.

Paper scale: LSUN-churches at 64 x 64, NCSNv2Deeper (83,445,379 parameters), 200k iterations, sigma
140 to .01 in 788 levels, one discriminator step per score step, Inception FID on 10k images
measured to the training split. Expected (reported): see `reported.csv`.
"""

from scorelib.data import Lsun, Photographs
from scorelib.losses import Adversarial
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.networks import Ncsnv2
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.sampling_table import SamplingTable, build
from studies.adversarial.step_sizes.table_settings import TableSettings
from tuning.study import Study

EXHIBIT = SamplingTable(
    name="church_sampling_eps",
    label="Table 2",
    where={"table": "2", "dataset": "lsun_church64", "network": "ncsnv2"},
    data=Lsun(category="church_outdoor", size=64),
    schedule=GeometricSchedule(sigma_1=140.0, sigma_L=0.01, n_levels=788),
)


def demo() -> TableSettings:
    """Patches of photographs, minutes on a CPU; else as for CIFAR-10."""
    at, data = cifar_sampling_eps.demo(), Photographs(size=8)
    schedule = at.train.schedule.replace(sigma_1=13.6)
    return at.replace(
        train=at.train.replace(data=data, schedule=schedule, flips=True),
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        n_images=2000,
    )


def paper() -> TableSettings:
    """The paper's settings; what is not named is as for CIFAR-10."""
    at = cifar_sampling_eps.paper()
    return at.replace(
        train=at.train.replace(
            data=EXHIBIT.data,
            network=Ncsnv2(multipliers=(1, 2, 2, 4, 4)),
            schedule=EXHIBIT.schedule,
        ),
        adversarial=Adversarial(n_d=1),
        iterations=200_000,
        iteration=180_000,
        ema=0.999,
        selection=at.selection.replace(n_images=4000),
    )


def study(scale: str, at: TableSettings) -> Study:
    """The study with given settings: Table 2's cells and a search for each."""
    return build(EXHIBIT, scale, at)
