"""Turns folders and files of pictures, given as values of settings, into what identifies them.

    --set pictures=/home/me/samples --set reference=/home/me/photographs
    --set 'pictures=["/home/me/run1/samples", "/home/me/run2/samples.npz"]' --set reference=Digits
    --set pictures=samples.npz --set reference=fid_stats_cifar10_train.npz

The specs hold digests, and no paths. The paths become ``data.pictures``, where workers look for the
files until their features are stored.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scorelib.data.own.pictures import Pictures
from scorelib.errors import InputError, about
from scorelib.metrics.statistics import Statistics, holds_statistics
from scorelib.spec_paths import component_types, kinds_at, parsed
from tuning.addresses import local_path

_PICTURES, _REFERENCE, _PATHS = "pictures", "reference", "data.pictures"


def with_own_pictures(settings: Any, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Returns the changes with specs in place of paths to pictures and published statistics.

    Args:
        settings: settings of the study before the changes.
        changes: new values by path; pictures are given as one path or a list of paths.

    Raises:
        InputError: pictures or statistics cannot be used.
    """
    if not takes_pictures(settings):
        return dict(changes)
    changed, found = dict(changes), list[Path]()
    if _PICTURES in changes:
        given = parsed(changes[_PICTURES])
        if isinstance(given, str):
            given = [given]
        if isinstance(given, list) and all(isinstance(each, str) for each in given):
            paths = [local_path(each).absolute() for each in given]
            changed[_PICTURES] = tuple(_named(_PICTURES, paths))
            found += paths
    reference = parsed(changes.get(_REFERENCE))
    if isinstance(reference, str) and reference not in kinds_at(settings, _REFERENCE):
        path = local_path(reference).absolute()
        if path.exists():
            changed[_REFERENCE] = _reference(path)
            found.append(path)
    has_reference = any(path.partition(".")[0] == _REFERENCE for path in changes)
    if changed.get(_PICTURES) and not (has_reference or settings.pictures):
        raise InputError(
            "reference must be given together with pictures: the data set, the folder or the "
            "published statistics that they are compared with",
            _REFERENCE,
        )
    if found and _PATHS not in changes:
        kept = [] if _PICTURES in changes else list(settings.data.pictures)
        changed[_PATHS] = tuple(dict.fromkeys([*kept, *map(str, found)]))
    return changed


def takes_pictures(settings: Any) -> bool:
    """Returns whether a study's settings have pictures, and a reference that pictures may be."""
    of_reference = component_types(settings, _REFERENCE)
    return hasattr(settings, _PICTURES) and Pictures in of_reference


def _named(field: str, paths: Sequence[Path]) -> list[Pictures]:
    """Returns the pictures at some paths, by names that tell them apart."""
    if len(set(paths)) < len(paths):
        twice = next(path for path in paths if paths.count(path) > 1)
        raise InputError(f"{field} must be different paths, but {twice} is given twice", field)
    return [_pictures(field, path, name) for path, name in zip(paths, names_of(paths), strict=True)]


def names_of(paths: Sequence[Path]) -> list[str]:
    """Returns short names of different paths: as many of the last parts as tell them apart."""
    n = 1
    while len({path.parts[-n:] for path in paths}) < len(paths):
        n += 1
    return ["/".join(path.parts[-n:]) for path in paths]


def _pictures(field: str, path: Path, name: str) -> Pictures:
    try:
        return Pictures.of(path, name)
    except InputError as error:
        raise InputError(about(field, str(error)), field) from error


def _reference(path: Path) -> Pictures | Statistics:
    if path.is_dir() or not holds_statistics(path):
        return _pictures(_REFERENCE, path, path.name)
    try:
        return Statistics.of(path)
    except InputError as error:
        raise InputError(about(_REFERENCE, str(error)), _REFERENCE) from error
