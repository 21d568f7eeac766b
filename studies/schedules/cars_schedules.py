"""Figure 8 of a report on noise schedules: two families of schedules on cars.

What is asked: as in `mnist_schedules`, on images with less variety: Stanford Cars at 32 x 32, with
two hundred levels from sigma_1 = 50.

Source: the report named in `schedule_table`, Figures 8, 15 and 16: FID 26.35 of the
geometric, 51.31 of the sigmoid schedule, on 8,144 images (the training part), "after 100k steps".

Command: ``python -m studies.run cars_schedules [--scale paper]``

Paper scale wants the images as ``ROOT/stanford_cars/train/CLASS/*.jpg``, ``test`` beside ``train``
(`scorelib.data.image_folder`), ``--set data.root=ROOT``, and a digest of them, which is part of
what the results are kept under: ``--set train.data.digest=D`` with D printed by

    from pathlib import Path
    from scorelib.data import ImageFolder
    print(ImageFolder.of(Path("ROOT/stanford_cars"), size=32).digest)

The shorter side is resized, then the centre is cropped; the report resizes to a square, it seems by
squeezing. Snapshots every 5,000 iterations, as NCSN's authors have them.

Demo scale: colour patches of 8 x 8 pixels of two photographs, and NCSN itself with 8 channels, for
1,000 iterations; 20 levels from sigma_1 = 7 to .05, since so few would leave gaps down to .01, and
T = 5 with e = 1e-3: the share of an update is .2 where the report has .1.
"""

from scorelib.data import ImageFolder
from scorelib.networks import Ncsn
from scorelib.optim import AdamSpec
from scorelib.schedules import GeometricSchedule
from studies.schedules import cifar_schedules
from studies.schedules.schedule_table import ScheduleSettings, ScheduleTable, build
from tuning.study import Study

FAMILIES = ("geometric", "sigmoid")
CARS = ImageFolder(
    folder="stanford_cars", digest="0" * 64, n_train=8144, n_test=8041, n_classes=196, size=32
)
"""The report's images, without their digest."""

EXHIBIT = ScheduleTable(
    name="cars_schedules",
    label="Figure 8",
    title="Noise schedules on Stanford Cars, raw / denoised",
    data=None,
    where={"table": "fig8"},
    source="Figure 8",
    levels="L = 200, sigma_1 = 50",
    families=FAMILIES,
    notes=("the report says neither how many images its numbers are of nor how they were resized",),
)


def demo() -> ScheduleSettings:
    """Patches of photographs as for CIFAR-10 and a small NCSN, two snapshots of each training."""
    of = cifar_schedules.demo()
    levels = GeometricSchedule(sigma_1=7.0, sigma_L=0.05, n_levels=20)
    return of.replace(
        train=of.train.replace(
            network=Ncsn(ngf=8),
            schedule=levels,
            optimizer=AdamSpec(learning_rate=2e-3),
            batch_size=64,
        ),
        few=None,
        many=levels,
        families=FAMILIES,
        langevin_step=1e-3,
        n_sigma=5,
        iterations=1000,
        snapshot_every=500,
        search_images=500,
        n_images=1000,
    )


def paper() -> ScheduleSettings:
    """The report's settings, and where it has none those of NCSN's authors."""
    of = cifar_schedules.paper()
    return of.replace(
        train=of.train.replace(data=CARS),
        few=None,
        families=FAMILIES,
        iterations=100_000,
    )


def study(scale: str, at: ScheduleSettings) -> Study:
    """The study with given settings: two families, many levels."""
    return build(EXHIBIT, scale, at)
