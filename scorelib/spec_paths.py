"""Functions that change fields of nested specs by dotted path, such as ``network.width``."""

import dataclasses
import difflib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from scorelib.errors import InputError


def replace_paths(spec: Any, changes: Mapping[str, str]) -> Any:
    """Returns a copy of the spec with the fields at dotted paths set from text.

    The text is as given on a command line. All changes are made together, so a spec is validated
    only with the new values of all its fields.

    Args:
        spec: the outermost spec.
        changes: new values by path, such as ``network.width``. A value that is valid JSON (number,
            list, boolean, null) is parsed as JSON; any other value is a string.

    Raises:
        InputError: a path does not exist (the message names the nearest path), or a value has the
            wrong type or is out of range.
    """
    paths = list(_paths(spec))
    for path in changes:
        if path not in paths:
            near = difflib.get_close_matches(path, paths, n=1, cutoff=0.3)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise InputError(
                f"a path must be a field of the study's settings; got {path!r}{hint}",
                *near,
            )
    try:
        return replaced(spec, {path: _parsed(text) for path, text in changes.items()})
    except InputError as error:  # caused by one of the changed fields, which the message names
        raise InputError(str(error), *error.fields or changes) from error


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return text if isinstance(value, dict) else value


def replaced(spec: Any, changes: Mapping[str, Any]) -> Any:
    """Returns a copy of the spec with the fields at dotted paths set to values, all together.

    Args:
        spec: the outermost spec.
        changes: new values by path.

    Raises:
        AttributeError: a path contains a nested spec that does not exist.
        TypeError: a path ends in a field that does not exist.
        InputError: a value has the wrong type or is out of range.
    """
    direct, nested = {}, defaultdict(dict)
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        if rest:
            nested[head][rest] = value
        else:
            direct[head] = value
    inner = {head: replaced(getattr(spec, head), rest) for head, rest in nested.items()}
    return dataclasses.replace(spec, **direct, **inner)


def _paths(spec: Any, prefix: str = "") -> Iterator[str]:
    for f in dataclasses.fields(spec):
        value = getattr(spec, f.name)
        if dataclasses.is_dataclass(value):
            yield from _paths(value, f"{prefix}{f.name}.")
        else:
            yield f"{prefix}{f.name}"
