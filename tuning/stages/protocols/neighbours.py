"""The protocol of precision, recall, density and coverage, of all images or as class means.

A class-wise metric compares the generated images of each requested class with the real images of
that class, and is the mean over the classes with equal weights. Each set then has equally many
images of each class and no class is left out, unlike in a set that is sorted by class and truncated
to a round number.

If not all real images are used, they are a fixed random choice, the same for every protocol of the
data. The first images would not do, since the images of some data sets are sorted by class.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from scorelib.data import DataSpec
from scorelib.data.own.pictures import Pictures
from scorelib.errors import InputError, require_input
from scorelib.metrics.classifier import ClassifierFeatures
from scorelib.metrics.prdc import classwise_prdc, prdc
from scorelib.seeds import generator_of
from tuning.jobs import ExecutionContext, Job
from tuning.stages.features.pictures import picture_chunks
from tuning.stages.features.reference import RealFeatures
from tuning.stages.protocols.base import Images, Measurement, Protocol


@dataclass(frozen=True, kw_only=True)
class NeighboursProtocol(Protocol):
    """Precision, recall, density or coverage; see `scorelib.metrics.prdc`.

    Attributes:
        statistic: metric to measure.
        n_real: number of real images, at most all of the split; with `classwise`, the same number
            of each class.
        split: split of the real images, if they are those of a data set.
        k: rank of the nearest neighbour that defines the radius of a ball, >= 1 and less than the
            number of images in each compared set.
        classwise: whether to take the mean over classes, each measured separately. This needs
            class-conditional images, equally many of each class.
    """

    KIND = "NeighboursProtocol"

    statistic: Literal["precision", "recall", "density", "coverage"]
    n_real: int
    split: Literal["train", "test"] = "train"
    k: int = 3
    classwise: bool = False

    def validate(self) -> None:
        """Raises InputError for too few or too many images, or numbers not divisible by classes."""
        super().validate()
        there_are = self._there_are
        require_input(
            self.n_real <= there_are,
            f"n_real must be at most {there_are}, the number of {self.about} images, "
            f"but got {self.n_real}",
        )
        for name in ("n_real", "n_images"):
            number = getattr(self, name)
            share, left = divmod(number, self._n_parts)
            require_input(
                share > self.k >= 1 and left == 0,
                f"{name} must be {self._n_parts} equal parts of more than k = {self.k} >= 1 "
                f"images, but got {number}",
            )

    @property
    def _there_are(self) -> int:
        """Number of real images, all of them."""
        if isinstance(self.data, DataSpec):
            return self.data.n_images(self.split)
        if isinstance(self.data, Pictures) and not self.classwise:
            return self.data.n_images
        raise InputError(
            f"{self.statistic} needs the real images{' and their classes' * self.classwise}, but "
            f"{self.data.name} has none: compare with a data set",
            "metrics",
        )

    @property
    def _n_parts(self) -> int:
        return self.data.n_classes if self.classwise and isinstance(self.data, DataSpec) else 1

    @property
    def name(self) -> str:
        """Display name of the metric, such as "recall[digits-cnn]" or "cw_recall[digits-cnn]"."""
        return f"{'cw_' * self.classwise}{self.statistic}[{self.extractor.name}]"

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values are better: never; a density above about 1 is no better than 1."""
        return False

    @property
    def classifier(self) -> ClassifierFeatures | None:
        """Classifier whose features tell the classes apart, if class-wise; see `Protocol`."""
        of = self.extractor
        return of if self.classwise and isinstance(of, ClassifierFeatures) else None

    @property
    def about(self) -> str:
        """Display name of the real images, with the split of a data set."""
        return (
            f"{self.data.name} {self.split}" if isinstance(self.data, DataSpec) else self.data.name
        )

    @property
    def details(self) -> tuple[str, ...]:
        """The rank k of the neighbour and the number of real images."""
        return (f"k = {self.k}", f"{self.n_real:,} real")

    def inputs(self) -> tuple[Job, ...]:
        """Returns the jobs that extract the features of the real images."""
        if isinstance(self.data, Pictures):
            return picture_chunks(self.data, self.data.n_images, self.extractor)
        return (self.reference,)

    @property
    def reference(self) -> RealFeatures:
        """Job that extracts the features of the real images of a data set."""
        assert isinstance(self.data, DataSpec)  # else `validate` has raised
        return RealFeatures(data=self.data, split=self.split, extractor=self.extractor)

    def _real(self, at: ExecutionContext) -> tuple[Tensor, Tensor]:
        """Returns the features of all real images, (N, d), and their labels, (N,)."""
        if isinstance(self.data, Pictures):
            chunks = picture_chunks(self.data, self.data.n_images, self.extractor)
            features = torch.cat([chunk.read(at, "features") for chunk in chunks])
            return features, torch.zeros(len(features), dtype=torch.int64)
        return self.reference.read(at)

    def require_suitable(self, labels: Tensor | None) -> None:
        """Raises InputError for a class-wise metric unless classes have equally many images."""
        if not self.classwise:
            return
        require_input(
            labels is not None,
            f"{self.name} needs class-conditional images, but no classes were requested",
        )
        assert labels is not None
        share = self.n_images // self._n_parts
        found = labels.bincount(minlength=self._n_parts).tolist()
        require_input(
            found == [share] * self._n_parts,
            f"{self.name} needs {share} images of each of {self._n_parts} classes, but got {found}",
        )

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """Measures the metric, for each class if class-wise; see `Protocol.measure`."""
        self.require_suitable(images.labels)
        real, real_labels = self._real(at)
        chosen = self._chosen(real_labels)
        real, generated = real[chosen].to(at.device), images.values.to(at.device)
        if not self.classwise:
            return Measurement(getattr(prdc(real, generated, self.k), self.statistic))
        assert images.labels is not None
        found = classwise_prdc(real, real_labels[chosen], generated, images.labels, self.k)
        by_class = {label: float(getattr(of, self.statistic)) for label, of in found.items()}
        return Measurement(sum(by_class.values()) / len(by_class), by_class)

    def _chosen(self, labels: Tensor) -> Tensor:
        """Returns the indices of the real images to use, (n_real,) int64."""
        order = torch.randperm(len(labels), generator=generator_of("real images"))
        if not self.classwise:
            return order[: self.n_real]
        share = self.n_real // self._n_parts
        parts = [order[labels[order] == label][:share] for label in range(self._n_parts)]
        fewest = min(map(len, parts))
        require_input(
            fewest == share,
            f"n_real must be at most {fewest * self._n_parts}, {fewest} of each class of "
            f"{self.about}, but got {self.n_real}",
        )
        return torch.cat(parts)
