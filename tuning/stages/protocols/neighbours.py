"""Precision, recall, density and coverage, over all images or as means over classes.

Class by class, the generated images that were asked for a class stand against the real ones of that
class, and every class counts alike. Both sets then have as many images of each class, and no class
is left out: a set written class by class and cut at a round number would lose its last classes.

Which real images are used, if not all, is a fixed random choice, the same for every protocol of the
data: of a set that is sorted by class, the first ones would be a few classes only.
"""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from scorelib.errors import require_input
from scorelib.metrics.prdc import classwise_prdc, prdc
from scorelib.seeds import generator_of
from tuning.jobs import ExecutionContext, Job
from tuning.stages.features.reference import RealFeatures
from tuning.stages.protocols.base import Images, Measurement, Protocol


@dataclass(frozen=True, kw_only=True)
class NeighboursProtocol(Protocol):
    """How one of the four numbers was measured; see `scorelib.metrics.prdc`.

    Attributes:
        statistic: which number.
        n_real: real images measured against; with `classwise`, as many of each class.
        split: the real images' split.
        k: the nearest neighbour that bounds a ball, >= 1, less than the images compared.
        classwise: the mean over classes, each measured apart. Needs images that were asked for a
            class each, as many for every class.
    """

    KIND = "NeighboursProtocol"

    statistic: Literal["precision", "recall", "density", "coverage"]
    n_real: int
    split: Literal["train", "test"] = "train"
    k: int = 3
    classwise: bool = False

    def validate(self) -> None:
        """Refuses too few images, more real ones than there are, and classes that do not share."""
        super().validate()
        there_are = self.data.n_images(self.split)
        require_input(
            self.n_real <= there_are,
            f"n_real must be at most {there_are}, the {self.about} images; got {self.n_real}",
        )
        for name in ("n_real", "n_images"):
            number = getattr(self, name)
            share, left = divmod(number, self._n_parts)
            require_input(
                share > self.k >= 1 and left == 0,
                f"{name} must be {self._n_parts} equal parts of more than k = {self.k} >= 1 "
                f"images; got {number}",
            )

    @property
    def _n_parts(self) -> int:
        return self.data.n_classes if self.classwise else 1

    @property
    def reference(self) -> RealFeatures:
        """The job that extracts the real images' features."""
        return RealFeatures(data=self.data, split=self.split, extractor=self.extractor)

    @property
    def name(self) -> str:
        """Such as "recall[digits-cnn]" or "cw_recall[digits-cnn]"."""
        return f"{'cw_' * self.classwise}{self.statistic}[{self.extractor.name}]"

    @property
    def lower_is_better(self) -> bool:
        """Never; of density, more than about one is no better than one."""
        return False

    @property
    def about(self) -> str:
        """The real images."""
        return f"{self.data.name} {self.split}"

    @property
    def details(self) -> tuple[str, ...]:
        """The neighbour and the number of real images."""
        return (f"k = {self.k}", f"{self.n_real:,} real")

    def inputs(self) -> tuple[Job, ...]:
        """The real images' features."""
        return (self.reference,)

    def require_suitable(self, labels: Tensor | None) -> None:
        """Refuses, for means over classes, images not asked for each class equally often."""
        if not self.classwise:
            return
        require_input(
            labels is not None,
            f"{self.name} needs images that were asked for a class each; these were asked for none",
        )
        assert labels is not None
        share = self.n_images // self._n_parts
        found = labels.bincount(minlength=self._n_parts).tolist()
        require_input(
            found == [share] * self._n_parts,
            f"{self.name} needs {share} images of each of {self._n_parts} classes; got {found}",
        )

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """The number, with that of each class if it is their mean."""
        self.require_suitable(images.labels)
        real, real_labels = self.reference.read(at)
        chosen = self._chosen(real_labels)
        real, generated = real[chosen].to(at.device), images.values.to(at.device)
        if not self.classwise:
            return Measurement(getattr(prdc(real, generated, self.k), self.statistic))
        assert images.labels is not None
        found = classwise_prdc(real, real_labels[chosen], generated, images.labels, self.k)
        by_class = {label: float(getattr(of, self.statistic)) for label, of in found.items()}
        return Measurement(sum(by_class.values()) / len(by_class), by_class)

    def _chosen(self, labels: Tensor) -> Tensor:
        """Which of the real images are used, (n_real,) indices."""
        order = torch.randperm(len(labels), generator=generator_of("real images"))
        if not self.classwise:
            return order[: self.n_real]
        share = self.n_real // self._n_parts
        parts = [order[labels[order] == label][:share] for label in range(self._n_parts)]
        fewest = min(map(len, parts))
        require_input(
            fewest == share,
            f"n_real must be at most {fewest * self._n_parts}, {fewest} of each class of "
            f"{self.about}; got {self.n_real}",
        )
        return torch.cat(parts)
