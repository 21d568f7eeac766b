"""Functions that change fields of nested specs by dotted path, such as ``network.width``.

A path may also name a component, a field that holds a spec: the value is then the kind of another
spec, or JSON with the kind as ``spec`` and some fields. Fields that both kinds have carry over.
"""

import dataclasses
import difflib
import inspect
import json
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Any

from scorelib.errors import InputError
from scorelib.spec import Spec, from_json_value, kinds_below, type_hints


class UnknownPathError(InputError):
    """An error raised for a path that is no field; `fields` holds the nearest path, if any."""


def replace_paths(spec: Any, changes: Mapping[str, Any]) -> Any:
    """Returns a copy of the spec with the fields at dotted paths changed.

    Values are given as text, as on a command line. All changes are made together, so a spec is
    validated only with the new values of all its fields.

    Args:
        spec: the outermost spec.
        changes: new values by path, such as ``network.width``. Text that is valid JSON is parsed as
            JSON, other text is a string. The value of a component is a spec, the kind of one, or
            JSON such as ``{"spec": "Ncsnv2", "ngf": 32}``. Any other value is taken as it is.

    Raises:
        UnknownPathError: a path does not exist.
        InputError: a value has the wrong type or is out of range.
    """
    try:
        return _changed(spec, changes, "")
    except UnknownPathError:
        raise
    except InputError as error:  # caused by one of the changed fields, which the message names
        raise InputError(str(error), *error.fields or changes) from error


def _changed(spec: Any, changes: Mapping[str, Any], prefix: str) -> Any:
    """Returns a copy of the spec with changes by path below it; `prefix` is its own path."""
    direct, nested = dict[str, Any](), defaultdict[str, dict[str, Any]](dict)
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        if head not in type_hints(type(spec)):
            raise _unknown(spec, path, prefix)
        if rest:
            nested[head][rest] = value
        else:
            direct[head] = value
    values = {}
    for head in {**direct, **nested}:
        current, bases = getattr(spec, head), component_types(spec, head)
        if head in direct and bases:
            values[head] = _component(
                direct[head], current, bases, nested.get(head, {}), f"{prefix}{head}"
            )
        elif head in nested:
            if not isinstance(current, Spec):
                raise _unknown(spec, f"{head}.{next(iter(nested[head]))}", prefix)
            values[head] = _changed(current, nested[head], f"{prefix}{head}.")
        else:
            values[head] = _parsed(direct[head])
    return dataclasses.replace(spec, **values)


def component_types(spec: Any, path: str) -> tuple[type[Spec], ...]:
    """Returns the spec types that the field at a path may hold; empty for a plain value.

    Args:
        spec: the outermost spec.
        path: dotted path of a field; a path that does not exist has no types.
    """
    head, _, rest = path.partition(".")
    if rest:
        inner = getattr(spec, head, None)
        return component_types(inner, rest) if isinstance(inner, Spec) else ()
    annotation = type_hints(type(spec)).get(head)
    options = typing.get_args(annotation) or (annotation,)
    return tuple(o for o in options if isinstance(o, type) and issubclass(o, Spec))


def _component(
    value: Any, current: Any, bases: tuple[type[Spec], ...], nested: Mapping[str, Any], path: str
) -> Any:
    """Returns the spec that a value describes for a field that holds `current`."""
    described = _parsed(value)
    if isinstance(described, str):
        described = {"spec": described}
    if isinstance(described, dict):
        described = _built(described, current, bases, path)
    if described is not None and not isinstance(described, bases):
        raise InputError(f"{path} must be {_choices(bases)}, but got {value!r}", path)
    return _changed(described, nested, f"{path}.") if nested else described


def _built(
    described: Mapping[str, Any], current: Any, bases: tuple[type[Spec], ...], path: str
) -> Spec:
    """Returns the spec of the described kind and fields, with the current spec's other fields."""
    known = {cls.KIND: cls for base in bases for cls in kinds_below(base)}
    name = described.get("spec", current.KIND if isinstance(current, Spec) else None)
    cls = known.get(str(name)) or {c.short_kind(): c for c in known.values()}.get(str(name))
    if cls is None or inspect.isabstract(cls):
        near = difflib.get_close_matches(str(name), known, n=1, cutoff=0.5)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise InputError(f"{path} must be {_choices(bases)}, but got {name!r}{hint}", path)
    fields = {f.name: f for f in dataclasses.fields(cls)}
    given = {key: from_json_value(value) for key, value in described.items() if key != "spec"}
    for key in given:
        if key not in fields:
            near = difflib.get_close_matches(key, fields, n=1, cutoff=0.3)
            hint = f"; the nearest is {near[0]!r}" if near else ""
            raise InputError(f"{path} of kind {cls.KIND} has no field {key!r}{hint}", path)
    shared = fields.keys() & type_hints(type(current)).keys() if isinstance(current, Spec) else ()
    values = {key: getattr(current, key) for key in shared} | given
    required = [
        key for key, f in fields.items()
        if f.default is dataclasses.MISSING and f.default_factory is dataclasses.MISSING
    ]  # fmt: skip
    if missing := [key for key in required if key not in values]:
        raise InputError(
            f"{path} of kind {cls.KIND} needs the field {missing[0]!r}: give it as "
            f'{{"spec": "{cls.KIND}", "{missing[0]}": VALUE}}',
            path,
        )
    return cls(**values)


def _choices(bases: tuple[type[Spec], ...]) -> str:
    kinds = sorted(
        {cls.KIND for base in bases for cls in kinds_below(base) if not inspect.isabstract(cls)}
    )
    return f"one of the kinds {', '.join(kinds)}"


def _unknown(spec: Any, path: str, prefix: str) -> InputError:
    near = difflib.get_close_matches(path, list(_paths(spec)), n=1, cutoff=0.3)
    nearest = [f"{prefix}{found}" for found in near]
    hint = f"; the nearest is {nearest[0]!r}" if nearest else ""
    return UnknownPathError(
        f"a path must be a field of the study's settings; got {prefix + path!r}{hint}", *nearest
    )


def _parsed(value: Any) -> Any:
    """Returns text as the JSON that it is, or as it is; other values unchanged."""
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value


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
        yield f"{prefix}{f.name}"
        if dataclasses.is_dataclass(value):
            yield from _paths(value, f"{prefix}{f.name}.")
