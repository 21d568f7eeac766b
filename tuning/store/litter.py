"""What dead processes left in a store: half-written files, probes, results without a manifest.

Whoever writes puts a `mark` of its host and process into the name. A process of this host has ended
or not; of any other, a file is left over if it has not changed for a day, by the clock of the store
itself. What a manifest names, and files of other names, are never litter.
"""

import re
from collections.abc import Iterable

from tuning.store.processes import MARK, has_ended, is_of_this_host

STALE_SECONDS = 24 * 3600.0
"""Age after which a file of a process of another host is left over; a write takes minutes."""

_HIDDEN = re.compile(rf"\..+\.({MARK})\.[0-9a-f]+")
_PROBE = re.compile(rf"probe-(?:({MARK})-)?[0-9a-f]+")
_ATTEMPT = re.compile(rf"objects/[^/]+/[^/]+/(?:({MARK})-)?[0-9a-f]+(?=/)")


def temporary(paths: Iterable[str]) -> dict[str, list[str]]:
    """Returns the files by what may be left over as a whole: a file, or a folder of a result.

    Args:
        paths: paths of all files of a store, below the store.
    """
    found: dict[str, list[str]] = {}
    for path in paths:
        name = path.rpartition("/")[2]
        attempt = _ATTEMPT.match(path)
        if _HIDDEN.fullmatch(name) or _PROBE.fullmatch(path):
            found.setdefault(path, []).append(path)
        elif attempt:
            found.setdefault(attempt[0], []).append(path)
    return found


def object_of(unit: str) -> str | None:
    """Returns the folder of the job whose result a folder of `temporary` holds; None for files."""
    return unit.rpartition("/")[0] if _ATTEMPT.match(f"{unit}/") else None


def is_left(unit: str, age_seconds: float | None) -> bool:
    """Returns whether something of `temporary` is left over.

    Args:
        unit: a key of `temporary`.
        age_seconds: for how long it has not changed; None if that is unknown, or not looked up.
    """
    name = unit.rpartition("/")[2]
    matches = (_HIDDEN.fullmatch(name), _PROBE.fullmatch(name), _ATTEMPT.match(f"{unit}/"))
    mark = next((match[1] for match in matches if match), None) or ""
    if is_of_this_host(mark):
        return has_ended(mark)
    return age_seconds is not None and age_seconds > STALE_SECONDS
