"""The base of protocols, with their input (`Images`) and output (`Measurement`)."""

from abc import abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import torch
from torch import Tensor

from scorelib.data import DataSpec
from scorelib.data.own.pictures import Pictures
from scorelib.errors import require_input
from scorelib.metrics.classifier import ClassifierFeatures
from scorelib.metrics.features import Extractor
from scorelib.metrics.statistics import Statistics
from scorelib.spec import Spec
from tuning.jobs import ExecutionContext, Job

Reads = Literal["features", "probabilities"]
"""Tensor of a chunk's images that a protocol measures: features or class probabilities."""

N_GROUPS = 20
"""Number of groups of images of a jackknife."""


@dataclass(frozen=True)
class Images:
    """The input of a protocol: the images to measure, as features or class probabilities.

    Attributes:
        values: tensor that the protocol `reads`: features, (n, d), or probabilities of the
            extractor's classes, (n, K); float32.
        labels: requested classes of the images, (n,) int64; None if no classes were requested.
    """

    values: Tensor
    labels: Tensor | None = None

    @property
    def groups(self) -> Tensor:
        """Group of each image, (n,) int64, from 0 to `N_GROUPS` - 1: every 20th image is in one."""
        return torch.arange(len(self.values)) % N_GROUPS

    def split(self) -> Iterator["Images"]:
        """Yields the images without each of the groups."""
        groups = self.groups
        for left_out in range(N_GROUPS):
            kept = groups != left_out
            yield Images(self.values[kept], None if self.labels is None else self.labels[kept])


@dataclass(frozen=True)
class Measurement:
    """The output of a protocol: the value of a metric and, for a class mean, of each class.

    Attributes:
        value: value of the metric.
        by_class: value of each class by label, whose mean is `value`; empty if `value` is not a
            mean over classes.
    """

    value: float
    by_class: Mapping[int, float] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Protocol(Spec):
    """Base of protocols: a metric with all settings that its value depends on.

    Attributes:
        reads: tensor of the images that is measured, "features" or "probabilities".
        extractor: extractor of features and classes, including its weights and resizing.
        data: what the images should resemble: a data set, pictures that were made elsewhere, or
            published statistics; a kind of protocol may take data sets alone.
        n_images: number of generated images, >= 1.
        seeds: origin of the images. "search": the step size was chosen on these images, which
            biases the value towards better ones; "fresh": no setting was chosen on these
            images; "unstated": a paper does not say.
    """

    KIND = "Protocol"
    reads: ClassVar[Reads] = "features"

    extractor: Extractor
    data: DataSpec | Pictures | Statistics
    n_images: int
    seeds: Literal["search", "fresh", "unstated"] = "search"

    def validate(self) -> None:
        """Raises InputError if there are no images."""
        require_input(self.n_images >= 1, f"n_images must be at least 1, but got {self.n_images}")

    @property
    @abstractmethod
    def name(self) -> str:
        """Display name of the metric, such as "fid", "fd[digits-cnn]" or "modes"."""

    @property
    def metric_name(self) -> str:
        """Name of the metric in MLflow, without brackets, such as "fid", "fd" or "modes"."""
        return self.name.split("[")[0]

    @property
    @abstractmethod
    def lower_is_better(self) -> bool:
        """Whether lower values are better."""

    @property
    def classifier(self) -> ClassifierFeatures | None:
        """Trained classifier whose classes the values rest on; None if there is no such classifier.

        Scores report how sure this classifier is of the images.
        """
        of = self.extractor
        return of if self.reads == "probabilities" and isinstance(of, ClassifierFeatures) else None

    @property
    def unit(self) -> str:
        """Name of the examples of the data set: "images" or "points"."""
        return "points" if len(self.data.shape) == 1 else "images"

    @property
    def about(self) -> str:
        """Display name of the data that the images are compared with."""
        return self.data.name

    @property
    def details(self) -> tuple[str, ...]:
        """Other settings that the value depends on, a few words each."""
        return ()

    def summary(self) -> str:
        """Returns the metric, the data and the number of images, in a few words."""
        return f"{self.name}, {self.about}, {self.n_images:,} {self.unit}"

    def describe(self) -> str:
        """Returns a full description of the protocol in one line."""
        images = f"{self.n_images:,} {self.unit}"
        return ", ".join((self.name, images, self.about, *self.details, f"{self.seeds} seeds"))

    def is_comparable(self, other: "Protocol") -> bool:
        """Returns whether values of the two protocols can be compared.

        All fields must be equal, except that seeds that are "unstated" match any seeds.

        Args:
            other: protocol to compare with.
        """
        if "unstated" in (self.seeds, other.seeds):
            return self.replace(seeds="unstated") == other.replace(seeds="unstated")
        return self == other

    def inputs(self) -> tuple[Job, ...]:
        """Returns the jobs whose results `measure` reads."""
        return ()

    def require_suitable(self, labels: Tensor | None) -> None:
        """Raises InputError if the protocol cannot measure images of these classes.

        The check needs no images, so it can be made before sampling.

        Args:
            labels: requested classes of the images, as in `Images`.

        Raises:
            InputError: the classes do not suit the protocol.
        """

    def without_groups(self, images: Images, at: ExecutionContext) -> tuple[float, ...]:
        """Measures the metric without each of `N_GROUPS` groups of the images, for a jackknife.

        Args:
            images: generated images, as for `measure`.
            at: execution context that holds the results of `inputs`.

        Returns:
            One value for each group; () if the metric is not measured in this way, or for fewer
            images than two in each group.
        """
        return ()

    @abstractmethod
    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """Measures the metric on generated images.

        Args:
            images: generated images, `n_images` in number.
            at: execution context that holds the results of `inputs`.

        Raises:
            InputError: the images cannot be measured, such as features that are not finite.
            MissingInputError: an input must be computed (again) first.
        """
