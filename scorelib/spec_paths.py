"""Changes of a spec's fields by dotted path, such as ``network.width``."""

import dataclasses
import difflib
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from scorelib.errors import InputError


def replace_paths(spec: Any, changes: Mapping[str, str]) -> Any:
    """The spec with fields at dotted paths set from text, as a command line has it.

    All changes are made together, so the fields of a spec are checked only with one another's new
    values.

    Args:
        spec: the outermost spec.
        changes: by path, such as ``network.width``, the value: JSON where it parses as such
            (numbers, lists, booleans, null), else a string.

    Raises:
        InputError: no such path (the nearest is named), or a value of the wrong type or range.
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
    except InputError as error:  # of one of the fields; which, its text says
        raise InputError(str(error), *error.fields or changes) from error


def _parsed(text: str) -> Any:
    try:
        value = json.loads(text)
    except json.JSONDecodeError:
        return text
    return text if isinstance(value, dict) else value


def replaced(spec: Any, changes: Mapping[str, Any]) -> Any:
    """The spec with fields at dotted paths set to values, all together.

    Raises:
        AttributeError: no such spec on the way.
        TypeError: no such field at its end.
        InputError: values of the wrong type or range.
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
