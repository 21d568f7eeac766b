"""Functions that change fields of nested specs by dotted path, such as ``network.width``.

A path may also name a component, a field that holds a spec: the value is then the kind of another
spec, or JSON with the kind as ``spec`` and some fields. Fields that both kinds have carry over.
"""

import dataclasses
import difflib
import inspect
import json
import re
import typing
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import chain
from typing import Any

from scorelib.errors import InputError
from scorelib.field_names import hint, suggestions
from scorelib.limits import shown
from scorelib.spec import Spec, from_json_value, kinds_below, type_hints
from scorelib.unicode_forms import known_form, letters

_DEEPEST = 30
"""Levels of lists and components that a value may have; the settings of all studies have 5."""


class UnknownPathError(InputError):
    """An error raised for a path that is no field; `fields` holds the likeliest path, if any."""


def replace_paths(spec: Any, changes: Mapping[str, Any], prefix: str = "") -> Any:
    """Returns a copy of the spec with the fields at dotted paths changed.

    Values are given as text, as on a command line. All changes are made together, so a spec is
    validated only with the new values of all its fields.

    Args:
        spec: the outermost spec.
        changes: new values by path, such as ``network.width``. Text that is valid JSON is parsed as
            JSON, other text is a string. The value of a component is a spec, the kind of one, or
            JSON such as ``{"spec": "Ncsnv2", "ngf": 32}``. Any other value is taken as it is.
        prefix: prefix of all paths in messages, such as ``model.``.

    Raises:
        UnknownPathError: a path does not exist.
        InputError: a value has the wrong type or is out of range; `fields` holds the paths of the
            changes to the spec that refuses them.
    """
    given = {path: parsed(value) for path, value in changes.items()}
    try:
        return _made(type(spec), _values(spec), given, prefix)
    except UnknownPathError as error:
        wrong, *beside = error.fields
        # A component that is given anew may lack the fields of the present one.
        anew = tuple(f"{prefix}{path}." for path in given)
        kept = (path for path in paths(spec, prefix) if not path.startswith(anew))
        found = suggestions(wrong, list(dict.fromkeys([*beside, *kept])))
        raise UnknownPathError(f"{error}{hint(found)}", *found[:1]) from None


def _made(
    cls: type[Spec], values: Mapping[str, Any], changes: Mapping[str, Any], prefix: str
) -> Spec:
    """Returns a spec with the given values of its fields and with changes by path below it.

    Args:
        cls: class of the spec.
        values: values of fields by name; those without a default may be among the changes.
        changes: new values by path below the spec, parsed.
        prefix: path of the spec, followed by a dot; empty for the outermost spec.
    """
    known = type_hints(cls)
    direct, nested = dict[str, Any](), defaultdict[str, dict[str, Any]](dict)
    for path, value in changes.items():
        head, _, rest = path.partition(".")
        head = known_form(head, known)
        if head not in known:
            raise _unknown(f"{prefix}{path}", *(f"{prefix}{name}" for name in known))
        if (rest in nested[head]) if rest else (head in direct):
            raise InputError(
                f"{prefix}{head} must be given once, but is given in two Unicode forms of the same "
                "letters",
                f"{prefix}{head}",
            )
        if rest:
            nested[head][rest] = value
        else:
            direct[head] = value
    made = dict(values)
    for head in {**direct, **nested}:
        bases = _spec_types(known[head])
        current, below = values.get(head), nested.get(head, {})
        if bases and (head in direct or current is None):
            given = direct.get(head, {})
            made[head] = _component(given, current, bases, below, f"{prefix}{head}")
        elif head in nested:
            if not isinstance(current, Spec):
                raise _unknown(f"{prefix}{head}.{next(iter(below))}")
            made[head] = _made(type(current), _values(current), below, f"{prefix}{head}.")
        else:
            made[head] = _plain(direct[head])
    _require_all(cls, made, prefix)
    try:
        return cls(**made)
    except InputError as error:  # caused by one of the changed fields, which the message names
        words = set(re.findall(r"\w+", str(error)))
        named = [path for path in changes if letters(path.rpartition(".")[2]) in words]
        fields = error.fields or [f"{prefix}{path}" for path in named or changes]
        raise InputError(str(error), *fields) from error


def component_types(spec: Any, path: str) -> tuple[type[Spec], ...]:
    """Returns the spec types that the field at a path may hold; empty for a plain value.

    Args:
        spec: the outermost spec.
        path: dotted path of a field; a path that does not exist has no types.
    """
    head, _, rest = path.partition(".")
    head = _field(spec, head)
    if rest:
        inner = getattr(spec, head, None)
        return component_types(inner, rest) if isinstance(inner, Spec) else ()
    return _spec_types(type_hints(type(spec)).get(head))


def kinds_at(spec: Any, path: str) -> list[str]:
    """Returns the kinds that the component at a path may have, sorted; empty for a plain value.

    Args:
        spec: the outermost spec.
        path: dotted path of a field.
    """
    return _kinds(component_types(spec, path))


def _kinds(bases: tuple[type[Spec], ...]) -> list[str]:
    every = {cls for base in bases for cls in kinds_below(base) if not inspect.isabstract(cls)}
    return sorted(cls.KIND for cls in every if not cls.KIND.startswith("_"))


def _spec_types(annotation: Any) -> tuple[type[Spec], ...]:
    """Returns the spec types among the options of an annotation; none for a tuple of specs."""
    if typing.get_origin(annotation) is tuple:
        return ()
    options = typing.get_args(annotation) or (annotation,)
    return tuple(o for o in options if isinstance(o, type) and issubclass(o, Spec))


def component(given: Any, current: Spec, bases: tuple[type[Spec], ...], path: str) -> Any:
    """Returns the spec that a value describes, with the shared fields of another spec.

    Args:
        given: a kind, or a dictionary with the kind as "spec" and some fields.
        current: spec whose fields carry over where the new spec has them.
        bases: classes, of one of which the new spec must be.
        path: name of the value in messages.

    Raises:
        InputError: there is no such kind, or a field is unknown, missing or has a wrong value.
    """
    return _component(given, current, bases, {}, path)


def _component(
    given: Any, current: Any, bases: tuple[type[Spec], ...], below: Mapping[str, Any], path: str
) -> Any:
    """Returns the spec that a value and changes below it describe for a field with `current`."""
    described = {"spec": given} if isinstance(given, str) else given
    if isinstance(described, dict):
        cls = _class_of(described, current, bases, path)
        fields = {key: value for key, value in described.items() if key != "spec"}
        shared = type_hints(cls).keys() & type_hints(type(current)).keys() if current else ()
        values = {key: getattr(current, key) for key in shared}
        return _made(cls, values, fields | below, f"{path}.")
    if described is not None and not isinstance(described, bases):
        raise InputError(f"{path} must be {_choices(bases)}, but got {given!r}", path)
    if below and described is None:
        raise _unknown(f"{path}.{next(iter(below))}")
    return _made(type(described), _values(described), below, f"{path}.") if below else described


def _class_of(
    described: Mapping[str, Any], current: Any, bases: tuple[type[Spec], ...], path: str
) -> type[Spec]:
    """Returns the class of the described kind, by default that of the current spec."""
    name = described.get("spec", current.KIND if isinstance(current, Spec) else None)
    known = dict.fromkeys(cls for base in bases for cls in kinds_below(base))
    usable = [cls for cls in known if not inspect.isabstract(cls) and isinstance(name, str)]
    # A kind, a kind without its module, or the name of a family of schedules, such as "linear".
    words = {w for c in usable for w in (c.KIND, c.short_kind(), str(getattr(c, "name", "")))}
    word = known_form(str(name), words)
    found = [c for c in usable if word == c.KIND] or [
        c for c in usable if word in (c.short_kind(), getattr(c, "name", None))
    ]
    if not found:
        near = difflib.get_close_matches(str(name), _kinds(bases), n=1, cutoff=0.5)
        raise InputError(f"{path} must be {_choices(bases)}, but got {name!r}{hint(near)}", path)
    if len(found) > 1:
        kinds = " or ".join(sorted(cls.KIND for cls in found))
        raise InputError(f"{path} must be one kind, but {name!r} may be {kinds}", path)
    return found[0]


def _require_all(cls: type[Spec], values: Mapping[str, Any], prefix: str) -> None:
    """Raises InputError if a field without a default has no value."""
    none = dataclasses.MISSING
    for f in dataclasses.fields(cls):
        if f.name not in values and f.default is none and f.default_factory is none:
            path = prefix.rstrip(".")
            raise InputError(
                f"{path} of kind {cls.KIND} needs the field {f.name!r}: give it as "
                f'{{"spec": "{cls.KIND}", "{f.name}": VALUE}}',
                path,
            )


def _values(spec: Spec) -> dict[str, Any]:
    return {name: getattr(spec, name) for name in type_hints(type(spec))}


def _plain(value: Any) -> Any:
    if not isinstance(value, list):
        return value
    level: list[Any] = [value]
    for _ in range(_DEEPEST):  # level by level: how deeply functions may call each other varies
        lists = [part for part in level if isinstance(part, list)]
        dicts = [part for part in level if isinstance(part, dict)]
        level = [*chain.from_iterable(lists), *chain.from_iterable(d.values() for d in dicts)]
    if level:
        raise InputError("a value must be a flat list, but got deeply nested lists")
    return from_json_value(value)


def _choices(bases: tuple[type[Spec], ...]) -> str:
    return f"one of the kinds {', '.join(_kinds(bases))}"


def _unknown(path: str, *beside: str) -> UnknownPathError:
    """Returns the error for a path; `fields` holds the path and the right paths beside it."""
    message = f"a path must be a field of the study's settings; got {path!r}"
    return UnknownPathError(message, path, *beside)


def parsed(value: Any) -> Any:
    """Returns text as the JSON that it is, or as it is; other values unchanged.

    Args:
        value: the value of a change by path.
    """
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except json.JSONDecodeError:
        return value
    except (ValueError, RecursionError) as error:  # thousands of digits, or of brackets
        raise InputError(
            f"a value must be short enough to be read, but {shown(value)} is not "
            f"({type(error).__name__}): write fewer digits and brackets"
        ) from error


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
        head = _field(spec, head)
        if rest:
            nested[head][rest] = value
        else:
            direct[head] = value
    inner = {head: replaced(getattr(spec, head), rest) for head, rest in nested.items()}
    return dataclasses.replace(spec, **direct, **inner)


def _field(spec: Any, name: str) -> str:
    """Returns the name of a field in the form of the class, or the name if there is no such field.

    Args:
        spec: spec, or any other value, which has no fields.
        name: name of the field in any Unicode form.
    """
    return name if hasattr(spec, name) else letters(name)


def paths(spec: Any, prefix: str = "") -> Iterator[str]:
    """Yields the paths of all fields of a spec and of the specs below, each before those below it.

    Args:
        spec: the outermost spec.
        prefix: prefix of all paths, such as ``network.``.
    """
    for f in dataclasses.fields(spec):
        value = getattr(spec, f.name)
        yield f"{prefix}{f.name}"
        if dataclasses.is_dataclass(value):
            yield from paths(value, f"{prefix}{f.name}.")
