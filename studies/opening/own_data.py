"""Replaces the folder of a user's data set, given as the value of a setting, by the data's spec.

    --set train.data=/home/me/pictures
    --set 'train.data={"folder": "/home/me/pictures", "size": 32, "n_test": 50}'

The spec holds the name and the content's digest, and no path. The folder's parent becomes
``data.root``, where workers look for the files.
"""

import difflib
import inspect
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorelib.data import DataSpec, ImageFolder, own_data
from scorelib.data.reading.checks import is_there
from scorelib.errors import InputError
from scorelib.field_names import hint
from scorelib.spec import kinds_below
from scorelib.spec_paths import component_types, kinds_at, parsed
from scorelib.unicode_forms import other_form
from tuning.addresses import local_path

_ROOT, _IMAGES = "data.root", "images"


def with_own_data(settings: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the changes with the spec in place of each folder of a data set.

    Args:
        settings: settings of the study before the changes.
        changes: new values by path; a folder and its options are given as text or as a dictionary.

    Raises:
        InputError: a folder holds no usable images, an option is unknown, or two data sets are in
            two folders although there is one ``data.root``.
    """
    changes = _with_data_as_images(settings, changes)
    changed: dict[str, Any] = dict(changes)
    given = parsed(changes[_ROOT]) if _ROOT in changes else None
    roots = {local_path(given).absolute()} if isinstance(given, str) else set()
    for path, value in changes.items():
        found = _folder_of(settings, path, value)
        if found is None:
            continue
        place, options = found
        folder = _located(place, given or settings.data.root)
        _require_folder(settings, path, place, folder)
        changed[path] = _described(settings, path, folder, options)
        roots.add(folder.parent)
    if any(isinstance(value, DataSpec) and value is not changes[p] for p, value in changed.items()):
        if len(roots) > 1:
            names = " and ".join(sorted(map(str, roots)))
            raise InputError(f"all data sets must be in one folder, but are in {names}", _ROOT)
        changed[_ROOT] = str(roots.pop())
    return changed


def _with_data_as_images(settings: Any, changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Returns the changes with ``data=FOLDER`` as ``images=FOLDER`` where a study has such images.

    The setting ``data`` itself holds the places of files, each changed by its own path.
    """
    if "data" not in changes or not isinstance(getattr(settings, "images", None), DataSpec):
        return changes
    return {_IMAGES if path == "data" else path: value for path, value in changes.items()}


def _folder_of(settings: Any, path: str, value: Any) -> tuple[str, dict[str, Any]] | None:
    """Returns folder and options that a value gives for a data set; None for any other value."""
    if not any(issubclass(base, DataSpec) for base in component_types(settings, path)):
        return None
    value = parsed(value)
    if isinstance(value, str):
        kinds = {c.KIND for c in kinds_below(DataSpec)} | {
            c.short_kind() for c in kinds_below(DataSpec)
        }
        return None if value in kinds else (value, {})
    if isinstance(value, dict) and "folder" in value and "digest" not in value:
        options = {key: v for key, v in value.items() if key not in ("spec", "folder")}
        return str(value["folder"]), options
    return None


def _located(place: str, root: str | None) -> Path:
    """Returns the absolute path of a folder that is given as a path or as a name in data.root."""
    given = local_path(place)
    base = local_path(root) if root else Path("data")
    in_root = base / given
    is_in_root = is_there(in_root) and in_root.is_dir() and not (is_there(given) and given.is_dir())
    return (in_root if is_in_root else given).absolute()


def _require_folder(settings: Any, path: str, place: str, folder: Path) -> None:
    """Raises InputError if a folder is not there: its name may be a misspelt kind."""
    if is_there(folder):
        return
    kinds = kinds_at(settings, path)
    near = difflib.get_close_matches(place, kinds, n=1, cutoff=0.5)
    raise InputError(
        f"{path} must be a folder of images, or one of the kinds {', '.join(kinds)}, but {place!r} "
        f"is not a kind and there is no folder {folder}{other_form(folder) or hint(near)}",
        path,
    )


def _described(settings: Any, path: str, folder: Path, options: dict[str, Any]) -> DataSpec:
    """Returns the spec of a folder; image folders take size and channels of the study's data."""
    current: Any = settings
    for name in path.split("."):
        current = getattr(current, name)
    allowed = {"n_test", "split_seed"}
    shape = current.shape if isinstance(current, DataSpec) else ()
    made: DataSpec
    try:
        made = own_data(folder, options)
    except TypeError as error:
        known = sorted(allowed | set(inspect.signature(ImageFolder.of).parameters) - {"path"})
        raise InputError(
            f"{path} must have options among {', '.join(known)}, but got {', '.join(options)}", path
        ) from error
    if isinstance(made, ImageFolder) and len(shape) == 3 and shape[0] in (1, 3):
        carried = {"size": shape[1], "channels": shape[0]}
        made = made.replace(**{k: v for k, v in carried.items() if k not in options})
    return made
