"""Figure 8 of a report on noise schedules: two families of schedules on Stanford Cars.

Question: as in `mnist_schedules`, which of the two families makes the better images, here on images
with less variety: Stanford Cars at 32 x 32 pixels, with two hundred levels from sigma_1 = 50?

Source: the report named in `schedule_table`, Figures 8, 15 and 16: FID 26.35 for the geometric and
51.31 for the sigmoid schedule, on 8,144 images (the training split), "after 100k steps".

Command: ``python -m studies.run cars_schedules [--scale paper]``

Paper scale reads the images from ``ROOT/stanford_cars/train/CLASS/*.jpg``, and the test images from
the folder ``test`` next to ``train`` (`scorelib.data.image_folder`). Set ``--set data.root=ROOT``.
Set the digest D of the images too, which is part of the key of the results, by ``--set
train.data.digest=D``. This prints the digest:

    from pathlib import Path
    from scorelib.data import ImageFolder
    print(ImageFolder.of(Path("ROOT/stanford_cars"), size=32).digest)

An image is resized by its shorter side and cropped at the centre. The report resizes images to a
square, apparently without keeping their proportions. Snapshots are saved every 5,000 iterations, as
by NCSN's authors.

Demo scale: colour patches of 8 x 8 pixels from two photographs; NCSN itself with 8 channels, for
1,000 iterations; 20 levels from sigma_1 = 7 to sigma_L = .05, since so few levels would leave gaps
down to .01; T = 5 with e = 1e-3. An update then covers a share of .2 of the way to the denoised
sample; the report's share is .1.
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
"""The report's images; the digest of zeros is to be replaced (see the module docstring)."""

EXHIBIT = ScheduleTable(
    name="cars_schedules",
    label="Figure 8",
    title="Noise schedules on Stanford Cars, raw / denoised",
    data=None,
    where={"table": "fig8"},
    source="Figure 8",
    levels="L = 200, sigma_1 = 50",
    families=FAMILIES,
    notes=("the report states neither the number of images of its FID nor how they were resized",),
)


def demo() -> ScheduleSettings:
    """Returns settings for the patches of `cifar_schedules` and a small NCSN.

    Each training has two snapshots.
    """
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
    """Returns the report's settings, and those of NCSN's authors where the report gives none."""
    of = cifar_schedules.paper()
    return of.replace(
        train=of.train.replace(data=CARS),
        few=None,
        families=FAMILIES,
        iterations=100_000,
    )


def study(scale: str, at: ScheduleSettings) -> Study:
    """Returns the study: one row per family of schedules, one column for the many levels."""
    return build(EXHIBIT, scale, at)
