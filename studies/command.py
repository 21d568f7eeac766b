"""What the command lines share: arguments that name a study, one-line errors, exit codes.

Exit codes: 0 done, 1 something failed for good, 2 the input is wrong (one line says how to mend
it), 130 stopped on request.
"""

import argparse
import difflib
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from scorelib.errors import InputError
from scorelib.spec import from_json, replace_paths
from studies.registry import find_study
from tuning.addresses import without_secrets
from tuning.documents import StoreReadError
from tuning.jobs import MissingInputError
from tuning.scheduler import Scheduler
from tuning.store import CorruptObjectError, Store
from tuning.study import Study

DEFAULT_STORE = "store"

UNREADABLE = (CorruptObjectError, MissingInputError)
"""What reading a result raises that is not in the store as it was written."""

NEXT_TIME = "what needs it makes it anew the next time, other things do without"


class Arguments(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Turns a wrong argument into an InputError, naming the nearest option."""
        if message.startswith("unrecognized arguments:"):
            given = message.split(":", 1)[1].split()[0]
            options = [o for action in self._actions for o in action.option_strings]
            near = difflib.get_close_matches(given, options, n=1, cutoff=0.4)
            message += f"; the nearest option is {near[0]}" if near else "; see --help"
        raise InputError(message)


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds NAME, --scale and --store."""
    parser.add_argument("name", metavar="NAME", help="study, see `python -m studies.run --list`")
    parser.add_argument("--scale", default="demo", help="demo (default) or paper")
    parser.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="default: ./store")


def configured(name: str, scale: str, changes: list[str]) -> Any:
    """A study's settings at a scale, with ``path=value`` changes made.

    Raises:
        InputError: unknown study, scale or path, or a value of the wrong type or range.
    """
    by_path = {}
    for change in changes:
        path, equals, text = change.partition("=")
        if not equals:
            raise InputError(f"--set must be PATH=VALUE; got {change!r}")
        by_path[path] = text
    return replace_paths(find_study(name).settings(scale), by_path)


def remember_settings(store: Store, study: Study) -> None:
    """Notes in the store with which settings a study was run last, for the dashboards."""
    store.put_document("studies", study.id, study.settings.to_json())


@dataclass(frozen=True)
class Remembered:
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


def remembered_studies(store: Store) -> Remembered:
    """The studies that were run on a store; one of another version keeps none of the rest away."""
    studies, unreadable = [], {}
    for document in store.document_names("studies"):
        name, _, scale = document.rpartition("-")
        try:
            module = find_study(name)  # before its settings are read: it brings their kind
            remembered = _remembered(store, document)
            if remembered is not None:
                studies.append(module.study(scale, remembered))
        except StoreReadError:
            raise
        except InputError as error:
            unreadable[document] = str(error)
    return Remembered(studies, unreadable)


def _remembered(store: Store, document: str) -> Any | None:
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
    settings = _remembered(store, f"{args.name}-{args.scale}") or default
    return Scheduler(module.study(args.scale, settings), store), store


def run_command(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], int],
    argv: list[str] | None,
) -> int:
    """Parses and runs a command; wrong input becomes one line on stderr and exit code 2."""
    try:
        return command(parser.parse_args(argv))
    except InputError as error:
        print(f"error: {without_secrets(' '.join(str(error).split()))}", file=sys.stderr)
        return 2
    except UNREADABLE as error:
        print(f"error: {error}; {NEXT_TIME}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
