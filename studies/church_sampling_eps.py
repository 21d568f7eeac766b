"""Table 2 of "Adversarial score matching and improved sampling": step sizes on LSUN-churches.

What is asked: the same as of Table 1 (`studies.cifar_sampling_eps`), on larger photographs.

Source: https://arxiv.org/abs/2009.05475: Table 2 (FID), its rows of Table 5 (epsilon). How the
choices are made, and the settings that follow the authors' code instead: `studies.sampling_table`.

Command: ``python -m studies.run church_sampling_eps [--scale paper]``

Demo scale: 8 x 8 patches of scikit-learn's two photographs, a residual perceptron, Frechet
distances in the features of a classifier that tells the photographs apart. sigma_1 is the largest
distance between two patches (13.6); sigma_L is .1 for the reason given with Table 1.

Paper scale: LSUN-churches at 64 x 64, NCSNv2Deeper (83,445,379 parameters), 200k iterations, sigma
140 to .01 in 788 levels, one discriminator step per score step, Inception FID on 10k images
measured to the training split. Expected (reported): see `reported.csv`.
"""

from scorelib.data import Lsun, Photographs
from scorelib.losses import Adversarial, Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import BigGanDiscriminator, Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.local import at_scale
from studies.sampling_table import Exhibit, build
from studies.table_settings import SearchSettings, SelectionSettings, TableSettings
from tuning.stages import TrainSpec
from tuning.study import Study

EXHIBIT = Exhibit(
    study="church_sampling_eps",
    exhibit="Table 2",
    title="Raw / denoised distance by sampler, each at its best step size",
    dataset="lsun_church64",
    network="ncsnv2",
    data=Lsun(category="church_outdoor", size=64),
    schedule=GeometricSchedule(sigma_1=140.0, sigma_L=0.01, n_levels=788),
)


def settings(scale: str) -> TableSettings:
    """The study's settings at a scale.

    Raises:
        InputError: an unknown scale.
    """
    return at_scale(scale, demo=demo, paper=paper)


def study(scale: str, at: TableSettings) -> Study:
    """The study with given settings: Table 2's cells and a search for each."""
    return build(EXHIBIT, scale, at)


def demo() -> TableSettings:
    """Patches of photographs, minutes on a CPU."""
    data = Photographs(size=8)
    return TableSettings(
        train=TrainSpec(
            data=data,
            network=ResidualMlp(width=256, depth=3),
            schedule=GeometricSchedule(sigma_1=13.6, sigma_L=0.1, n_levels=30),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=(0.99, 0.999),
            batch_size=128,
            flips=True,
        ),
        adversarial=Adversarial(n_d=1, discriminator=BigGanDiscriminator(width=4)),
        iterations=4000,
        snapshot_every=2000,
        iteration=4000,
        ema=0.999,
        selection=SelectionSettings(n_trials=4, n_images=1000),
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        chunk_images=500,
        search=SearchSettings(n_trials=6, round_size=1, n_images=1000, top_images=2000, keep=2),
        n_images=2000,
        seeds=2,
    )


def paper() -> TableSettings:
    """The paper's settings."""
    return TableSettings(
        train=TrainSpec(
            data=EXHIBIT.data,
            network=Ncsnv2(multipliers=(1, 2, 2, 4, 4)),
            schedule=EXHIBIT.schedule,
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-4),
            ema=(0.999, 0.9999),
            batch_size=128,
            flips=True,
        ),
        adversarial=Adversarial(n_d=1),
        iterations=200_000,
        snapshot_every=2_500,
        iteration=180_000,
        ema=0.999,
        selection=SelectionSettings(n_trials=24, n_images=4000),
        extractor=InceptionFeatures(),
        chunk_images=500,
        search=SearchSettings(n_trials=16, round_size=1, n_images=5000, top_images=10_000, keep=2),
        n_images=10_000,
        seeds=3,
    )
