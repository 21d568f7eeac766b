"""Appendix C of "Adversarial score matching and improved sampling": step sizes on FFHQ.

Question: the same as in Table 1 (`cifar_sampling_eps`), on faces of 256 x 256 pixels. The authors'
machines (four V100) did not suffice for this data, and the paper reports no numbers.

Source: https://arxiv.org/abs/2009.05475, Appendix C. The schedule and the settings of Adam are
those of the authors' code. For the way in which choices are made see `sampling_table`.

Command: ``python -m studies.run ffhq_sampling_eps [--scale paper]``

Demo scale: 12 x 12 patches of scikit-learn's two photographs, a residual perceptron.

Paper scale: FFHQ at 256 x 256, NCSNv2Deepest (94,132,611 parameters), sigma 348 to .01 in 2,311
levels, batches of 32 images, which is the limit that the paper states. The study has no adversarial
column: the paper only observed that adversarial training was worse there. From 128 pixels on,
BigGAN's discriminator has attention, which is not available here (``columns`` with "adversarial"
raises an error at paper scale).
"""

from scorelib.data import Ffhq, Photographs
from scorelib.metrics.classifier import ClassifierFeatures, ClassifierSpec
from scorelib.networks import Ncsnv2
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes import church_sampling_eps
from studies.adversarial.step_sizes.demo_settings import photographs
from studies.adversarial.step_sizes.sampling_table import SamplingTable, build
from studies.adversarial.step_sizes.table_settings import COLUMNS, SelectionSettings, TableSettings
from tuning.study import Study

EXHIBIT = SamplingTable(
    name="ffhq_sampling_eps",
    label="Appendix C",
    data=Ffhq(),
    schedule=GeometricSchedule(sigma_1=348.0, sigma_L=0.01, n_levels=2311),
    notes=("the paper reports no numbers for FFHQ",),
)


def demo() -> TableSettings:
    """Returns settings for patches of photographs, with which the study takes minutes on a CPU.

    Other settings are as for the smaller patches of Table 1, without the adversarial column.
    """
    at, data = photographs(), Photographs(size=12)
    schedule = at.train.schedule.replace(sigma_1=20.0)
    return at.replace(
        train=at.train.replace(data=data, schedule=schedule),
        columns=COLUMNS[:1],
        extractor=ClassifierFeatures(classifier=ClassifierSpec(data=data)),
    )


def paper() -> TableSettings:
    """Returns settings for FFHQ at full size; other settings are as for LSUN-churches."""
    at = church_sampling_eps.paper()
    return at.replace(
        train=at.train.replace(
            data=EXHIBIT.data,
            network=Ncsnv2(multipliers=(1, 2, 2, 2, 4, 4)),
            schedule=EXHIBIT.schedule,
            optimizer=AdamSpec(learning_rate=1e-4, adam_eps=1e-3),
            batch_size=32,
        ),
        columns=COLUMNS[:1],
        iterations=300_000,
        snapshot_every=10_000,
        iteration=300_000,
        ema=0.9999,
        selection=SelectionSettings(n_trials=8, n_images=1000),
        chunk_images=100,
        search=at.search.replace(n_trials=12, n_images=1000, top_images=5000),
        seeds=1,
    )


def study(scale: str, at: TableSettings) -> Study:
    """Returns the study: the cells of a table with the layout of Table 1."""
    return build(EXHIBIT, scale, at)
