"""Reads a file of settings, in TOML: many changes at once, as ``--show-settings --toml`` writes.

    seeds = 3
    train.optimizer.learning_rate = 2e-4

    [train.schedule]
    spec = "ExplicitSchedule"
    sigmas = [7, 3, 1, 0.3, 0.05]

A table that has the kind of a component as `spec` replaces the component; fields that are not given
carry over, as with any change by path. TOML has no null: the text "null" means no value.
"""

import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

from scorelib.errors import InputError, about
from scorelib.spec_paths import UnknownPathError, replace_paths
from scorelib.unicode_forms import other_form
from studies.opening.own_files import with_own_files
from tuning.addresses import local_path

_MOST_NAMED = 3
_FIELD = "config"


def with_file(settings: Any, path: str) -> Any:
    """Returns the settings of a study after the changes of a file.

    Args:
        settings: settings of the study before the changes.
        path: path of the TOML file.

    Raises:
        InputError: the file cannot be read or is not TOML, a key is no path of the settings, or the
            settings refuse a value; the message names the file and the key.
    """
    changes = dict(_changes(_tables(path), path))
    try:
        return replace_paths(settings, with_own_files(settings, changes))
    except UnknownPathError as error:
        raise InputError(f"{path}: {error}", _FIELD) from error
    except InputError as error:
        raise InputError(f"{path}{_named(error)}", _FIELD) from error


def _tables(path: str) -> dict[str, Any]:
    try:
        return tomllib.loads(local_path(path).read_bytes().decode())
    except OSError as error:
        raise InputError(
            f"the file of settings must be readable, but reading {path} failed ({error.strerror})"
            f"{other_form(local_path(path))}",
            _FIELD,
        ) from error
    except (ValueError, RecursionError) as error:  # no TOML, or thousands of digits or brackets
        raise InputError(f"{path} must hold TOML, but does not: {error}", _FIELD) from error


def _changes(table: Mapping[str, Any], file: str, prefix: str = "") -> Iterator[tuple[str, str]]:
    """Yields the changes that a table describes, as path and JSON."""
    for key, value in table.items():
        path = f"{prefix}{key}"
        if (
            not isinstance(value, dict)
            or not value
            or ("folder" in value and "digest" not in value)
            or "file" in value
        ):
            yield path, _json(value, path, file)
        else:
            if "spec" in value:
                yield path, _json(value["spec"], path, file)
            fields = {name: inner for name, inner in value.items() if name != "spec"}
            yield from _changes(fields, file, f"{path}.")


def _json(value: Any, path: str, file: str) -> str:
    if value == "null":
        return "null"
    try:
        return json.dumps(value)
    except TypeError as error:  # a date or a time
        rule = "values must be text, numbers, true, false or lists"
        raise InputError(f"{file}, {path}: {rule}, but got {value}", _FIELD) from error


def _named(error: InputError) -> str:
    """Returns an error after the keys that it concerns, at most three: ", train.seed: ..."."""
    meant = [f for f in error.fields if re.search(rf"\b{f.rpartition('.')[2]}\b", str(error))]
    keys = meant or list(error.fields)
    more = ["..."] if len(keys) > _MOST_NAMED else []
    named = ", ".join([*keys[:_MOST_NAMED], *more])
    return f", {text}" if (text := about(named, str(error))) != str(error) else f": {text}"
