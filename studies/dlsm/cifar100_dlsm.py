"""Table 2 and Figure 4 of "Denoising likelihood score matching", CIFAR-100.

Question: are images of a class better, and as diverse, if the classifier that guides the sampling
is trained by DLSM instead of cross entropy alone?

Source: https://arxiv.org/abs/2203.14206, Table 2, Figure 4, Appendix A.6.3. For the methods, the
settings and the differences from the paper see `class_table`. At demo scale the images are digits.

Command: ``python -m studies.run cifar100_dlsm [--scale paper]``
"""

import dataclasses

from scorelib.data import Cifar100
from studies.dlsm import cifar10_dlsm, class_settings
from studies.dlsm.class_settings import ClassSettings
from studies.dlsm.class_table import table_2
from tuning.study import Study

EXHIBIT = dataclasses.replace(
    cifar10_dlsm.EXHIBIT, name="cifar100_dlsm", where={"table": "2", "dataset": "cifar100"}
)

demo = class_settings.demo


def paper() -> ClassSettings:
    """Returns the settings of the authors' code for CIFAR-100."""
    return class_settings.paper(Cifar100())


def study(scale: str, at: ClassSettings) -> Study:
    """Returns the study: one row per metric, one column per method."""
    return table_2(EXHIBIT, scale, at)
