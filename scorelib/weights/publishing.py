"""Writes weights in the layouts of the authors' programs, for these programs and for `read`."""

import io
import os
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import DdpmUNet, Ncsn, NcsnPp, Ncsnv2, NetworkSpec
from scorelib.schedules import Schedule
from scorelib.weights.architectures import Published
from scorelib.weights.layouts import ORIGIN, PREFIX, SIGMAS, Origin, PublishedFormat
from scorelib.weights.ncsnpp import FREQUENCIES
from scorelib.weights.ties import mismatch

_NETWORKS: dict[str, tuple[type[NetworkSpec], ...]] = {
    "ncsn": (Ncsn,),
    "ncsnv2": (Ncsnv2,),
    "adversarial-score-matching": (Ncsnv2, DdpmUNet),
    "score-sde": (NcsnPp,),
}


def to_published(
    path: Path | str,
    format: PublishedFormat,
    network: NetworkSpec,
    schedule: Schedule,
    state: Mapping[str, Tensor],
    *,
    latest: Mapping[str, Tensor] | None = None,
    decay: float = 0.999,
    step: int = 0,
    origin: Origin | None = None,
) -> None:
    """Writes a file in an authors' layout; the file appears whole or not at all.

    The entry of the optimiser is empty: such a file is for sampling, not for more training.

    Args:
        path: the file, replaced if there is one.
        format: whose layout.
        network: the architecture.
        schedule: the noise levels of the training.
        state: tensors by our names: the averaged weights, or for ``ncsn`` the weights.
        latest: the weights without averaging; None for `state` in their place too.
        decay: of the averages, which only ``score-sde`` writes down.
        step: iterations trained.
        origin: which model of ours this is, noted in the entry of the optimiser; None for no note.

    Raises:
        InputError: the format has no such network, or the file cannot be written.
    """
    _write(
        Path(path),
        as_published(
            format, network, schedule, state, latest=latest, decay=decay, step=step, origin=origin
        ),
    )


def as_published(
    format: PublishedFormat,
    network: NetworkSpec,
    schedule: Schedule,
    state: Mapping[str, Tensor],
    *,
    latest: Mapping[str, Tensor] | None = None,
    decay: float = 0.999,
    step: int = 0,
    origin: Origin | None = None,
) -> bytes:
    """Returns the content of the file that `to_published` writes; see there for the arguments."""
    _require_publishable(format, network, schedule)
    n_channels = int(state["first.weight"].shape[1]) if "first.weight" in state else 3
    published = Published(network, n_channels)
    for weights in (state, latest or state):
        wrong = mismatch(published.our_shapes, weights)
        if wrong:
            raise InputError(
                f"tensors must be those of {network}; got {wrong}: give the state of that network",
                "network",
            )
    averaged, raw = published.exported(state), published.exported(latest or state)
    content = io.BytesIO()
    torch.save(_layout(format, averaged, raw, schedule, decay, step, origin), content)
    return content.getvalue()


def _require_publishable(format: str, network: NetworkSpec, schedule: Schedule) -> None:
    if format not in get_args(PublishedFormat):
        known = ", ".join(get_args(PublishedFormat))
        raise InputError(f"format must be one of {known}; got {format!r}", "format")
    if type(network) not in _NETWORKS[format]:
        fit = ", ".join(kind.__name__ for kind in _NETWORKS[format])
        raise InputError(
            f"a file of {format} must hold one of {fit}; got {network}: take another format, or "
            "save the network as safetensors",
            "format",
        )
    if isinstance(network, DdpmUNet) and network.centres_input:
        raise InputError(
            f"a U-Net in a file of {format} must take images as they are, centres_input False; got "
            "one that centres them, which the authors' program would feed wrongly: save the "
            "network as safetensors",
            "format",
        )
    if isinstance(network, Ncsn) and network.schedule != schedule:
        raise InputError(
            f"the schedule must be the network's, {network.schedule}; got {schedule}", "schedule"
        )


def _layout(
    format: str,
    averaged: dict[str, Tensor],
    raw: dict[str, Tensor],
    schedule: Schedule,
    decay: float,
    step: int,
    origin: Origin | None,
) -> Any:
    """Returns the value that the authors' program of a format passes to ``torch.save``."""
    adam: dict[str, Any] = {"state": {}, "param_groups": []}
    adam |= {ORIGIN: origin.to_json()} if origin else {}
    levels = torch.tensor(schedule.sigmas, dtype=torch.float64)
    if format == "score-sde":
        shadow = [t for name, t in averaged.items() if name != FREQUENCIES]
        ema = {"decay": decay, "num_updates": step, "shadow_params": shadow}
        model = _prefixed({SIGMAS: levels} | raw)
        return {"optimizer": adam, "model": model, "ema": ema, "step": step}
    if format == "ncsn":
        return [_prefixed(averaged), adam]
    raw = {SIGMAS: levels.float()} | raw if format == "ncsnv2" else raw
    return [_prefixed(raw), adam, 0, step, averaged]


def _prefixed(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    return {f"{PREFIX}{name}": t for name, t in state.items()}


def _write(path: Path, content: bytes) -> None:
    part = path.absolute().with_name(f".{path.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        path.absolute().parent.mkdir(parents=True, exist_ok=True)
        with part.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
    except OSError as error:
        raise InputError(
            f"{path} must be a file that can be written; got {error}: name another, or make room",
            "path",
        ) from error
    finally:
        part.unlink(missing_ok=True)
