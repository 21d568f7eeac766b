"""Opening a study: with settings by name, or as it was last run on a store."""

import argparse
from dataclasses import dataclass
from typing import Any

from scorelib.errors import InputError
from scorelib.spec import from_json
from scorelib.spec_paths import replace_paths
from studies.registry import find_study
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import StoreReadError
from tuning.store.store import Store
from tuning.study import Study


def configured(name: str, scale: str, changes: list[str]) -> Any:
    """A study's settings at a scale, with ``path=value`` changes made.

    Raises:
        InputError: unknown study, scale or path, or a value of the wrong type or range.
    """
    by_path = {}
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"a change must be PATH=VALUE; got {change!r}", "changes")
        by_path[path] = text
    return replace_paths(find_study(name).settings(scale), by_path)


def record_last_run(store: Store, study: Study) -> None:
    """Notes in the store with which settings a study was run last, for the dashboards."""
    store.put_document("studies", study.id, study.settings.to_json())


@dataclass(frozen=True)
class LastRunStudies:
    """The studies that were run on a store, each as it was run last.

    Attributes:
        studies: those this version knows.
        unreadable: of the others, by name and scale, why not.
    """

    studies: list[Study]
    unreadable: dict[str, str]

    def require_readable(self, name: str, scale: str) -> None:
        """Raises InputError if a study was run, but cannot be read."""
        why = self.unreadable.get(f"{name}-{scale}")
        if why is not None:
            raise InputError(why)


def last_run_studies(store: Store) -> LastRunStudies:
    """The studies that were run on a store; one of another version keeps none of the rest away."""
    studies, unreadable = [], {}
    for document in store.document_names("studies"):
        name, _, scale = document.rpartition("-")
        try:
            module = find_study(name)  # before its settings are read: it brings their kind
            last_run = _last_settings(store, document)
            if last_run is not None:
                studies.append(module.study(scale, last_run))
        except StoreReadError:
            raise
        except InputError as error:
            unreadable[document] = str(error)
    return LastRunStudies(studies, unreadable)


def _last_settings(store: Store, document: str) -> Any | None:
    """The settings a study was run with last, or None."""
    found = store.document("studies", document)
    try:
        return None if found is None else from_json(found)
    except InputError as error:
        raise InputError(
            f"the settings of {document} in the store must be of this version, but are of another "
            f"({error}): run the study again, which keeps its results"
        ) from error


def open_study(args: argparse.Namespace) -> tuple[Scheduler, Store]:
    """A study as it was last run on an existing store, for reading.

    Raises:
        InputError: wrong arguments, or no store there.
    """
    module = find_study(args.name)
    default = module.settings(args.scale)
    store = Store(args.store)
    settings = _last_settings(store, f"{args.name}-{args.scale}") or default
    return Scheduler(module.study(args.scale, settings), store), store
