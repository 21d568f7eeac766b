"""Table 2 of "Adversarial score matching and improved sampling": step sizes on LSUN-churches.

Question: that of Table 1 (`cifar_sampling_eps`), on larger photographs.

Source: https://arxiv.org/abs/2009.05475: Table 2 (FID), the corresponding rows of Table 5
(epsilon). For the way in which choices are made, and for settings that follow the authors' code,
see `sampling_table`.

Command: ``python -m studies.run church_sampling_eps [--scale paper]``

Demo scale: scikit-learn's digits of 8 x 8 pixels (`demo_settings`).

Paper scale: LSUN-churches at 64 x 64, NCSNv2Deeper (83,445,379 parameters), 200k iterations, sigma
140 to .01 in 788 levels, one discriminator step per score step, Inception FID of 10k images against
the training split. Expected numbers (reported): see `reported.csv`.
"""

from scorelib.data import Lsun
from scorelib.losses import Adversarial
from scorelib.networks import Ncsnv2
from scorelib.schedules import GeometricSchedule
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.demo_settings import digits
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
    """Returns settings for digits, with which the study takes minutes on a CPU."""
    return digits()


def paper() -> TableSettings:
    """Returns the paper's settings; settings that are not given are as for CIFAR-10."""
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
    """Returns the study: the cells of Table 2, and a search over the step size for each cell."""
    return build(EXHIBIT, scale, at)
