"""Table 2 and Figure 4 of "Denoising likelihood score matching", CIFAR-10.

Question: are images of a class better, and as diverse, if the classifier that guides the sampling
is trained by DLSM instead of cross entropy alone?

Source: https://arxiv.org/abs/2203.14206, Table 2, Figure 4, Appendix A.6.3. For the methods, the
settings and the differences from the paper see `class_table`. At demo scale the images are digits.

Command: ``python -m studies.run cifar10_dlsm [--scale paper]``
"""

from scorelib.data import Cifar10
from studies.common.exhibit import Exhibit
from studies.dlsm import class_settings
from studies.dlsm.class_settings import ClassSettings
from studies.dlsm.class_table import table_2
from tuning.study import Study

EXHIBIT = Exhibit(
    name="cifar10_dlsm",
    paper="dlsm",
    label="Table 2",
    title="Class-conditional images",
    question="Does DLSM make class-conditional images that are both good and diverse?",
    figures=("class_gains", "noise_schedules", "losses"),
    where={"table": "2", "dataset": "cifar10"},
)

demo = class_settings.demo


def paper() -> ClassSettings:
    """Returns the settings of the authors' code for CIFAR-10."""
    return class_settings.paper(Cifar10())


def study(scale: str, at: ClassSettings) -> Study:
    """Returns the study: one row per metric, one column per method."""
    return table_2(EXHIBIT, scale, at)
