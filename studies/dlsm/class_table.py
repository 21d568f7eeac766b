"""Tables of class-conditional images: what the studies of DLSM on images share.

A score network of all data is guided by a noise-conditional classifier, trained by cross entropy
(base, and scaling with a factor alpha) or by L_Total (ours); see `scorelib.losses.dlsm`. Images are
asked for all classes in turn, equally many of each, and none is left out. Shown are the images as
the authors return them, the mean of the last predictor ("denoised").

Where the text and its authors' code differ, the code's way is the default at paper scale; what the
text prints as the weights of its losses is lost to us (expected effect of the other way in
brackets):

- DLSM' is a mean over dimensions without a weight, so levels of little noise dominate it
  (``total.sigma_power=2`` weighs all levels alike);
- the corrector comes before the predictor (``sampler.first="predictor"``: none to speak of);
- classifiers see batches of 150, the text says 100 (little).

Different on purpose, so that no number here shares a protocol with the paper's, and no differences
are shown (expected effect in brackets):

- classifiers have group normalisation, since the gradient of log p(y | x) is no gradient of one
  image's likelihood where a batch is normalised, `scorelib.guidance` (unknown);
- Inception features are torch-fidelity's, not TF-Hub's (unknown);
- every class has equally many of 50,000 images; the authors cut images that were written class by
  class at 50,000, which loses classes, and the classifier of their accuracy score learns from all
  51,000 or 60,000 (class-wise numbers of the classes lost);
- 8-bit images are rounded, theirs cut off (half a grey level, which a distance may show);
- noise levels are a thousand, which is what the sampler walks, in training too; theirs are drawn
  from the continuum (none to speak of);
- averages of weights begin without a warm-up, `scorelib.training.ema` (none after so many updates).

The sheets of samples are Figures A3 to A6: the first images of every method, uncurated; of ten
classes a column each, of a hundred one image each.
"""

from collections.abc import Iterable, Mapping
from typing import Any

from studies.common.exhibit import Exhibit
from studies.dlsm.class_settings import STATISTICS, ClassSettings
from studies.reported import REPORTED_ALPHA
from tuning.stages import ClassificationAccuracy, GuidedSampleSpec
from tuning.study import Cell, Reported, Search, Study

OVERALL = ("fid", "is", *STATISTICS)
"""What Table A4 shows."""

BY_CLASS = tuple(f"cw_{name}" for name in STATISTICS)
"""What Table A5 shows beside these."""

EVERYTHING = (*OVERALL, "accuracy", *BY_CLASS)
"""What Table 2 shows."""

_NAMES = {
    "fid": "Frechet distance",
    "is": "Inception score",
    "accuracy": "classification accuracy score",
}
_NAMES |= {name: name for name in STATISTICS}
_NAMES |= {f"cw_{name}": f"class-wise {name}" for name in STATISTICS}
_ROWS = {"base": "base", "scaling": "scaling", "ours": "dlsm"}
"""Our methods, as `reported.csv` calls them."""


def cell(
    at: ClassSettings,
    metric: str,
    sample: GuidedSampleSpec,
    labels: tuple[str, str],
    known: Reported | None,
) -> Cell:
    """A cell: one metric of the images of one method.

    Args:
        at: the study's settings.
        metric: one of `EVERYTHING`.
        sample: the images.
        labels: of row and column.
        known: what the paper reports, if it does.
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
    """Table 2 on one data set: a row per metric, a column per method."""
    cells = [
        cell(at, metric, sample, (_NAMES[metric], method), _reported(exhibit, at, method, metric))
        for metric in ("accuracy", *(m for m in EVERYTHING if m != "accuracy"))
        for method, sample in at.methods().items()
    ]
    methods = f"base, scaling (alpha = {at.alpha:g}), ours"
    title = f"{exhibit.title}, {at.train.data.name}: {methods}"
    return class_study(exhibit, scale, at, cells, title=title)


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
    title: str | None = None,
) -> Study:
    """A study of these cells, with what has to be said of all of them."""
    features = (
        f"distances, scores and neighbours in the features of {at.extractor.name}; the paper's "
        "are in TF-Hub's Inception"
    )
    return exhibit.study(
        scale, at, cells, searches=searches, title=title, notes=(*exhibit.notes, features)
    )


def metric_names(metrics: tuple[str, ...]) -> Mapping[str, str]:
    """What people call the metrics, in order."""
    return {metric: _NAMES[metric] for metric in metrics}
