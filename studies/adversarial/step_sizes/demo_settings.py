"""The demo settings of Tables 1 to 3: small networks on digits or on patches of photographs.

Both data sets are scikit-learn's, and the settings take minutes on a CPU. Settings that differ from
the paper's are adapted to these data:

- The EMA decays are .99 and .999. After a few thousand iterations, an average with a decay of .9999
  would still consist mostly of the initial weights.
- The lowest noise level sigma_L is .1 instead of .01. The classifiers hardly react to noise of .01,
  so the distances of raw and denoised images would hardly differ.
- The highest noise level sigma_1 is the largest distance between two images, as Song and Ermon
  recommend: 4.81 for digits, 13.6 for patches.
- There are 30 noise levels. Song and Ermon's rule (`scorelib.schedules.coverage`) requires 14 for
  digits, but ALS with one step per level finds no good step size on a schedule of 14 levels.
- The discriminator is BigGAN's with a sixteenth of its width. It is updated once per update of the
  score network.
"""

from scorelib.data import Digits, Photographs
from scorelib.losses import Adversarial, Dsm
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.networks import BigGanDiscriminator, ResidualMlp
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes.table_settings import SelectionSettings, TableSettings
from studies.common.step_size_search import SearchSettings
from tuning.stages import TrainSpec


def digits() -> TableSettings:
    """Returns settings for digits: a residual perceptron, features of a small classifier."""
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
        seeds=3,
    )


def photographs() -> TableSettings:
    """Returns settings for 8 x 8 patches of two photographs, otherwise as for digits.

    There are fewer images, so that the demo of Table 1 takes about four minutes. The features are
    those of a classifier that distinguishes the two photographs.
    """
    at, data = digits(), Photographs(size=8)
    schedule = at.train.schedule.replace(sigma_1=13.6)
    return at.replace(
        train=at.train.replace(data=data, schedule=schedule, flips=True),
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
        search=at.search.replace(top_images=1500),
        n_images=1000,
    )
