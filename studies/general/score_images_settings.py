"""The settings of scores of pictures that were made elsewhere."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

from scorelib.data import DataSpec
from scorelib.data.own.pictures import Pictures
from scorelib.errors import InputError, require_input
from scorelib.metrics import ClassifierFeatures, InceptionFeatures, RandomConvFeatures
from scorelib.metrics.features import Extractor
from scorelib.metrics.statistics import Statistics
from studies.common.execution_settings import StudySettings
from studies.general.image_settings import (
    ClassifierOfImages,
    features_of,
    notes_of,
    require_classes,
)
from studies.general.metrics import protocol_of_kind
from tuning.stages import FidProtocol, InceptionScoreProtocol, NeighboursProtocol, Protocol

METRICS = {
    "distance": "Frechet distance",
    "inception score": "Inception score",
    "precision": "precision",
    "recall": "recall",
    "density": "density",
    "coverage": "coverage",
}
"""Names of the metrics, with the labels of their columns."""

_FEWEST_DISTINCT = 0.98
"""Share of different images below which a reader is warned."""


@dataclass(frozen=True, kw_only=True)
class ScoreImagesSettings(StudySettings):
    """Settings of scores of pictures that were made elsewhere.

    Attributes:
        pictures: sets of pictures, one row each: folders of image files, or ``.npz`` files.
        reference: what the pictures are compared with: a data set; pictures, of which all are used;
            or published statistics.
        split: split of the reference, if the reference is a data set.
        extractor: features of the metrics; None for the classifier of the reference's classes,
            random convolutions for a reference without classes, or Inception features for
            published statistics.
        metrics: metrics to measure, of "distance", "inception score", "precision", "recall",
            "density" and "coverage", or kinds of protocols (`general.metrics`); empty for all of
            the names that reference and features allow.
        n_images: number of images of each row, the first ones, >= 2; None for all.
        n_splits: number of splits of the Inception score, >= 1; at most one per image.
        k: rank of the neighbour in precision, recall, density and coverage, >= 1.
    """

    KIND = "ScoreImagesSettings"

    pictures: tuple[Pictures, ...] = ()
    reference: DataSpec | Pictures | Statistics
    split: Literal["train", "test"] = "train"
    extractor: Extractor | ClassifierOfImages | None = None
    metrics: tuple[str, ...] = ()
    n_images: int | None = None
    n_splits: int = 10
    k: int = 3

    def validate(self) -> None:
        """Checks that pictures, reference, features and metrics fit together.

        Raises:
            InputError: a name is given twice, there are too few pictures, the features are of
                other images, or a metric needs what the reference or the features lack.
        """
        names = [pictures.name for pictures in self.pictures]
        require_input(
            len(set(names)) == len(names),
            f"pictures must have different names, but got {', '.join(names)}",
        )
        if len(self.reference.shape) == 1:
            raise InputError(
                f"reference must be of images, but {self.reference.name} holds points", "reference"
            )
        if isinstance(self.extractor, ClassifierOfImages) and not isinstance(
            self.reference, DataSpec
        ):
            raise InputError(
                f"a classifier needs the classes of a data set, but {self.reference.name} has none:"
                " leave the extractor out, or name another",
                "extractor",
            )
        require_classes(self.features)
        require_input(
            len(set(self.metrics)) == len(self.metrics),
            f"metrics must be given once each, but got {', '.join(self.metrics)}",
        )
        for metric in set(self.metrics) - set(METRICS):
            self.protocol(metric, 2)
        for pictures in self.pictures:
            self._require_fitting(pictures)
            for metric in self.measured:
                self.protocol(metric, self.n_of(pictures))

    def _require_fitting(self, pictures: Pictures) -> None:
        """Raises InputError for too few pictures, or another shape than a classifier's."""
        n, wanted = pictures.n_images, self.n_images or 2
        if n < wanted:
            raise InputError(
                f"n_images must be at most {n:,}, the images of {pictures.name}, but got "
                f"{wanted:,}",
                "n_images",
            )
        of = self.features
        if isinstance(of, ClassifierFeatures) and of.classifier.data.shape != pictures.shape:
            raise InputError(
                f"pictures must have the shape (C, H, W) = {of.classifier.data.shape} of the images"
                f" of {of.name}, but those of {pictures.name} have {pictures.shape}: take another"
                " extractor, such as RandomConvFeatures or InceptionFeatures",
                "extractor",
            )

    def n_of(self, pictures: Pictures) -> int:
        """Returns the number of images of some pictures that are measured."""
        return self.n_images or pictures.n_images

    @property
    def features(self) -> Extractor:
        """The feature extractor, by default the one that the reference allows."""
        if isinstance(self.extractor, Extractor):
            return self.extractor
        if isinstance(self.reference, DataSpec):
            return features_of(self.extractor, self.reference)
        is_published = isinstance(self.reference, Statistics)
        return InceptionFeatures() if is_published else RandomConvFeatures()

    @property
    def measured(self) -> tuple[str, ...]:
        """The metrics that are measured, in order."""
        if self.metrics:
            return self.metrics
        has_classes = self.features.n_classes > 0 and self.features.one_class_per_image
        has_images = not isinstance(self.reference, Statistics)
        return tuple(
            name
            for name in METRICS
            if name == "distance" or (has_classes if name == "inception score" else has_images)
        )

    def protocol(self, metric: str, n_images: int) -> Protocol:
        """Returns the protocol of a metric.

        Args:
            metric: one of `METRICS`, or the kind of a protocol.
            n_images: number of images.

        Raises:
            InputError: the images are too few, or features or reference lack what is needed.
        """
        extractor, data = self.features, self.reference
        if metric == "distance" or metric not in METRICS:
            distance = FidProtocol(
                extractor=extractor, data=data, n_images=n_images, split=self.split,
                seeds="unstated",
            )  # fmt: skip
            if metric == "distance":
                return distance
            return protocol_of_kind(metric, distance, "metrics", METRICS)
        if metric == "inception score":
            return InceptionScoreProtocol(
                extractor=extractor, data=data, n_images=n_images, seeds="unstated",
                n_splits=min(self.n_splits, n_images),
            )  # fmt: skip
        there_are = data.n_images(self.split) if isinstance(data, DataSpec) else _n_of(data)
        return NeighboursProtocol(
            extractor=extractor, data=data, n_images=n_images, split=self.split, k=self.k,
            seeds="unstated", statistic=metric, n_real=min(n_images, there_are),  # type: ignore[arg-type]
        )  # fmt: skip

    @property
    def about(self) -> str:
        """Display name of the reference."""
        name = self.reference.name
        return f"{name} {self.split}" if isinstance(self.reference, DataSpec) else name

    @property
    def notes(self) -> tuple[str, ...]:
        """What a reader should know of pictures, reference and features, one line each."""
        found = [note for pictures in self.pictures for note in self._notes(pictures)]
        if isinstance(self.reference, Pictures):
            found += _contents(self.reference)
        if isinstance(self.reference, Statistics):
            found.append(
                f"{self.reference.name}: published statistics with SHA-256 {self.reference.sha256};"
                " the file tells neither the features nor the resizing that it was made with"
            )
        if isinstance(self.features, InceptionFeatures):
            found.append(
                f"{self.features.name}: images are resized to 299 x 299 pixels, bilinear, as"
                " TensorFlow 1 does"
            )
        return (*found, *notes_of(self.features))

    def _notes(self, pictures: Pictures) -> Iterator[str]:
        yield from _contents(pictures)
        n, d = self.n_of(pictures), self.features.n_features
        if n < d and "distance" in self.measured:
            yield (
                f"warning: {pictures.name}: {n:,} images are fewer than the {d:,} features of"
                f" {self.features.name}, so the distance is far too large; compare it with those of"
                " as many images alone"
            )
        own, other = pictures.shape[1:], self.reference.shape[1:]
        if other and own != other:
            yield (
                f"warning: {pictures.name}: the images have {own[0]} x {own[1]} pixels and those of"
                f" {self.reference.name} {other[0]} x {other[1]}: the extractor resizes each set"
                " from its own size, and the metrics see the difference"
            )


def _n_of(data: Pictures | Statistics) -> int:
    return data.n_images if isinstance(data, Pictures) else 0


def _contents(pictures: Pictures) -> Iterator[str]:
    """Yields what some pictures are, and a warning if many of them are equal."""
    n, distinct, (channels, height, width) = (
        pictures.n_images, pictures.n_distinct, pictures.shape,
    )  # fmt: skip
    colours = "grey" if channels == 1 else "colour"
    yield (
        f"{pictures.name}: {n:,} {colours} images of {height} x {width} pixels, {distinct:,} "
        "distinct"
    )
    if distinct == 1:
        yield f"warning: {pictures.name}: all {n:,} images are equal"
    elif distinct < _FEWEST_DISTINCT * n:
        yield f"warning: {pictures.name}: of {n:,} images only {distinct:,} differ"
