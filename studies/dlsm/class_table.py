"""Tables of class-conditional images: the layout shared by the studies of DLSM on images.

A score network of all data is guided by a noise-conditional classifier. The classifier is trained
by cross entropy (methods "base", and "scaling" with a factor alpha) or by L_Total (method "ours");
see `scorelib.losses.dlsm`. Images are generated for all classes in turn, with equally many images
per class, and no image is left out. The tables measure the images as the authors return them: the
mean of the last predictor step ("denoised").

Where the paper's text and the authors' code differ, the default at paper scale follows the code.
The weights of the losses as printed in the text are not available to us. The effect that the other
choice is expected to have stands in brackets:

- DLSM' is a mean over dimensions without a weight, so levels of little noise dominate the loss
  (``total.sigma_power=2`` gives all levels the same weight);
- the corrector comes before the predictor (``sampler.first="predictor"``: negligible);
- classifiers are trained on batches of 150 images, where the text says 100 (small).

The following differences are deliberate. No number here therefore shares a protocol with the
paper's numbers, and the tables show no differences to them (expected effect in brackets):

- Classifiers use group normalisation: if a batch is normalised, the gradient of log p(y | x) is not
  the gradient of one image's likelihood, see `scorelib.guidance` (unknown).
- Inception features are those of torch-fidelity, not of TF-Hub (unknown).
- Every class has equally many of the 50,000 images. The authors write images class by class and cut
  them off at 50,000, which loses classes; the classifier of their accuracy score is trained on all
  51,000 or 60,000 images (affects class-wise numbers of the lost classes).
- 8-bit images are rounded; the authors truncate them (half a grey level, which may be visible in a
  distance).
- Training uses the thousand noise levels that the sampler uses; the authors draw noise levels from
  the continuum (negligible).
- Averages of weights start without a warm-up, see `scorelib.training.ema` (none after so many
  updates).

The sheets of samples correspond to Figures A3 to A6. They show the first images of every method,
uncurated: with ten classes one column per class, with a hundred classes one image per class.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from studies.common.claims import between
from studies.common.exhibit import Exhibit
from studies.dlsm.class_settings import STATISTICS, ClassSettings
from studies.reported import REPORTED_ALPHA
from tuning.cells import Cell, Reported, Search
from tuning.claims import Claim
from tuning.stages import ClassificationAccuracy, GuidedSampleSpec
from tuning.study import Study

OVERALL = ("fid", "is", *STATISTICS)
"""Metrics of Table A4."""

BY_CLASS = tuple(f"cw_{name}" for name in STATISTICS)
"""Metrics of Table A5 in addition to `OVERALL`."""

EVERYTHING = (*OVERALL, "accuracy", *BY_CLASS)
"""Metrics of Table 2."""

_NAMES = {
    "fid": "Frechet distance",
    "is": "Inception score",
    "accuracy": "classification accuracy score",
}
_NAMES |= {name: name for name in STATISTICS}
_NAMES |= {f"cw_{name}": f"class-wise {name}" for name in STATISTICS}
_ROWS = {"base": "base", "scaling": "scaling", "ours": "dlsm"}
"""Names of the methods in `reported.csv`, by our names."""


def cell(
    at: ClassSettings,
    metric: str,
    sample: GuidedSampleSpec,
    labels: tuple[str, str],
    known: Reported | None,
) -> Cell:
    """Returns the cell of one metric, measured on the images of one method.

    Args:
        at: settings of the study.
        metric: metric of the cell, one of `EVERYTHING`.
        sample: spec of the images.
        labels: labels of the row and the column.
        known: number that the paper reports; None if the paper reports none.
    """
    row, column = labels
    shown: dict[str, Any] = {
        "row": row, "column": column, "n_seeds": at.seeds, "quantities": ("denoised",),
        "reported": {"denoised": known} if known else {},
    }  # fmt: skip
    if metric == "accuracy":
        jobs = [
            ClassificationAccuracy(
                sample=sample.replace(seed=seed), n_images=at.n_images, classifier=at.accuracy
            )
            for seed in range(1, at.seeds + 1)
        ]
        return Cell(job=jobs[0], repeats=tuple(jobs[1:]), **shown)
    return Cell(sample=sample, protocol=at.protocol(metric), **shown)


def table_2(exhibit: Exhibit, scale: str, at: ClassSettings) -> Study:
    """Returns the study of Table 2 on one data set: one row per metric, one column per method.

    Args:
        exhibit: table of the data set.
        scale: "demo" or "paper".
        at: settings of the study.
    """
    cells = [
        cell(at, metric, sample, (_NAMES[metric], method), _reported(exhibit, at, method, metric))
        for metric in ("accuracy", *(m for m in EVERYTHING if m != "accuracy"))
        for method, sample in at.methods().items()
    ]
    claims = _table_2_claims(cells)
    methods = f"base, scaling (alpha = {at.alpha:g}), ours"
    title = f"{exhibit.title}, {at.train.data.name}: {methods}"
    return class_study(exhibit, scale, at, cells, claims=claims, title=title)


def _table_2_claims(cells: Sequence[Cell]) -> tuple[Claim, ...]:
    """Returns the claims of Section 5.2 about the three methods."""

    def claim(
        text: str, metrics: Sequence[str], columns: dict[str, list[str]], lower: bool | None = None
    ) -> Claim:
        about = [cell for cell in cells if cell.row in {_NAMES[metric] for metric in metrics}]
        return between(about, text, "Section 5.2, Table 2", columns=columns, lower=lower)

    best, than_base = {"ours": ["base", "scaling"]}, {"ours": ["base"]}
    scaling = {"scaling": ["base", "ours"]}
    return (
        claim("DLSM has the lowest distance", ["fid"], best),
        claim("DLSM has the highest Inception score", ["is"], best),
        claim("scaling has the highest precision and density", ["precision", "density"], scaling),
        claim("scaling has the lowest recall and coverage", ["recall", "coverage"], scaling, True),
        claim("base is above DLSM in precision and density", ["precision", "density"],
              {"base": ["ours"]}),
        claim("DLSM is above base in classification accuracy", ["accuracy"], than_base),
        claim("DLSM is better than base class by class", BY_CLASS, than_base),
    )  # fmt: skip


def _reported(exhibit: Exhibit, at: ClassSettings, method: str, metric: str) -> Reported | None:
    if method == "scaling" and at.alpha != REPORTED_ALPHA:
        return None
    return exhibit.reported(row=_ROWS[method], metric=metric)


def class_study(
    exhibit: Exhibit,
    scale: str,
    at: ClassSettings,
    cells: Iterable[Cell],
    searches: tuple[Search, ...] = (),
    claims: Iterable[Claim] = (),
    title: str | None = None,
) -> Study:
    """Returns a study of class-conditional images, with the note that all such studies share.

    Args:
        exhibit: table of the paper.
        scale: "demo" or "paper".
        at: settings of the study.
        cells: cells of the table, row by row.
        searches: searches that cells take their settings from.
        claims: claims of the paper about the numbers of the cells.
        title: title of the study; None for the exhibit's.
    """
    features = (
        f"distances, scores and neighbours are measured in the features of {at.extractor.name}, "
        "the paper's in those of TF-Hub's Inception"
    )
    return exhibit.study(
        scale, at, cells, searches=searches, claims=claims, title=title,
        notes=(*exhibit.notes, features),
    )  # fmt: skip


def metric_names(metrics: tuple[str, ...]) -> Mapping[str, str]:
    """Returns the displayed names of metrics, by metric and in the given order.

    Args:
        metrics: metrics, each one of `EVERYTHING`.
    """
    return {metric: _NAMES[metric] for metric in metrics}
