"""Replaces a file of weights, given as the value of a setting, by the spec of the weights.

    --set model=/home/me/checkpoint.pth
    --set model=/home/me/checkpoint.pth --set model.ema=false --set model.schedule=...
    --set 'model={"file": "/home/me/checkpoint.pth", "answer": "score"}'
    --set model=/home/me/pipeline        a folder of diffusers, or the name of a model of its hub
    --set published=ncsnv2-cifar10 --set model=/home/me/checkpoint_300000.pth

The spec holds the digest of the file, the architecture and the noise levels, and no path. The path
becomes ``data.weights``, from where the weights are imported once.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorelib.errors import InputError
from scorelib.spec import Spec, kinds_below
from scorelib.spec_paths import component_types, parsed, replace_paths
from scorelib.unicode_forms import other_form
from scorelib.weights import PublishedModel, published_model
from scorelib.weights.opening import fetched, is_hub_name, unreadable
from tuning.addresses import local_path
from tuning.stages import ScoreModel, WeightsFile
from tuning.stages.models.weights_file import Reading

_PATHS, _PUBLISHED, _IMAGES = "data.weights", "published", "images"


def with_own_weights(settings: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the changes with a spec in place of each file of weights.

    Args:
        settings: settings of the study before the changes.
        changes: new values by path; a file and its options are given as text or as a dictionary.

    Raises:
        InputError: a file cannot be used, an option is unknown, or the name of a published model is
            given without a file.
    """
    changed = dict(changes)
    model = _published(settings, changes)
    if model is not None and _IMAGES not in changed:
        changed[_IMAGES] = model.data
    found: list[str] = []
    for path, value in changes.items():
        file, options = _file_of(settings, path, value)
        if file is None:
            continue
        for other in [other for other in changed if other.startswith(f"{path}.")]:
            options[other.removeprefix(f"{path}.")] = changed.pop(other)
        place = local_path(file).absolute()
        if not place.exists() and not place.parent.exists() and is_hub_name(file):
            place = _fetched(file, path)
        try:
            changed[path] = _identified(place, _defaults(model) | options, path)
        except InputError as error:
            if model is None or not place.exists():
                raise
            raise InputError(
                f"{place} must be the published model {model.name}, but {error}", path, _PUBLISHED
            ) from error
        found.append(str(place))
    if model is not None and not found:
        raise InputError(
            f"the file of the published model {model.name} must be given as the model; in the "
            f"authors' archive, the file is {model.place}",
            "model",
        )
    if found and hasattr(settings, _IMAGES) and _IMAGES not in changed:
        raise InputError(
            "images must be given together with a model: the data set or the folder that its "
            "samples should resemble",
            _IMAGES,
        )
    if found and _PATHS not in changes:
        changed[_PATHS] = found
    return changed


def _file_of(settings: Any, path: str, value: Any) -> tuple[str | None, dict[str, Any]]:
    """Returns the file and the options that a value gives for weights; no file for other values."""
    if not any(issubclass(base, WeightsFile) for base in component_types(settings, path)):
        return None, {}
    value = parsed(value)
    if isinstance(value, str):
        classes: list[type[Spec]] = [*kinds_below(ScoreModel), WeightsFile]
        kinds = {cls.KIND for cls in classes} | {cls.short_kind() for cls in classes}
        return (None if value in kinds else value), {}
    if isinstance(value, dict) and "file" in value:
        return str(value["file"]), {k: v for k, v in value.items() if k not in ("spec", "file")}
    return None, {}


def _fetched(name: str, path: str) -> Path:
    """Returns the folder of a model of the hub."""
    try:
        return fetched(name)
    except InputError as error:
        raise InputError(f"{path}: {error}", path) from error


def _identified(place: Path, options: Mapping[str, Any], path: str) -> WeightsFile:
    """Returns the identity of the weights in a file; errors name the settings below `path`."""
    try:
        is_there = place.exists()
    except OSError as error:
        raise unreadable(place, error) from error
    if not is_there:
        raise InputError(
            f"{path} must be a file or folder of weights, or a model of your own; there is no "
            f"{place}{other_form(place)}",
            path,
        )
    try:
        reading = replace_paths(Reading(), options, f"{path}.")
        made: WeightsFile = reading.identified(place)
    except InputError as error:
        raise InputError(str(error), *(_below(path, field) for field in error.fields)) from error
    return made


def _below(path: str, field: str) -> str:
    """Returns the path of a field of the weights, unless the field is given by its path already."""
    if field == "path":
        return path
    return field if field.startswith(f"{path}.") else f"{path}.{field}"


def _published(settings: Any, changes: Mapping[str, Any]) -> PublishedModel | None:
    """Returns the published model that the changes name, if the study has such a setting."""
    name = parsed(changes.get(_PUBLISHED))
    return published_model(str(name)) if name and hasattr(settings, _PUBLISHED) else None


def _defaults(model: PublishedModel | None) -> dict[str, Any]:
    """Returns the options with which a published model's file is read."""
    if model is None:
        return {}
    return {
        "format": model.format,
        "network": model.network,
        "schedule": model.schedule,
        "ema": model.ema,
    }
