"""Specs: frozen descriptions of work whose nesting is the dependency graph.

A spec is a frozen, keyword-only dataclass. Everything that changes a result is a field of some
spec; resources, paths, logging and batch sizes of inference are in none. A spec's *key* is a hash
of its kind, its integer ``VERSION`` and its fields, in which every nested spec stands as its own
key: a Merkle graph, so raising one ``VERSION`` renews all that rests on it and nothing else.

Specs travel as plain JSON (`Spec.to_json`, `from_json`); a registry of kinds, filled as classes
are defined, says which class a JSON object describes. Nothing is pickled.
"""

import dataclasses
import difflib
import hashlib
import json
import math
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Self, get_args, get_origin

from scorelib.errors import InputError

_KINDS: dict[str, type["Spec"]] = {}
_KEY_DIGITS = 32
_OURS = frozenset({"scorelib", "tuning", "studies", "dashboards"})
"""The packages that our distribution ships."""

_ADDED_LATER, _STORED = "added later", "stored"


def added_later(default: Any) -> Any:
    """A field that a spec was given after results of the spec had been stored.

    At its default, which must mean what was done before, the field is in no key: stored results
    stay valid.
    """
    return dataclasses.field(default=default, metadata={_ADDED_LATER: True})


def stored_as(name: str, default: Any = dataclasses.MISSING) -> Any:
    """A field that keys and JSON know by an earlier name than Python does.

    Args:
        name: the field's name in keys and in JSON.
        default: the field's default; without one the field is required.
    """
    return dataclasses.field(default=default, metadata={_STORED: name})


@dataclass(frozen=True, kw_only=True)
class Spec:
    """Base of all specs: typed fields, a stable key, JSON both ways.

    A subclass must itself be decorated with ``@dataclass(frozen=True, kw_only=True)``, may check
    its fields in ``validate`` and raises ``VERSION`` when its results change on purpose.

    Class attributes:
        KIND: the name that keys and JSON (as ``"spec"``) know the class by. It is declared in the
            body of every class of this distribution and never inherited, so a class can be renamed
            and its results stay. Any other class that declares none is ``module:Class``.
        VERSION: raised when results change on purpose; inherited.
    """

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.KIND = _kind_of(cls)
        known = _KINDS.get(cls.KIND)
        if known is not None and _place(known) != _place(cls):
            raise TypeError(
                f"two specs must not be of one kind; {known} and {cls} are both {cls.KIND!r}: "
                "declare another KIND in one of them"
            )
        _KINDS[cls.KIND] = cls

    def __post_init__(self) -> None:
        for name, annotation in _annotations(type(self)).items():
            value = _coerce(getattr(self, name), annotation, f"{type(self).__name__}.{name}")
            object.__setattr__(self, name, value)
        self.validate()

    def validate(self) -> None:
        """Raises InputError if the fields, each of its right type, do not go together."""

    @classmethod
    def short_kind(cls) -> str:
        """The kind without a module, for people: such as "Als"."""
        return cls.KIND.rpartition(":")[2]

    @cached_property
    def key(self) -> str:
        """Content key: 32 hexadecimal digits, equal for equal work."""
        fields = {
            _stored_name(f): _keyed(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if not (f.metadata.get(_ADDED_LATER) and getattr(self, f.name) == f.default)
        }
        body = json.dumps([self.KIND, self.VERSION, fields], sort_keys=True, allow_nan=False)
        return hashlib.sha256(body.encode()).hexdigest()[:_KEY_DIGITS]

    def to_json(self) -> dict[str, Any]:
        """The spec as JSON-ready values, nested specs in full."""
        return {"spec": self.KIND} | {
            _stored_name(f): _plain(getattr(self, f.name)) for f in dataclasses.fields(self)
        }

    def replace(self, **changes: Any) -> Self:
        """The same spec with some fields changed (and checked again)."""
        return dataclasses.replace(self, **changes)

    def parts(self) -> Iterator["Spec"]:
        """The spec itself and all that are nested in it, once for each time they occur."""
        yield self
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Spec):
                    yield from item.parts()

    def flat(self, prefix: str = "") -> dict[str, Any]:
        """Every field of every nested spec by dotted path, each spec's kind beside them."""
        rows: dict[str, Any] = {f"{prefix}spec": self.KIND}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Spec):
                rows |= value.flat(f"{prefix}{f.name}.")
            else:
                rows[f"{prefix}{f.name}"] = value
        return rows


def _kind_of(cls: type[Spec]) -> str:
    """The kind declared in a class's own body, or ``module:Class`` for a class that is not ours."""
    if "KIND" in cls.__dict__:
        return cls.KIND
    if cls.__module__.partition(".")[0] in _OURS:
        raise TypeError(
            f"a spec of this distribution must declare KIND in its body; {cls} does not"
        )
    if cls.__module__ == "__main__":  # every script is called so: two of them would share keys
        raise TypeError(f"a spec of a script must declare KIND, or move to a module; got {cls}")
    return f"{cls.__module__}:{cls.__qualname__}"


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _stored_name(field: "dataclasses.Field[Any]") -> str:
    return str(field.metadata.get(_STORED, field.name))


def fields_of(spec: Spec, base: type[Spec] | None = None) -> dict[str, Any]:
    """The fields of a spec by name, to make one of another kind of; of a base, those it has."""
    return {field.name: getattr(spec, field.name) for field in dataclasses.fields(base or spec)}


def from_json(data: dict[str, Any]) -> Any:
    """The spec that `Spec.to_json` described.

    Raises:
        InputError: an unknown kind, an unknown field or a value of the wrong type.
    """
    kind = data.get("spec")
    if kind not in _KINDS:
        near = difflib.get_close_matches(str(kind), _KINDS, n=1)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        module = str(kind).partition(":")[0] if ":" in str(kind) else None
        hint = f": import {module} first" if module else hint
        raise InputError(f"a spec must be of a known kind; got {kind!r}{hint}")
    names = {_stored_name(f): f.name for f in dataclasses.fields(_KINDS[kind])}
    unknown = data.keys() - names.keys() - {"spec"}
    if unknown:
        raise InputError(f"{kind} has no field {sorted(unknown)[0]!r}")
    values = {names[name]: _revive(value) for name, value in data.items() if name != "spec"}
    return _KINDS[kind](**values)


def _keyed(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.key
    if isinstance(value, tuple):
        return [_keyed(item) for item in value]
    return value


def _plain(value: Any) -> Any:
    if isinstance(value, Spec):
        return value.to_json()
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    return value


def _revive(value: Any) -> Any:
    if isinstance(value, dict):
        return from_json(value)
    if isinstance(value, list):
        return tuple(_revive(item) for item in value)
    return value


@cache
def _annotations(cls: type) -> dict[str, Any]:
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def _coerce(value: Any, annotation: Any, where: str) -> Any:
    """The value in its annotated type; an int may stand for a float, a list for a tuple."""
    origin = get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        for option in get_args(annotation):
            try:
                return _coerce(value, option, where)
            except InputError:
                continue
    elif origin is typing.Literal:
        if value in get_args(annotation):
            return value
        choices = ", ".join(map(repr, get_args(annotation)))
        raise InputError(f"{where} must be one of {choices}; got {value!r}")
    elif origin is tuple and isinstance(value, (tuple, list)):
        items = get_args(annotation)
        if items[-1] is Ellipsis:
            items = (items[0],) * len(value)
        if len(items) != len(value):
            raise InputError(f"{where} must have {len(items)} values; got {list(value)}")
        return tuple(_coerce(v, item, where) for v, item in zip(value, items, strict=True))
    elif annotation is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        if math.isfinite(value):
            return float(value)
    elif (annotation is int and isinstance(value, int) and not isinstance(value, bool)) or (
        annotation not in (int, float)
        and isinstance(annotation, type)
        and isinstance(value, annotation)
    ):
        return value
    wanted = getattr(annotation, "__name__", str(annotation))
    if origin is tuple:
        wanted = 'a list, in JSON such as [3] or ["a", "b"]'
    raise InputError(f"{where} must be {wanted}; got {value!r}")
