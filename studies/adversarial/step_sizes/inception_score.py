"""Appendix I of "Adversarial score matching and improved sampling": the Inception score.

Question: does denoising lower the Inception score where it improves the Frechet distance?

Source: https://arxiv.org/abs/2009.05475, Appendix I, which says so without numbers. The rows are
the non-adversarial rows of Table 1, at the same step sizes: on a store with the results of
`cifar_sampling_eps`, no images are sampled again. The score is the mean over ten splits.

Command: ``python -m studies.run inception_score [--scale paper]``

At demo scale a small classifier of scikit-learn's digits replaces the Inception network, and the
score is named after the classifier.
"""

import dataclasses

from studies.adversarial.step_sizes import cifar_sampling_eps
from studies.adversarial.step_sizes.demo_settings import digits
from studies.adversarial.step_sizes.table_settings import COLUMNS, TableSettings
from studies.common.claims import denoising
from studies.common.exhibit import Exhibit
from tuning.cells import Cell
from tuning.stages import InceptionScoreProtocol
from tuning.study import Study

EXHIBIT = Exhibit(
    name="inception_score",
    paper="acsm",
    label="Appendix I",
    title="Inception score beside the distance, raw / denoised",
    question="Does denoising lower the Inception score where it improves the distance?",
    figures=cifar_sampling_eps.EXHIBIT.figures,
)


def demo() -> TableSettings:
    """Returns the settings of Table 1 for digits, without the adversarial column."""
    return digits().replace(columns=COLUMNS[:1])


def paper() -> TableSettings:
    """Returns the settings of Table 1 without the adversarial column."""
    return cifar_sampling_eps.paper().replace(columns=COLUMNS[:1])


def study(scale: str, at: TableSettings) -> Study:
    """Returns the study: the distance and the Inception score of each row of Table 1."""
    table = cifar_sampling_eps.study(scale, at)
    inception_score = InceptionScoreProtocol(
        extractor=at.extractor, data=at.train.data, n_images=at.n_images, seeds="fresh"
    )
    cells: list[Cell] = []
    for cell in table.cells:
        training = "" if len(at.columns) == 1 else f"{cell.column}, "
        distance = cell.protocol.name if cell.protocol else ""
        cells += [
            dataclasses.replace(cell, column=f"{training}{distance}"),
            Cell(
                row=cell.row,
                column=f"{training}{inception_score.name}",
                search=cell.search,
                protocol=inception_score,
                n_seeds=at.seeds,
            ),
        ]
    return EXHIBIT.study(
        scale,
        at,
        cells,
        searches=table.searches,
        snapshots=table.snapshots,
        baselines=table.baselines,
        claims=(
            denoising(
                (cell for cell in cells if cell.protocol == inception_score),
                "denoising lowers the Inception score",
                EXHIBIT.label,
                lower=True,
            ),
            denoising(
                (cell for cell in cells if cell.protocol != inception_score),
                "denoising lowers the distance",
                EXHIBIT.label,
            ),
        ),
    )
