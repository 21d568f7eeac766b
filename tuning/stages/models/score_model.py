"""The interface between sampling and the origin of a score.

Sampling, scoring and searching need three things of a `ScoreModel`: the data set that samples
should resemble, the noise levels, and a module that computes sigma * score. The origin of the model
does not matter: a snapshot of a training, imported weights and a user's class are score models.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping

from torch import Tensor, nn

from scorelib.data import DataSpec
from scorelib.errors import InputError
from scorelib.networks import NetworkSpec
from scorelib.schedules import Schedule
from scorelib.spec import Spec
from scorelib.weights import Origin
from tuning.jobs import ExecutionContext, Job

GPU_MULTIPLY_ADDS = 1e8
"""Number of multiply-adds per image above which a network is trained and sampled on a GPU."""


class ScoreModel(Spec, ABC):
    """A model of the score of a data set at a sequence of noise levels.

    Examples have the shape of `target`, and its units: images are in [0, 1] before the noise, and
    noise levels are in the same units. A model of another range converts its input itself.

    A subclass is a frozen, keyword-only dataclass, and its fields determine the score.
    """

    KIND = "ScoreModel"

    @property
    @abstractmethod
    def target(self) -> DataSpec:
        """Data set that samples should resemble; gives the shape and the range of examples."""

    @property
    @abstractmethod
    def levels(self) -> Schedule:
        """Noise levels that the model is sampled at."""

    @abstractmethod
    def score_network(self, at: ExecutionContext, ema: float | None) -> nn.Module:
        """Returns the module that maps (x, sigma) to sigma * score, frozen, on the device.

        The module takes x, (B, C, H, W) or (B, D), and a level, () or (B,); see
        `scorelib.networks.base`.

        Args:
            at: execution context, which gives the device and holds the results of `needed_jobs`.
            ema: one of `decays`; None if the model has none.

        Raises:
            MissingInputError: a needed job is not stored, or was found corrupt.
        """

    @property
    def decays(self) -> tuple[float, ...]:
        """EMA decays of the weights to choose from; empty if there is no choice."""
        return ()

    @property
    def seeded_as(self) -> "ScoreModel":
        """The model whose key seeds the proposals of searches: in general this one."""
        return self

    @property
    def exported_as(self) -> Origin:
        """The origin that an export of the model records, without an EMA decay."""
        return Origin(self.key)

    def needed_jobs(self) -> tuple[Job, ...]:
        """Returns the jobs whose results `score_network` reads."""
        return ()

    @property
    def evaluation_multiply_adds(self) -> int:
        """Number of multiply-adds of one evaluation for one example; 0 if not known."""
        return 0

    @property
    def architecture(self) -> str:
        """Kind of the network: models of one architecture share the measured speed of sampling."""
        return self.KIND

    @property
    def origin(self) -> str:
        """Origin of the model in a few words, such as "trained by dsm", for titles of jobs."""
        return self.short_kind()

    def wants_gpu(self) -> bool:
        """Returns whether one evaluation takes more than `GPU_MULTIPLY_ADDS` multiply-adds."""
        return self.evaluation_multiply_adds > GPU_MULTIPLY_ADDS

    def exported(
        self, at: ExecutionContext, ema: float | None
    ) -> tuple[NetworkSpec, Mapping[str, Tensor]]:
        """Returns the architecture and its state, tensors by name on the CPU, for export.

        Arguments are those of `score_network`.

        Raises:
            InputError: the model is not a network of weights.
            MissingInputError: a needed job is not stored, or was found corrupt.
        """
        raise InputError(
            f"a model to export must be a network with weights, but got {self.short_kind()}, which "
            "defines no `exported`: choose a cell of another model"
        )
