"""Files of weights: the options with which a file is read, and the identity of its weights.

A file is identified by its SHA-256, never by its name. The architecture and the noise levels come
from the file if it contains them, otherwise from the user. Both are part of the identity, together
with the options on which the weights depend.
"""

from dataclasses import dataclass
from pathlib import Path

from scorelib.errors import InputError, require_input
from scorelib.networks import UNIT_RANGE, Answer, NetworkSpec, Prediction, Times
from scorelib.schedules import Schedule
from scorelib.spec import Spec
from scorelib.weights import Checkpoint, read
from scorelib.weights.opening import file_sha256
from scorelib.weights.reading import FirstLevel

_HEX = frozenset("0123456789abcdef")


@dataclass(frozen=True, kw_only=True)
class WeightsFile(Spec):
    """The weights of a score network in a file.

    Attributes:
        sha256: SHA-256 of the file, or of the file of weights in a folder; 64 hexadecimal digits.
        network: architecture.
        schedule: noise levels of the training, for data in [0, 1].
        ema: whether the averaged weights are taken, if the format has a choice.
        half: whether weights in half precision are accepted.
        first_level: whether the first level in the file is the largest or the smallest.
        exported_from: key of the model of this program that the file was exported from; "" for
            weights from elsewhere. Searches then draw the same random numbers as for that model.
        exported_ema: EMA decay of the exported weights; None if there was none.
    """

    KIND = "WeightsFile"

    sha256: str
    network: NetworkSpec
    schedule: Schedule
    ema: bool = True
    half: bool = False
    first_level: FirstLevel = "largest"
    exported_from: str = ""
    exported_ema: float | None = None

    def validate(self) -> None:
        """Raises InputError unless `sha256` is a SHA-256."""
        require_input(
            len(self.sha256) == 64 and set(self.sha256) <= _HEX,
            f"sha256 must be 64 hexadecimal digits, in lower case, but got {self.sha256!r}",
        )

    def read(self, path: Path) -> Checkpoint:
        """Returns the weights in the file.

        Args:
            path: the file or the folder.

        Raises:
            InputError: the file has another digest or cannot be used as described.
        """
        return read(
            path, network=self.network, schedule=self.schedule, sha256=self.sha256, ema=self.ema,
            half=self.half, first_level=self.first_level,
        )  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class Reading(Spec):
    """The options with which a file of weights is read; None means that the file gives the value.

    Attributes:
        format: layout that the file must have, one of `scorelib.weights.FORMATS`; None for any.
        network: architecture; None for the architecture that fits the names and shapes of the
            tensors.
        schedule: noise levels of the training, in units of `value_range`; None for the levels in
            the file.
        sha256: digest that the file must have; None for any.
        ema: whether the averaged weights are taken, if the format has a choice.
        half: whether weights in half precision are accepted.
        first_level: whether the first level in the file is the largest or the smallest.
        value_range: least and greatest value of the images that the network takes.
        answer: output of the network, one of `scorelib.networks.Answer`.
        times: time of a level between those of two training times of a model of diffusers; None for
            the usual time of the network.
        prediction: prediction of a model of diffusers; None for the one that its folder states.
    """

    KIND = "Reading"

    format: str | None = None
    network: NetworkSpec | None = None
    schedule: Schedule | None = None
    sha256: str | None = None
    ema: bool = True
    half: bool = False
    first_level: FirstLevel = "largest"
    value_range: tuple[float, float] = UNIT_RANGE
    answer: Answer = "scaled score"
    times: Times | None = None
    prediction: Prediction | None = None

    def identified(self, path: Path) -> WeightsFile:
        """Reads a file and returns the identity of its weights.

        Args:
            path: the file or the folder.

        Raises:
            InputError: the file does not fit these options, or noise levels are neither in the file
                nor given.
        """
        found = read(
            path, self.format, network=self.network, schedule=self.schedule, sha256=self.sha256,
            ema=self.ema, half=self.half, first_level=self.first_level, times=self.times,
            prediction=self.prediction,
        ).adapted(self.value_range, self.answer)  # fmt: skip
        return WeightsFile(
            sha256=found.sha256,
            network=found.network,
            schedule=found.require_schedule(),
            ema=self.ema,
            half=self.half,
            first_level=self.first_level,
            exported_from=found.origin.model if found.origin else "",
            exported_ema=found.origin.ema if found.origin else None,
        )


def weights_path(wanted: WeightsFile, paths: tuple[Path, ...]) -> Path:
    """Returns the path of the file that holds some weights.

    Args:
        wanted: the weights.
        paths: files and folders to choose from; they are tried in order, from the first.

    Raises:
        InputError: no path leads to a file of the digest.
    """
    for path in paths:
        if file_sha256(path) == wanted.sha256:
            return path
    given = ", ".join(map(str, paths)) or "none"
    raise InputError(
        f"a file with the SHA-256 {wanted.sha256} must be given, once, to import its weights into "
        f"the store, but got {given}: give that file",
        "data.weights",
    )
