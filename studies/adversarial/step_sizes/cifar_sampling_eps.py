"""Table 1 of "Adversarial score matching and improved sampling": step sizes on CIFAR-10.

Question: how do annealed Langevin sampling (ALS) and consistent annealed sampling (CAS) compare,
with and without denoising of the result, and with and without adversarial training, if each sampler
uses its own best step size epsilon?

Source: Jolicoeur-Martineau, Piche-Taillefer, Tachet des Combes, Mitliagkas, ICLR 2021,
https://arxiv.org/abs/2009.05475: Table 1 (FID), the corresponding rows of Table 5 (epsilon), Figure
3. `sampling_table` describes the searches, and `table_settings` the settings that follow the
authors' code.

Command: ``python -m studies.run cifar_sampling_eps [--scale paper]``

Demo scale: scikit-learn's digits, a residual perceptron, Frechet distances in the features of a
small classifier. Other settings are adapted to these data:

- The EMA decays are .99 and .999. After a few thousand iterations, an average with a decay of .9999
  would still consist mostly of the initial weights.
- The lowest noise level sigma_L is .1 instead of .01. The classifier hardly reacts to noise of .01,
  so the distances of raw and denoised digits would hardly differ.
- The highest noise level sigma_1 is 4.8, the largest distance between two digits (4.81). Song and
  Ermon recommend the largest distance between two training images.
- There are 30 noise levels. Song and Ermon's rule (`scorelib.schedules.coverage`) requires 14, but
  ALS with one step per level finds no good step size on a schedule of 14 levels.
- The discriminator is BigGAN's with a sixteenth of its width. It is updated once per update of the
  score network.

Paper scale: CIFAR-10, NCSNv2, 300k iterations, sigma 50 to .01 in 232 levels, Inception FID on 10k
images. Expected numbers (reported): see `reported.csv`. Difference from the paper: each cell is
measured with three seeds that no choice of epsilon has used; the paper does not describe its seeds.
"""

from scorelib.data import Cifar10, Digits
from scorelib.losses import Adversarial, Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.metrics.inception import InceptionFeatures
from scorelib.networks import BigGanDiscriminator, Ncsnv2, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes.sampling_table import SamplingTable, build
from studies.adversarial.step_sizes.table_settings import SelectionSettings, TableSettings
from studies.common.step_size_search import SearchSettings
from tuning.stages import TrainSpec
from tuning.study import Study

EXHIBIT = SamplingTable(
    name="cifar_sampling_eps",
    label="Table 1",
    where={"table": "1", "dataset": "cifar10", "network": "ncsnv2"},
    data=Cifar10(),
    schedule=GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232),
)


def demo() -> TableSettings:
    """Returns settings for digits, with which the study takes minutes on a CPU."""
    data = Digits()
    return TableSettings(
        train=TrainSpec(
            data=data,
            network=ResidualMlp(width=256, depth=3),
            schedule=GeometricSchedule(sigma_1=4.8, sigma_L=0.1, n_levels=30),
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-3),
            ema=(0.99, 0.999),
            batch_size=128,
        ),
        adversarial=Adversarial(n_d=1, discriminator=BigGanDiscriminator(width=4)),
        iterations=4000,
        snapshot_every=2000,
        iteration=4000,
        ema=0.999,
        selection=SelectionSettings(n_trials=4, n_images=1000),
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        chunk_images=500,
        search=SearchSettings(n_trials=20, round_size=1, n_images=1000, top_images=2000, keep=2),
        n_images=3000,
        seeds=2,
    )


def paper() -> TableSettings:
    """Returns the paper's settings."""
    return TableSettings(
        train=TrainSpec(
            data=EXHIBIT.data,
            network=Ncsnv2(),
            schedule=EXHIBIT.schedule,
            objective=Dsm(),
            optimizer=AdamSpec(learning_rate=1e-4),
            ema=(0.999, 0.9999),
            batch_size=128,
            flips=True,
        ),
        adversarial=Adversarial(n_d=2),
        iterations=300_000,
        snapshot_every=2_500,
        iteration=250_000,
        ema=0.9999,
        selection=SelectionSettings(n_trials=24, n_images=5000),
        extractor=InceptionFeatures(),
        chunk_images=500,
        search=SearchSettings(n_trials=16, round_size=1, n_images=5000, top_images=10_000, keep=2),
        n_images=10_000,
        seeds=3,
    )


def study(scale: str, at: TableSettings) -> Study:
    """Returns the study: the cells of Table 1, and a search over the step size for each cell."""
    return build(EXHIBIT, scale, at)
