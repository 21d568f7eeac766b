"""Weights that were read from a file, whatever its format."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property

import safetensors.torch
import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import UNIT_RANGE, Adapted, Answer, NetworkSpec, ScoreNetwork
from scorelib.networks.adapted import in_range
from scorelib.schedules import Schedule
from scorelib.weights.layouts import Origin


@dataclass(frozen=True, eq=False)
class Checkpoint:
    """Weights that were read from a file.

    Attributes:
        network: the architecture.
        schedule: the noise levels of the training; None if neither told by the file nor given.
        state: tensors by our names, float32.
        n_channels: channels of an image, or dimension of a vector.
        shape: of one example, if the file tells; published files do not.
        sha256: digest of the file that held the weights.
        format: the file's format.
        notes: what a reader should know, such as "the averaged weights (EMA)".
        origin: which model of this program was exported; None for weights from elsewhere.
    """

    network: NetworkSpec
    schedule: Schedule | None
    state: Mapping[str, Tensor]
    n_channels: int
    shape: tuple[int, ...] | None
    sha256: str
    format: str
    notes: tuple[str, ...]
    origin: Origin | None = None

    @cached_property
    def weights_sha256(self) -> str:
        """Digest of the weights as safetensors: equal for equal tensors, whatever file they fill.

        A folder of `scorelib.weights.save` holds the weights in a file of this digest.
        """
        return hashlib.sha256(safetensors.torch.save(dict(self.state))).hexdigest()

    def require_schedule(self) -> Schedule:
        """The schedule; raises InputError if the schedule is not known."""
        if self.schedule is None:
            raise InputError(
                f"a schedule must be given for weights of {self.network}, whose file does not tell "
                "the noise levels; got none: give the schedule of the training, in the published "
                "runs on CIFAR-10 GeometricSchedule(sigma_1=50, sigma_L=0.01, n_levels=232)",
                "schedule",
            )
        return self.schedule

    def adapted(
        self, value_range: tuple[float, float], answer: Answer, schedule: Schedule | None = None
    ) -> "Checkpoint":
        """The same weights as those of a network of another range or another answer.

        Args:
            value_range: range of the images that the network takes; the schedule is in its units.
            answer: what the network answers.
            schedule: the levels for data in [0, 1]; None for those of the range, converted.

        Raises:
            InputError: the range has no width, or the levels cannot be converted.
        """
        if (value_range, answer) == (UNIT_RANGE, "scaled score"):
            return self
        network = Adapted(network=self.network, value_range=value_range, answer=answer)
        if schedule is None and self.schedule is not None:
            schedule = in_range(self.schedule, 1 / network.width)
        state = {f"network.{name}": t for name, t in self.state.items()}
        return replace(self, network=network, schedule=schedule, state=state)

    def build(self, shape: tuple[int, ...] | None = None) -> ScoreNetwork:
        """The network with these weights, in evaluation mode.

        Args:
            shape: shape of one example; None for the file's.

        Raises:
            InputError: no shape is known, or the weights are for another number of channels.
        """
        shape = shape or self.shape
        if shape is None or shape[0] != self.n_channels:
            raise InputError(
                f"weights of {self.n_channels} channels must be built for examples of as many; got "
                f"the shape {shape}: give a data set of such examples",
                "shape",
            )
        with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
            network = self.network.build(shape)
        network.load_state_dict(self.state)
        return network.eval()
