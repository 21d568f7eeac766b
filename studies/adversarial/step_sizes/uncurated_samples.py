"""Figures 4 to 27 of "Adversarial score matching and improved sampling": uncurated samples.

Question: what do the images of each cell of Tables 1 to 3 look like? For every cell, the study
writes the first images at the best step size of the cell, raw and denoised side by side, to the
pictures in the store.

Source: https://arxiv.org/abs/2009.05475, Appendix J. The cells are those of `cifar_sampling_eps`,
`church_sampling_eps` and `cifar_unet_sampling_eps`: on a store with the results of these studies,
nothing is trained or sampled again.

Command: ``python -m studies.run uncurated_samples [--scale paper]``
"""

from dataclasses import dataclass

from studies.adversarial.step_sizes import (
    church_sampling_eps,
    cifar_sampling_eps,
    cifar_unet_sampling_eps,
)
from studies.adversarial.step_sizes.sampling_table import SamplingTable, build
from studies.adversarial.step_sizes.table_settings import TableSettings
from studies.common.execution_settings import StudySettings
from studies.common.exhibit import Exhibit
from tuning.study import Study

TABLES: dict[str, SamplingTable] = {
    "CIFAR-10": cifar_sampling_eps.EXHIBIT,
    "LSUN-churches": church_sampling_eps.EXHIBIT,
    "CIFAR-10, U-Net": cifar_unet_sampling_eps.EXHIBIT,
}
EXHIBIT = Exhibit(
    name="uncurated_samples",
    paper="acsm",
    label="Figures 4-27",
    title="Uncurated samples of every cell, raw and denoised",
    question="What do the images of each cell of Tables 1 to 3 look like?",
    figures=cifar_sampling_eps.EXHIBIT.figures,
)


@dataclass(frozen=True, kw_only=True)
class SamplesSettings(StudySettings):
    """Settings of the three tables.

    Attributes:
        cifar: settings of Table 1.
        church: settings of Table 2.
        unet: settings of Table 3.
    """

    KIND = "SamplesSettings"

    cifar: TableSettings
    church: TableSettings
    unet: TableSettings


def demo() -> SamplesSettings:
    """Returns the demo settings of the three tables."""
    return SamplesSettings(
        cifar=cifar_sampling_eps.demo(),
        church=church_sampling_eps.demo(),
        unet=cifar_unet_sampling_eps.demo(),
    )


def paper() -> SamplesSettings:
    """Returns the paper's settings of the three tables."""
    return SamplesSettings(
        cifar=cifar_sampling_eps.paper(),
        church=church_sampling_eps.paper(),
        unet=cifar_unet_sampling_eps.paper(),
    )


def study(scale: str, at: SamplesSettings) -> Study:
    """Returns the study: all cells of the three tables."""
    tables = [
        build(exhibit, scale, of, prefix=f"{name}: ")
        for (name, exhibit), of in zip(TABLES.items(), (at.cifar, at.church, at.unet), strict=True)
    ]
    return EXHIBIT.study(
        scale,
        at,
        (cell for table in tables for cell in table.cells),
        searches=(search for table in tables for search in table.searches),
        snapshots=(snapshot for table in tables for snapshot in table.snapshots),
        claims=(claim for table in tables for claim in table.claims),
    )
