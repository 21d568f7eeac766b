"""Opens a study: with settings given by path, or with the settings of its last run on a store."""

import argparse
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from scorelib.errors import InputError
from scorelib.spec import from_json
from scorelib.spec_paths import replace_paths
from studies.definitions import StudyDefinition, own_studies
from studies.opening.config_file import with_file
from studies.opening.own_files import with_own_files
from studies.registry import find_study
from tuning.own_modules import own_modules
from tuning.scheduling.scheduler import Scheduler
from tuning.store.documents import StoreReadError
from tuning.store.history import differing
from tuning.store.sources import require_own_sources
from tuning.store.store import Store
from tuning.study import OWN_DIGEST, Study, full_name

_ORIGINS = "own-studies"
"""Folder of the store's documents that name the files of users' studies."""


def configured(name: str, scale: str, changes: list[str], config: str | None = None) -> Any:
    """Returns the settings of a study at a scale after the changes of a file and of a list.

    Args:
        name: name of the study.
        scale: "demo" or "paper".
        changes: changes as ``path=value``, such as ``train.seed=1``, made after those of the file.
        config: path of a TOML file of settings; None for no file.

    Raises:
        InputError: the study, the scale or a path is unknown, a value has the wrong type or is out
            of range, or the file cannot be read.
    """
    by_path = {}
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"a change must be PATH=VALUE, but got {change!r}", "changes")
        by_path[path] = text
    return changed_settings(name, scale, by_path, config)


def changed_settings(
    name: str, scale: str, changes: Mapping[str, Any], config: str | None = None
) -> Any:
    """Returns the settings of a study at a scale after changes by path.

    Args:
        name: name of the study.
        scale: "demo" or "paper".
        changes: new values by path, as text or as Python values; see `replace_paths`.
        config: TOML file with changes that are made first; None for none.

    Raises:
        InputError: the study, the scale or a path is unknown, or a value has the wrong type or is
            out of range.
    """
    settings = find_study(name).settings(scale)
    if config is not None:
        settings = with_file(settings, config)
    return replace_paths(settings, with_own_files(settings, changes))


def record_last_run(store: Store, study: Study) -> None:
    """Writes the settings of a study's run to the store, where the dashboards read them."""
    origin = _origin(study)
    if origin is not None:
        store.create_document(_ORIGINS, study.id, {"file": origin})
    store.put_document("studies", study.id, study.settings.to_json())


def changed_since_last_run(store: Store, study: Study) -> dict[str, str]:
    """Returns the settings of a study that differ from those of its last run on a store.

    Called before `record_last_run`: damaged settings of the last run are set aside.

    Returns:
        "old -> new" by path; empty if the study was never run there, or by another version.
    """
    found = store.document("studies", study.id, is_replaced=True)
    try:
        before = from_json(found) if found is not None else study.settings
    except InputError:
        return {}
    return differing(before.flat(), study.settings.flat())


def require_origin(store: Store, study: Study) -> None:
    """Raises InputError if the store holds a study of this name and kind from another file."""
    own, known = _origin(study), (store.document(_ORIGINS, study.id) or {}).get("file")
    # A submitted job runs in a folder of its own, which differs each time.
    if own and known not in (None, own) and "RAY_JOB_CONFIG_JSON_ENV_VAR" not in os.environ:
        raise InputError(
            f"the study {study.name} of this store comes from {known}, but this is {own}: set "
            f'KIND = "another name" in one of the two files; if the file was moved, remove '
            f"{_ORIGINS}/{study.id}.json from the store"
        )


def _origin(study: Study) -> str | None:
    """Returns the file of a user's study; None for a study of the project."""
    files = {module.name: module.file for module in own_modules()}
    own = (d for d in own_studies() if study.kind and d.kind == study.kind)
    return next((files[definition.module] for definition in own), None)


def study_name(given: str) -> str:
    """Returns the name of a study that is given by its name, or by the file or module of a user's.

    Raises:
        InputError: a file or a module cannot be imported or holds no study.
    """
    if "." in given and not re.fullmatch(rf"\w+{OWN_DIGEST}", given):
        found = find_study(given)
        return full_name(found.name, found.kind)
    return given


@dataclass(frozen=True)
class LastRunStudies:
    """The studies that were run on a store, each with the settings of its last run.

    Attributes:
        studies: studies that this version of the code can read.
        unreadable: errors that say why the other studies cannot be read, by study id (name and
            scale, such as "cifar_sampling_eps-demo").
    """

    studies: list[Study]
    unreadable: dict[str, InputError]

    def named(self, name: str, scale: str) -> list[Study]:
        """Returns the studies of a name: at most one, or several users' of equal names.

        Args:
            name: name of the study, without or with the digest of a user's study.
            scale: name of the scale.

        Raises:
            InputError: the only study of the name that was run on the store cannot be read.
        """
        wanted = re.compile(rf"{re.escape(name)}({OWN_DIGEST})?-{re.escape(scale)}")
        found = [study for study in self.studies if wanted.fullmatch(study.id)]
        for study_id, why in self.unreadable.items():
            if wanted.fullmatch(study_id) and not found:
                raise why
        return found


def last_run_studies(store: Store) -> LastRunStudies:
    """Returns the studies that were run on a store.

    A study of another version of the code is listed as unreadable; the other studies are returned.

    Raises:
        StoreReadError: the store cannot be read.
    """
    studies, unreadable = [], {}
    for document in store.document_names("studies"):
        name, _, scale = document.rpartition("-")
        try:
            module = find_study(name)  # the import registers the kind of its settings
            last_run = _last_settings(store, document, module.settings(scale))
            if last_run is not None:
                study = module.study(scale, last_run)
                require_own_sources(store, study.specs())
                studies.append(study)
        except StoreReadError:
            raise
        except InputError as error:
            origin = (store.document(_ORIGINS, document) or {}).get("file")
            hint = f" (it was run from {origin})" if origin else ""
            unreadable[document] = InputError(str(error) + hint, *error.fields)
    return LastRunStudies(studies, unreadable)


def _last_settings(store: Store, document: str, default: Any) -> Any | None:
    """Returns the settings of a study's last run, or None if the study was never run."""
    found = store.document("studies", document)
    try:
        settings = None if found is None else from_json(found)
        if settings is not None and type(settings) is not type(default):
            raise InputError(f"they must be {default.KIND}, but are {settings.KIND}")
        return settings
    except InputError as error:
        raise InputError(
            f"the settings of {document} in the store must be of this version of the code, but are "
            f"of another ({error}): run the study again; its results are kept",
            *error.fields,
        ) from error


def _named(name: str, scale: str, url: str) -> StudyDefinition:
    """Returns the definition of a study; a name that the store knows alone is a user's own."""
    try:
        return find_study(name)
    except InputError:
        if Store.exists(url):
            last_run_studies(Store(url)).named(name, scale)
        raise


def open_study(args: argparse.Namespace) -> tuple[Scheduler, Store]:
    """Opens a study for reading, with the settings of its last run on an existing store.

    Args:
        args: parsed arguments: `name`, `scale` and `store`.

    Returns:
        The scheduler of the study and the store. If the study was never run on the store, the study
        has the default settings of the scale.

    Raises:
        InputError: an argument is wrong, the store does not exist, or it holds results of other
            classes of the same kinds.
    """
    module = _named(args.name, args.scale, args.store)
    default = module.settings(args.scale)
    store = Store(args.store)
    settings = _last_settings(store, module.id(args.scale), default) or default
    study = module.study(args.scale, settings)
    require_own_sources(store, study.specs())
    return Scheduler(study, store), store
