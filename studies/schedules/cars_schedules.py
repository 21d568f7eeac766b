"""Figure 8 of a report on noise schedules: two families of schedules on Stanford Cars.

Question: does the geometric or the sigmoid family of noise schedules give the better images? The
images are Stanford Cars at 32 x 32 pixels, which vary less than CIFAR-10. The schedules have 200
levels from sigma_1 = 50 to sigma_L = .01.

Source: A. Spagnoletti, A. Ratouchniak and D. Aubakirova, Denoising score matching for diffusion
models ("the report" in this module), Figures 8, 15 and 16. The FID there is 26.35 for the geometric
and 51.31 for the sigmoid schedule, with 8,144 training images, "after 100k steps".

Command: ``python -m studies.run cars_schedules [--scale paper]``

Paper scale reads the images from ``ROOT/stanford_cars/train/CLASS/*.jpg``, and the test images from
the folder ``test`` next to ``train`` (`scorelib.data.image_folder`). It needs two options: ``--set
data.root=ROOT`` names the folder, and ``--set train.data.digest=D`` gives the digest of the images,
on which the keys of the results depend. These lines print the digest D:

    from pathlib import Path
    from scorelib.data import ImageFolder
    print(ImageFolder.of(Path("ROOT/stanford_cars"), size=32).digest)

Each image is resized so that its shorter side has 32 pixels, and cropped to its centre. The report
says only that images were "resized to 32 x 32", perhaps without keeping their proportions. A
snapshot is saved every 5,000 iterations, as in the code of NCSN's authors.

Demo scale: colour patches of 8 x 8 pixels from two photographs; an NCSN with 8 channels, trained
for 1,000 iterations; 20 noise levels from sigma_1 = 7 to sigma_L = .05, because 20 levels down to
.01 would lie too far apart. At each level, the sampler makes T = 5 updates with the step e = 1e-3
(`schedule_table` defines T and e). One update then goes a fifth of the way to the denoised sample;
in the report, a tenth.
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
"""The report's images. The digest of zeros is a placeholder: set the digest of your images."""

EXHIBIT = ScheduleTable(
    name="cars_schedules",
    label="Figure 8",
    title="Noise schedules on Stanford Cars, raw / denoised",
    data=None,
    where={"table": "fig8"},
    source="Figure 8",
    levels="L = 200, sigma_1 = 50",
    families=FAMILIES,
    notes=(
        "the report states neither how many images it generated for its FID nor how it resized "
        "the 8,144 training images",
    ),
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
    """Returns the study: one row per family of schedules, and one column, for the many levels."""
    return build(EXHIBIT, scale, at)
