"""The protocol of mode coverage of stacked digits."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from scorelib.data import Stacked
from scorelib.errors import require_input
from scorelib.metrics.modes import mode_coverage, stack_classes
from scorelib.metrics.stacked import StackedClassifierFeatures
from tuning.jobs import ExecutionContext
from tuning.stages.protocols.base import N_GROUPS, Images, Measurement, Protocol, Reads


@dataclass(frozen=True, kw_only=True)
class ModesProtocol(Protocol):
    """The coverage of the modes of stacked digits, where each stack counts once.

    Attributes:
        extractor: classifier of the single images of a stack.
        data: data set of stacks.
        statistic: metric to measure. "modes": number of modes with at least one stack; "kl":
            KL(shares of the modes || equal shares), in nats.
    """

    KIND = "ModesProtocol"
    reads: ClassVar[Reads] = "probabilities"

    extractor: StackedClassifierFeatures
    data: Stacked
    statistic: Literal["modes", "kl"]

    def validate(self) -> None:
        """Raises InputError unless the classifier has as many classes as the stacked images."""
        super().validate()
        single, stacked = self.extractor.classifier.data, self.data.of
        require_input(
            single.n_classes == stacked.n_classes,
            f"extractor must have the {stacked.n_classes} classes of {stacked.name}, but got "
            f"{single.n_classes} classes of {single.name}",
        )

    @property
    def name(self) -> str:
        """Display name of the metric: the statistic."""
        return self.statistic

    @property
    def lower_is_better(self) -> bool:
        """Whether lower values are better: for "kl" only."""
        return self.statistic == "kl"

    @property
    def details(self) -> tuple[str, ...]:
        """Name of the classifier."""
        return (self.extractor.name,)

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """Measures the number of modes, or the divergence in nats; see `Protocol.measure`."""
        k = self.data.of.n_classes
        found = mode_coverage(stack_classes(images.values, k), k)
        return Measurement(float(found.n_modes) if self.statistic == "modes" else found.kl)

    def without_groups(self, images: Images, at: ExecutionContext) -> tuple[float, ...]:
        """Measures the statistic without each group; see `Protocol.without_groups`."""
        if len(images.values) < 2 * N_GROUPS:
            return ()
        return tuple(self.measure(part, at).value for part in images.split())
