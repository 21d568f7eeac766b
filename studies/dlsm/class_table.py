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

from collections.abc import Mapping

from studies.dlsm.class_settings import STATISTICS, ClassSettings
from studies.reported import REPORTED_ALPHA, reported
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
    value: float | None,
    source: str,
) -> Cell:
    """A cell: one metric of the images of one method.

    Args:
        at: the study's settings.
        metric: one of `EVERYTHING`.
        sample: the images.
        labels: of row and column.
        value: what the paper reports, if it does.
        source: where.
    """
    stated = {} if value is None else {"denoised": Reported(value, source)}
    row, column = labels
    if metric == "accuracy":
        jobs = [
            ClassificationAccuracy(
                sample=sample.replace(seed=seed), n_images=at.n_images, classifier=at.accuracy
            )
            for seed in range(1, at.seeds + 1)
        ]
        return Cell(
            row=row, column=column, job=jobs[0], repeats=tuple(jobs[1:]), n_seeds=at.seeds,
            quantities=("denoised",), reported=stated,
        )  # fmt: skip
    return Cell(
        row=row, column=column, sample=sample, protocol=at.protocol(metric), n_seeds=at.seeds,
        quantities=("denoised",), reported=stated,
    )  # fmt: skip


def table_2(name: str, dataset: str, scale: str, at: ClassSettings) -> Study:
    """Table 2 on one data set: a row per metric, a column per method."""
    cells = [
        cell(
            at, metric, sample, (_NAMES[metric], method), _reported(at, dataset, method, metric),
            "Table 2",
        )
        for metric in ("accuracy", *(m for m in EVERYTHING if m != "accuracy"))
        for method, sample in at.methods().items()
    ]  # fmt: skip
    return class_study(
        name, scale, at, cells, exhibit="Table 2",
        title=f"Class-conditional images, {at.train.data.name}: base, scaling (alpha = "
        f"{at.alpha:g}), ours",
        question="Does DLSM make images of their class that are both good and various?",
        figures=("class_gains",),
    )  # fmt: skip


def _reported(at: ClassSettings, dataset: str, method: str, metric: str) -> float | None:
    if method == "scaling" and at.alpha != REPORTED_ALPHA:
        return None
    return reported(paper="dlsm", table="2", dataset=dataset, row=_ROWS[method], metric=metric)


def class_study(
    name: str,
    scale: str,
    at: ClassSettings,
    cells: list[Cell],
    *,
    exhibit: str,
    title: str,
    question: str,
    searches: tuple[Search, ...] = (),
    figures: tuple[str, ...] = (),
    notes: tuple[str, ...] = (),
) -> Study:
    """A study of these cells, with what has to be said of all of them."""
    return Study(
        name=name, scale=scale, paper="dlsm", exhibit=exhibit, title=title, question=question,
        settings=at, cells=tuple(cells), searches=searches,
        figures=(*figures, "noise_schedules", "losses"),
        notes=(
            *notes,
            f"distances, scores and neighbours in the features of {at.extractor.name}; the paper's "
            "are in TF-Hub's Inception",
        ),
    )  # fmt: skip


def metric_names(metrics: tuple[str, ...]) -> Mapping[str, str]:
    """What people call the metrics, in order."""
    return {metric: _NAMES[metric] for metric in metrics}
