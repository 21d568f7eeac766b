"""The history of a study's launches, and the status of the latest: what people wait for.

Both are documents of the store, so that a page on any machine can show them. A launch that runs
jobs adds an entry to the history at its start, and replaces the status every few seconds.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

from tuning.store.documents import Documents
from tuning.store.processes import host_name

_HISTORY, _STATUS = "history", "status"
_KEPT = 200


@dataclass(frozen=True)
class Start:
    """The start of a launch that ran jobs.

    Attributes:
        date: time of the start in UTC, in ISO 8601.
        commit: commit of the code, as in `tuning.store.provenance.Launch`.
        machine: name of the machine.
        changed: settings that differ from those of the launch before, as "old -> new" by path; all
            are empty at the first launch.
    """

    date: str
    commit: str | None
    machine: str
    changed: Mapping[str, str]


def note_start(store: Documents, name: str, commit: str | None, changed: Mapping[str, str]) -> None:
    """Adds the start of a launch to the history of a study, which keeps the latest 200.

    Args:
        store: store of the study.
        name: name of the study with its scale, as in `Study.id`.
        commit: commit of the code.
        changed: settings that changed, as in `Start`.
    """
    start = Start(now(), commit, host_name().split("/")[0], dict(changed))
    earlier = [asdict(known) for known in history(store, name)][1 - _KEPT :]
    store.put_document(_HISTORY, name, [*earlier, asdict(start)])


def history(store: Documents, name: str) -> list[Start]:
    """Returns the starts of a study's launches, the earliest first."""
    return [Start(**body) for body in store.document(_HISTORY, name) or []]


def differing(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, str]:
    """Returns the settings that differ, as "old -> new" by path.

    Args:
        before: earlier values by path.
        after: later values by path.
    """
    names = [*after, *(name for name in before if name not in after)]
    return {
        name: f"{before.get(name, '-')} -> {after.get(name, '-')}"
        for name in names
        if before.get(name, "-") != after.get(name, "-")
    }


def put_status(store: Documents, name: str, status: Mapping[str, Any]) -> None:
    """Replaces the status of a study's latest launch.

    Args:
        store: store of the study.
        name: name of the study with its scale, as in `Study.id`.
        status: the status, as `tuning.scheduling.status.status_of` returns it.
    """
    store.put_document(_STATUS, name, status)


def latest_status(store: Documents, name: str) -> dict[str, Any] | None:
    """Returns the last status of a study's latest launch; None if there is none."""
    found: dict[str, Any] | None = store.document(_STATUS, name)
    return found


def now() -> str:
    """Returns the time in UTC, in ISO 8601 to the second."""
    return datetime.now(UTC).isoformat(timespec="seconds")
