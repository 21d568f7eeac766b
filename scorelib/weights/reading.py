"""Reads a network's weights, under our names, from a published file or a folder of `save`."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal

import safetensors.torch
import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import (
    UNIT_RANGE,
    Adapted,
    Answer,
    DdpmUNet,
    Ncsn,
    NcsnPp,
    NetworkSpec,
    ScoreNetwork,
)
from scorelib.networks.adapted import in_range
from scorelib.schedules import Schedule
from scorelib.weights.architectures import Published, identified, n_channels_of
from scorelib.weights.folder import CONFIG, read_folder
from scorelib.weights.layouts import FORMATS, Origin, content_of, no_averages
from scorelib.weights.levels import levels_of, require_same, require_within, schedule_of
from scorelib.weights.opening import WEIGHTS, opened, unreadable

FirstLevel = Literal["largest", "smallest"]

_HALF = (torch.float16, torch.bfloat16)
_LISTS_OF_FIVE = {"ncsnv2", "adversarial-score-matching"}


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
        """Returns the digest of the weights as safetensors, equal for equal tensors in any file.

        A folder of `scorelib.weights.save` holds the weights in a file of this digest.
        """
        return hashlib.sha256(safetensors.torch.save(dict(self.state))).hexdigest()

    def require_schedule(self) -> Schedule:
        """Returns the schedule; raises InputError if the schedule is not known."""
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
        """Returns the same weights for a network with another range of inputs or another output.

        Args:
            value_range: range of the images that the network takes; the schedule is in its units.
            answer: output of the network, one of `Answer`.
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
        """Returns the network with these weights, in evaluation mode.

        Args:
            shape: shape of one example; None for the file's.

        Raises:
            InputError: no shape is known, or the weights are for another number of channels.
        """
        shape = shape or self.shape
        if shape is None or shape[0] != self.n_channels:
            raise InputError(
                f"weights for {self.n_channels} channels need examples with {self.n_channels} "
                f"channels; got the shape {shape}: give a data set of such examples",
                "shape",
            )
        with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
            network = self.network.build(shape)
        network.load_state_dict(self.state)
        return network.eval()


def read(
    path: Path | str,
    format: str | None = None,
    *,
    network: NetworkSpec | None = None,
    schedule: Schedule | None = None,
    sha256: str | None = None,
    ema: bool = True,
    half: bool = False,
    first_level: FirstLevel = "largest",
) -> Checkpoint:
    """Reads a file of published weights, or a folder of `scorelib.weights.save`.

    Args:
        path: the file or the folder.
        format: the format that the file must have, one of `FORMATS`; None for any.
        network: the network that the weights must be of, adapted or not; None for what names and
            shapes tell.
        schedule: the noise levels of the training, for data in [0, 1]; None for what the file
            tells.
        sha256: digest that the file must have; None for any.
        ema: take the averaged weights, and refuse a file without; False takes the others. The
            formats ncsn and state-dict have no choice.
        half: accept weights in half precision; they are kept exactly, as float32.
        first_level: what the first level of the file's tables and of its ``sigmas`` is; the largest
            in all published programs.

    Raises:
        InputError: the file is damaged, or does not fit the other arguments.
    """
    path = Path(path)
    if format is not None and format not in FORMATS:
        raise InputError(
            f"format must be one of {', '.join(FORMATS)}; got {format!r}: give one of these, or "
            "leave it out",
            "format",
        )
    if _is_in_folder(path):
        _require_format(format, "safetensors")
        return _of_folder(path if path.is_dir() else path.parent, network, schedule, sha256)
    if isinstance(network, Adapted):
        own = None if schedule is None else in_range(schedule, network.width)
        inner = read(
            path, format, network=network.network, schedule=own, sha256=sha256, ema=ema, half=half,
            first_level=first_level,
        )  # fmt: skip
        return inner.adapted(network.value_range, network.answer, schedule)
    saved, digest = opened(path, sha256)
    content = content_of(saved, ema)
    _require_format(format, content.format)
    weights, notes = _as_float32(content.weights, half)
    largest_first = first_level == "largest"
    network, schedule = _resolved(network, schedule, content.sigmas, weights, largest_first)
    if content.format == "ncsn" and ema and not isinstance(network, Ncsn):
        raise no_averages(f"a list of two with weights of {network.short_kind()}")
    n_channels = n_channels_of(network, weights)
    state = Published(network, n_channels, largest_first).imported(weights)
    _require_not_centred(network, content.format)
    return Checkpoint(
        network=network,
        schedule=schedule,
        state=state,
        n_channels=n_channels,
        shape=None,
        sha256=digest,
        format=content.format,
        notes=(*content.notes, *notes),
        origin=content.origin,
    )


def _is_in_folder(path: Path) -> bool:
    """Whether a path is a folder of weights, or the file of weights in one."""
    try:
        return path.is_dir() or (path.name == WEIGHTS and path.with_name(CONFIG).exists())
    except OSError as error:
        raise unreadable(path, error) from error


def _resolved(
    network: NetworkSpec | None,
    schedule: Schedule | None,
    sigmas: Tensor | None,
    weights: Mapping[str, Tensor],
    largest_first: bool,
) -> tuple[NetworkSpec, Schedule | None]:
    """Returns the given network and schedule, which must fit the file, or those of the file."""
    if isinstance(network, Ncsn):
        schedule = schedule or network.schedule
        if schedule != network.schedule:
            raise InputError(
                f"the schedule must be the network's, {network.schedule}; got {schedule}: give "
                "one of the two",
                "schedule",
            )
    levels = None
    if sigmas is not None:
        levels = levels_of(sigmas, largest_first=largest_first)
        schedule = schedule or schedule_of(levels)
    network = network or identified(weights, schedule)
    if levels is not None and schedule is not None:
        (require_within if isinstance(network, NcsnPp) else require_same)(schedule, levels)
    return network, schedule


def _of_folder(
    folder: Path, network: NetworkSpec | None, schedule: Schedule | None, sha256: str | None
) -> Checkpoint:
    kept = read_folder(folder, sha256)
    given = {"network": (network, kept.network), "schedule": (schedule, kept.schedule)}
    for name, (asked, told) in given.items():
        if asked is not None and told is not None and asked != told:
            raise InputError(
                f"the {name} must be the one of {folder}, {told}; got {asked}: give that {name}, "
                "or leave it out",
                name,
            )
    return Checkpoint(
        network=kept.network,
        schedule=kept.schedule or schedule,
        state=kept.state,
        n_channels=kept.shape[0],
        shape=kept.shape,
        sha256=kept.sha256,
        format="safetensors",
        notes=(),
        origin=kept.origin,
    )


def _require_format(asked: str | None, found: str) -> None:
    # A list of five is ncsnv2's with the buffer of levels, or without: the weights mean the same.
    if asked is not None and asked != found and not {asked, found} <= _LISTS_OF_FIVE:
        raise InputError(
            f"the file must be of the format {asked}; got the layout of {found}: give that format, "
            "or leave the format out",
            "format",
        )


def _require_not_centred(network: NetworkSpec, format: str) -> None:
    if isinstance(network, DdpmUNet) and network.centres_input and format != "state-dict":
        raise InputError(
            f"DdpmUNet.centres_input must be False for the U-Net of {format}, which takes images "
            "as they are, in [0, 1] before the noise; got True: set centres_input False",
            "network",
        )


def _as_float32(weights: Mapping[str, Tensor], half: bool) -> tuple[dict[str, Tensor], list[str]]:
    kinds = {t.dtype: name for name, t in weights.items()}
    names = ", ".join(str(kind).removeprefix("torch.") for kind in kinds)
    if not kinds.keys() <= {torch.float32, torch.float64, *_HALF}:
        raise InputError(
            f"weights must be floating-point numbers; got {names}: fetch another file", "path"
        )
    if not half and kinds.keys() & set(_HALF):
        raise InputError(
            f"weights must be in single precision, as the published ones; got {names}: give "
            "half=True to take the rounded weights as they are",
            "half=true",
        )
    state = {name: t.float() for name, t in weights.items()}
    broken = [name for name, t in state.items() if not bool(t.isfinite().all())]
    if broken:
        raise InputError(
            f"weights must be finite; got nan or infinity in {broken[0]}: the training diverged, "
            "or the file is damaged: take an earlier checkpoint",
            "path",
        )
    return state, [f"weights stored as {names}"] if kinds.keys() != {torch.float32} else []
