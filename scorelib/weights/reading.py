"""Reads a network's weights, under our names, from a published file or a folder of `save`."""

from collections.abc import Mapping
from pathlib import Path
from typing import Literal

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import (
    Adapted,
    DdpmUNet,
    DiffusersUnet,
    Ncsn,
    NcsnPp,
    NetworkSpec,
    Prediction,
    Times,
)
from scorelib.networks.adapted import in_range
from scorelib.schedules import Schedule
from scorelib.weights.architectures import Published, identified, n_channels_of
from scorelib.weights.checkpoint import Checkpoint
from scorelib.weights.folder import CONFIG, read_folder
from scorelib.weights.layouts import FORMATS, content_of, no_averages
from scorelib.weights.levels import levels_of, require_same, require_within, schedule_of
from scorelib.weights.opening import WEIGHTS, opened, unreadable
from scorelib.weights.pipelines import is_pipeline, our_names, read_pipeline
from scorelib.weights.ties import mismatch

FirstLevel = Literal["largest", "smallest"]

_ANY_SIDE = 64
_HALF = (torch.float16, torch.bfloat16)
_LISTS_OF_FIVE = {"ncsnv2", "adversarial-score-matching"}


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
    times: Times | None = None,
    prediction: Prediction | None = None,
) -> Checkpoint:
    """Reads a file of published weights, or a folder of `scorelib.weights.save` or of diffusers.

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
        times: time of a level between those of two training times, for a denoising diffusion model
            of diffusers; None for the usual one of the network (`scorelib.networks.DiffusersUnet`).
        prediction: what such a model predicts; None for what its folder says.

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
    folder = _folder_of(path)
    is_of_diffusers = folder is not None and is_pipeline(folder)
    if (times or prediction) and not is_of_diffusers:
        raise InputError(
            f"times and prediction must be left out for {path}; got them, which are options of a "
            "folder of diffusers: give neither",
            "times" if times else "prediction",
        )
    if folder is not None and not is_of_diffusers:
        _require_format(format, "safetensors")
        return _of_folder(folder, network, schedule, sha256)
    if isinstance(network, Adapted):
        own = None if schedule is None else in_range(schedule, network.width)
        inner = read(
            path, format, network=network.network, schedule=own, sha256=sha256, ema=ema, half=half,
            first_level=first_level, times=times, prediction=prediction,
        )  # fmt: skip
        return inner.adapted(network.value_range, network.answer, schedule)
    if folder is not None:
        _require_format(format, "diffusers")
        return _of_pipeline(folder, network, schedule, sha256, half, times, prediction)
    return _of_file(path, format, network, schedule, sha256, ema, half, first_level)


def _of_file(
    path: Path,
    format: str | None,
    network: NetworkSpec | None,
    schedule: Schedule | None,
    sha256: str | None,
    ema: bool,
    half: bool,
    first_level: FirstLevel,
) -> Checkpoint:
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


def _folder_of(path: Path) -> Path | None:
    """Returns the folder of a path that is a folder, or that is the file of weights in one."""
    try:
        if path.is_dir():
            return path
        is_ours = path.name == WEIGHTS and path.with_name(CONFIG).exists()
    except OSError as error:
        raise unreadable(path, error) from error
    return path.parent if is_ours else None


def _of_pipeline(
    folder: Path,
    network: NetworkSpec | None,
    schedule: Schedule | None,
    sha256: str | None,
    half: bool,
    times: Times | None,
    prediction: Prediction | None,
) -> Checkpoint:
    if isinstance(network, DiffusersUnet) and network.times:
        times, prediction = network.times.between, network.prediction
    found = read_pipeline(folder, times, prediction)
    if network is not None and network != found.network:
        raise InputError(
            f"the network must be the one of {folder}; got another: give none", "network"
        )
    tensors, digest = opened(found.weights, sha256)
    weights, notes = _as_float32(tensors, half)
    state = our_names(weights)
    shape = found.network.shape
    with torch.device("meta"):
        built = found.network.build(shape or (found.network.n_channels, _ANY_SIDE, _ANY_SIDE))
    wrong = mismatch({name: tuple(t.shape) for name, t in built.state_dict().items()}, state)
    if wrong:
        raise InputError(
            f"weights must be those of the config in {folder}; got {wrong}: fetch the folder again",
            "path",
        )
    if schedule is not None:
        of_training = found.network.times.sigmas if found.network.times else None
        told = found.schedule.sigmas if found.schedule else (schedule.sigma_1, schedule.sigma_L)
        require_within(schedule, torch.tensor(of_training or told, dtype=torch.float64))
    return Checkpoint(
        network=found.network,
        schedule=schedule or found.schedule,
        state=state,
        n_channels=found.network.n_channels,
        shape=shape,
        sha256=digest,
        format="diffusers",
        notes=("a folder of diffusers: averaged or not, unknown", *notes),
    )


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
