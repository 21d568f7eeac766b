"""Modes of stacked digits."""

from dataclasses import dataclass
from typing import ClassVar, Literal

from scorelib.data import Stacked
from scorelib.errors import require_input
from scorelib.metrics.modes import mode_coverage, stack_classes
from scorelib.metrics.stacked import StackedClassifierFeatures
from tuning.jobs import ExecutionContext
from tuning.stages.protocols.base import Images, Measurement, Protocol, Reads


@dataclass(frozen=True, kw_only=True)
class ModesProtocol(Protocol):
    """How the spread of stacked digits over their modes was measured; every stack counts once.

    Attributes:
        extractor: classifier of the single images.
        data: the stacks.
        statistic: "modes": how many have any stack; "kl": KL(their shares || equal shares), nats.
    """

    KIND = "ModesProtocol"
    reads: ClassVar[Reads] = "probabilities"

    extractor: StackedClassifierFeatures
    data: Stacked
    statistic: Literal["modes", "kl"]

    def validate(self) -> None:
        """Refuses a classifier of other classes than those stacked."""
        super().validate()
        single, stacked = self.extractor.classifier.data, self.data.of
        require_input(
            single.n_classes == stacked.n_classes,
            f"the classifier must know the {stacked.n_classes} classes of {stacked.name}; got "
            f"one of {single.n_classes} ({single.name})",
        )

    @property
    def name(self) -> str:
        """The statistic."""
        return self.statistic

    @property
    def lower_is_better(self) -> bool:
        """Of the divergence."""
        return self.statistic == "kl"

    @property
    def details(self) -> tuple[str, ...]:
        """The classifier."""
        return (self.extractor.name,)

    def measure(self, images: Images, at: ExecutionContext) -> Measurement:
        """The number of modes, or the divergence."""
        k = self.data.of.n_classes
        found = mode_coverage(stack_classes(images.values, k), k)
        return Measurement(float(found.n_modes) if self.statistic == "modes" else found.kl)
