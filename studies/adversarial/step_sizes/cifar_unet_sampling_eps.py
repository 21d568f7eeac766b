"""Table 3 of "Adversarial score matching and improved sampling": a U-Net on CIFAR-10.

Question: that of Table 1 (`cifar_sampling_eps`), for another network; and which FID does the best
sampler reach on 50,000 images? (Section 6.1: 3.65, adversarial 4.02. The text says "non-consistent
denoised" without n_sigma; n_sigma is taken to be 5, which is better.)

Source: https://arxiv.org/abs/2009.05475: Table 3 (FID), the corresponding rows of Table 5
(epsilon), Section 6.1. For the way in which choices are made, and for settings that follow the
authors' code, see `sampling_table`. For this table the authors' code has two discriminator steps
per score step, as the text has. The U-Net of the authors' code does not centre its input
(``train.network.centres_input=false``; small effect).

Command: ``python -m studies.run cifar_unet_sampling_eps [--scale paper]``

Demo scale: scikit-learn's digits, a U-Net of eight channels and two levels. The rows of the 50,000
images have 5,000 images; the other cells have 2,000.

Paper scale: CIFAR-10, the unconditional U-Net (32,856,707 parameters), 300k iterations. Expected
numbers (reported): see `reported.csv`.
"""

import dataclasses

from scorelib.networks import DdpmUNet
from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.demo_settings import digits
from studies.adversarial.step_sizes.sampling_table import SamplingTable, build, row_label
from studies.adversarial.step_sizes.table_settings import TableSettings
from studies.common.distances import papers_protocol
from tuning.cells import Cell
from tuning.study import Study

EXHIBIT = SamplingTable(
    name="cifar_unet_sampling_eps",
    label="Table 3",
    where={"table": "3", "dataset": "cifar10", "network": "ddpm_unet"},
    data=cifar_sampling_eps.EXHIBIT.data,
    schedule=cifar_sampling_eps.EXHIBIT.schedule,
    helped=("raw",),
    is_quickest_consistent=True,
)
MORE_IMAGES = {"demo": 5_000, "paper": 50_000}


def demo() -> TableSettings:
    """Returns settings for digits, with half the iterations of Table 1: minutes on a CPU."""
    at = digits()
    return at.replace(
        train=at.train.replace(
            network=DdpmUNet(width=8, multipliers=(1, 2), n_blocks=1, attention_levels=(1,)),
            schedule=at.train.schedule.replace(n_levels=20),
            batch_size=64,
        ),
        iterations=2000,
        snapshot_every=1000,
        iteration=2000,
        ema=0.99,
        selection=at.selection.replace(n_images=500),
        search=at.search.replace(n_images=500, top_images=1000),
        n_images=2000,
    )


def paper() -> TableSettings:
    """Returns the settings of Table 1 with the U-Net and a later snapshot."""
    at = cifar_sampling_eps.paper()
    return at.replace(train=at.train.replace(network=DdpmUNet()), iteration=290_000)


def study(scale: str, at: TableSettings) -> Study:
    """Returns the study: the cells of Table 3, and the ALS cells on more images."""
    table = build(EXHIBIT, scale, at)
    source = row_label("als", 5)
    more = [_on_more_images(cell, scale) for cell in table.cells if cell.row == source]
    return dataclasses.replace(table, cells=(*table.cells, *more))


def _on_more_images(cell: Cell, scale: str) -> Cell:
    """Returns a cell of the table, measured on more images: 50,000 at paper scale."""
    assert cell.protocol is not None
    n_images = MORE_IMAGES[scale]
    known = EXHIBIT.reported(
        "Section 6.1", papers_protocol(n_images=50_000),
        table="text-6.1", row="sampler=als n_sigma=5", column=cell.column, metric="fid_denoised",
    )  # fmt: skip
    return Cell(
        row=f"{cell.row}, {n_images:,} images",
        column=cell.column,
        search=cell.search,
        protocol=cell.protocol.replace(n_images=n_images),
        n_seeds=1,
        reported={"denoised": known},
    )
