"""Writes and reads a folder with a network: safetensors, ``config.json``, a model card, images.

``config.json`` holds the specs of the network and of the schedule, the shape of one example and the
digest of the weights. A folder is written under another name and renamed when complete, so a folder
under its own name is whole.
"""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors.torch
import torch
from torch import Tensor

from scorelib.errors import InputError
from scorelib.networks import NetworkSpec, ScoreNetwork
from scorelib.schedules import Schedule
from scorelib.spec import from_json
from scorelib.weights.layouts import ORIGIN, Origin
from scorelib.weights.opening import WEIGHTS, opened, unreadable
from scorelib.weights.ties import mismatch

CONFIG, CARD = "config.json", "README.md"
_FORMAT = "score-studies"
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Kept:
    """The content of a folder.

    Attributes:
        network: the architecture.
        schedule: the noise levels of the training, or None.
        shape: of one example.
        state: tensors by name.
        sha256: digest of the file of weights.
        origin: which model of ours was exported, or None.
    """

    network: NetworkSpec
    schedule: Schedule | None
    shape: tuple[int, ...]
    state: dict[str, Tensor]
    sha256: str
    origin: Origin | None = None


def save(
    folder: Path | str,
    network: NetworkSpec,
    schedule: Schedule | None,
    state: Mapping[str, Tensor],
    *,
    shape: tuple[int, ...],
    card: str = "",
    files: Mapping[str, bytes] | None = None,
    origin: Origin | None = None,
) -> str:
    """Writes a folder for `load` and `read`; the folder appears whole or not at all.

    Args:
        folder: the new folder, absent or empty.
        network: the architecture.
        schedule: the noise levels of the training, or None.
        state: the network's ``state_dict``, averaged weights where there are any.
        shape: of one example, (C, H, W) or (D,).
        card: text of the model card; empty for none.
        files: further files by path below the folder, such as samples.
        origin: which model of ours this is; None for no note.

    Returns:
        Digest of the file of weights, SHA-256.

    Raises:
        InputError: the folder has content or cannot be written, or the state is not the network's.
    """
    folder = Path(folder)
    _require_state(network, shape, state, "give the state of that network")
    config: dict[str, Any] = {"format": _FORMAT, "version": _VERSION, "network": network.to_json()}
    config |= {"schedule": schedule and schedule.to_json(), "shape": list(shape)}
    config |= {ORIGIN: origin.to_json()} if origin else {}
    weights = safetensors.torch.save({name: t.detach().cpu().clone() for name, t in state.items()})
    config["sha256"] = hashlib.sha256(weights).hexdigest()
    content = {WEIGHTS: weights, CONFIG: (json.dumps(config, indent=2) + "\n").encode()}
    content |= {CARD: card.encode()} if card else {}
    _write_whole(folder, content | dict(files or {}))
    return str(config["sha256"])


def load(folder: Path | str) -> tuple[ScoreNetwork, Schedule | None]:
    """Returns the network of a folder, in evaluation mode on the CPU, and its schedule.

    Raises:
        InputError: there is no such folder, or the folder is damaged.
    """
    kept = read_folder(Path(folder))
    with torch.random.fork_rng(devices=[]):  # initial weights, which are replaced
        network = kept.network.build(kept.shape)
    network.load_state_dict(kept.state)
    return network.eval(), kept.schedule


def read_folder(folder: Path, sha256: str | None = None) -> Kept:
    """Returns the content of a folder that `save` has written.

    Args:
        folder: the folder.
        sha256: digest that the file of weights must have; None for the digest in the config.

    Raises:
        InputError: there is no such folder, or the folder is damaged or of another program.
    """
    config = _config(folder)
    try:
        network, schedule = from_json(config["network"]), config["schedule"]
        schedule = from_json(schedule) if schedule is not None else None
        shape = tuple(int(side) for side in config["shape"])
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        missing = f"{error.args[0]} is missing" if isinstance(error, KeyError) else str(error)
        raise _bad_config(folder, missing) from error
    if not isinstance(network, NetworkSpec) or not isinstance(schedule, Schedule | None):
        raise _bad_config(folder, "specs other than a network and a schedule")
    state, digest = opened(folder / WEIGHTS, sha256 or config.get("sha256"))
    _require_state(network, shape, state, f"export {folder} again")
    origin = Origin.from_json(config.get(ORIGIN))
    return Kept(network, schedule, shape, state, digest, origin)


def _config(folder: Path) -> dict[str, Any]:
    file = folder / CONFIG
    try:
        content = file.read_bytes()
    except FileNotFoundError as error:
        raise InputError(
            f"a folder of weights must hold {CONFIG} and {WEIGHTS}; {folder} holds no "
            f"{CONFIG}: name a file of weights, or a folder that was saved here",
            "path",
        ) from error
    except OSError as error:
        raise unreadable(file, error) from error
    try:
        config = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _bad_config(folder, str(error)) from error
    if not isinstance(config, dict) or config.get("format") != _FORMAT:
        found = config.get("_class_name", "no format") if isinstance(config, dict) else "no object"
        raise _bad_config(folder, f"{found}, so another program's file")
    if config.get("version") != _VERSION:
        raise _bad_config(folder, f"version {config.get('version')!r}, which is not {_VERSION}")
    return config


def _bad_config(folder: Path, found: str) -> InputError:
    return InputError(
        f"{folder / CONFIG} must name the network, the schedule and the shape as the export writes "
        f"them; got {' '.join(found.split())}: export the folder again",
        "path",
    )


def _require_state(
    network: NetworkSpec, shape: tuple[int, ...], state: Mapping[str, Tensor], cure: str
) -> None:
    with torch.device("meta"):
        wanted = network.build(shape).state_dict()
    wrong = mismatch({name: tuple(t.shape) for name, t in wanted.items()}, state)
    if wrong:
        raise InputError(
            f"tensors must be the {len(wanted)} of {network} for {shape}; got {wrong}: {cure}",
            "network",
        )


def require_new_folder(folder: Path) -> None:
    """Raises InputError unless a folder is absent or empty."""
    if folder.is_file() or (folder.is_dir() and any(folder.iterdir())):
        raise InputError(
            f"a folder to save in must be new or empty; {folder} is not: name another", "folder"
        )


def _write_whole(folder: Path, content: Mapping[str, bytes]) -> None:
    """Writes files into a new folder that appears under its name when complete."""
    require_new_folder(folder)
    part = folder.absolute().with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}.part")
    try:
        for name, data in content.items():
            file = part / name
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("wb") as out:
                out.write(data)
                out.flush()
                os.fsync(out.fileno())
        part.rename(folder)
    except OSError as error:
        raise InputError(
            f"{folder} must be a folder that can be written; got {error.strerror or error}: name "
            "another, or make room",
            "folder",
        ) from error
    finally:
        shutil.rmtree(part, ignore_errors=True)
