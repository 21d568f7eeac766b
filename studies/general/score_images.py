"""Pictures that were made elsewhere: how close are they to the real ones, set by set?

Rows are folders of image files, or ``.npz`` files with uint8 images (N, H, W, C) as ``arr_0``.
Columns are metrics: the Frechet distance, the Inception score, precision, recall, density and
coverage.

    python -m studies.run score_images --set pictures=/home/me/samples --set reference=Digits
    python -m studies.run score_images --set pictures=samples.npz --set reference=/home/me/pictures

The reference is a data set, a folder or an ``.npz`` of images, of which all are used, or published
statistics: an ``.npz`` with ``mu`` and ``sigma``, which allow the distance and the Inception score
alone. The held-out images of a data set have a row of their own: the best that pictures can reach.

Pictures are known by their pixels. Their features are stored in chunks of 500 images, so a longer
folder costs only what is new. A folder that was renamed, or packed into an ``.npz``, costs nothing.

Demo scale: against scikit-learn's digits, by the features of a small classifier. Without pictures
the table holds the held-out digits alone; it took 20 CPU seconds, of all processes together.

Paper scale: against CIFAR-10, by Inception features (a GPU is needed).

`general.score_images_settings` describes the settings. No numbers are reported.
"""

from collections.abc import Iterator

from scorelib.data import Cifar10, DataSpec, Digits
from scorelib.metrics.inception import InceptionFeatures
from studies.common.exhibit import Exhibit
from studies.general.score_images_settings import METRICS, ScoreImagesSettings
from tuning.cells import Cell
from tuning.stages import PicturesScore, RealFeatures, RealScore
from tuning.study import Study

EXHIBIT = Exhibit(
    name="score_images",
    paper="",
    label="Pictures",
    title="Pictures made elsewhere",
    question="Which pictures are closest to the real ones, and what do they lack?",
    figures=("metrics",),
)


def demo() -> ScoreImagesSettings:
    """Returns settings that compare with the digits, on a CPU."""
    return ScoreImagesSettings(reference=Digits())


def paper() -> ScoreImagesSettings:
    """Returns settings that compare with CIFAR-10 by Inception features."""
    return ScoreImagesSettings(reference=Cifar10(), extractor=InceptionFeatures())


def study(scale: str, at: ScoreImagesSettings) -> Study:
    """Returns the study: a row for each set of pictures, a column for each metric."""
    cells = [
        Cell(
            row=pictures.name,
            column=METRICS.get(metric, protocol.name),
            job=PicturesScore(pictures=pictures.replace(name=""), protocol=protocol),
            protocol=protocol,
            quantities=("raw",),
        )
        for pictures in at.pictures
        for metric in at.measured
        for protocol in (at.protocol(metric, at.n_of(pictures)),)
    ]
    cells += _held_out(at)
    title = f"{EXHIBIT.title}, against {at.about}"
    return EXHIBIT.study(scale, at, cells, title=title, notes=at.notes)


def _held_out(at: ScoreImagesSettings) -> Iterator[Cell]:
    """Yields a cell for each metric of features, measured on the other split of the data set."""
    data = at.reference
    if not isinstance(data, DataSpec):
        return
    other = RealFeatures(
        data=data, split="test" if at.split == "train" else "train", extractor=at.features
    )
    for metric in at.measured:
        protocol = at.protocol(metric, data.n_images(other.split))
        if protocol.reads == "features":
            yield Cell(
                row=f"{data.name} {other.split}, real",
                column=METRICS.get(metric, protocol.name),
                job=RealScore(features=other, protocol=protocol),
                protocol=protocol,
                quantities=("raw",),
            )
