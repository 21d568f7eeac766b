"""Specs: frozen dataclasses that describe computations, identified by a hash of their content.

A spec is a frozen, keyword-only dataclass. Everything that changes a result is a field of some
spec. Resources, paths, logging and the batch sizes of inference do not change results and are not
fields. A spec depends on the specs nested in its fields. The *key* of a spec is a hash of its kind,
its integer ``VERSION`` and its fields, in which each nested spec is replaced by its key. The keys
form a Merkle graph: raising the ``VERSION`` of a class changes the keys of its specs and of all
specs that depend on them, and no other keys. Source code is no part of a key; `scorelib.sources`
tells results of different code apart.

Specs are serialised as plain JSON (`Spec.to_json`, `from_json`) and never pickled. A registry,
filled when the classes are defined, maps each kind to its class.
"""

import contextlib
import dataclasses
import difflib
import hashlib
import inspect
import json
import math
import types
import typing
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, ClassVar, Self, get_args, get_origin

from scorelib.errors import InputError
from scorelib.limits import LARGEST_SEED, largest, shown
from scorelib.spec_classes import SpecType, require_usable

_KINDS: dict[str, type["Spec"]] = {}
_KEY_DIGITS = 32
_OURS = frozenset({"scorelib", "tuning", "studies", "dashboards"})
"""The top-level packages of this distribution."""

_ADDED_LATER, _STORED = "added later", "stored"


def added_later(default: Any) -> Any:
    """Declares a field that was added to a spec class after results had been stored.

    The field is left out of the key if it has its default, so stored results stay valid. The
    default must therefore reproduce the behaviour before the field was added.

    Args:
        default: the field's default.
    """
    return dataclasses.field(default=default, metadata={_ADDED_LATER: True})


def stored_as(name: str, default: Any = dataclasses.MISSING) -> Any:
    """Declares a renamed field that keeps its earlier name in keys and in JSON.

    Args:
        name: the field's name in keys and in JSON.
        default: the field's default; the field is required if it has none.
    """
    return dataclasses.field(default=default, metadata={_STORED: name})


@dataclass(frozen=True, kw_only=True)
class Spec(metaclass=SpecType):
    """Base class of all specs: typed fields, a stable key, conversion to and from JSON.

    A subclass must itself be decorated with ``@dataclass(frozen=True, kw_only=True)`` and define
    the abstract methods of its base classes (`scorelib.spec_classes` checks both). It may check its
    fields in ``validate``, and it must raise ``VERSION`` when its results change on purpose.

    A list is accepted for a tuple and an int for a float; both are converted.

    Class attributes:
        KIND: name of the class in keys and in JSON (under ``"spec"``). Every class of this
            distribution declares it in its body; it is never inherited. A class can therefore be
            renamed without invalidating its results. A class of another distribution that does not
            declare KIND gets ``module:Class``.
        VERSION: version of the results, raised when they change on purpose; inherited.
        REMOVED: fields that the class once had, each with the value to which the code without the
            field corresponds. They stay in the key, and JSON may hold them with this value.

    Raises:
        InputError: a field has a value of the wrong type, ``validate`` rejects the fields, or the
            class is not a frozen, keyword-only dataclass, or lacks a method.
    """

    KIND: ClassVar[str]
    VERSION: ClassVar[int] = 1
    REMOVED: ClassVar[Mapping[str, Any]] = types.MappingProxyType({})

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        cls.KIND = _kind_of(cls)
        known = _KINDS.get(cls.KIND)
        if known is not None and _place(known) != _place(cls):
            raise TypeError(
                f"spec classes must have different kinds, but {known} and {cls} are both "
                f"{cls.KIND!r}: declare another KIND in one of them"
            )
        _KINDS[cls.KIND] = cls

    def __new__(cls, *args: Any, **kwargs: Any) -> Self:
        """Refuses a class of which no spec can be created, before the fields are looked at."""
        require_usable(cls)
        return super().__new__(cls)

    def __post_init__(self) -> None:
        for name, annotation, most, where in _checks(type(self)):
            value = getattr(self, name)
            if not _is_as_annotated(value, annotation, most):
                object.__setattr__(self, name, _coerce(value, annotation, where, most))
        self.validate()

    def validate(self) -> None:
        """Raises InputError if the values of the fields are invalid; called after type checks."""

    @classmethod
    def short_kind(cls) -> str:
        """Returns the kind without its module, for display, such as "Als"."""
        return cls.KIND.rpartition(":")[2]

    @cached_property
    def key(self) -> str:
        """Hash of the spec's content: 32 hexadecimal digits, equal for equal computations."""
        fields = dict(self.REMOVED) | {
            _stored_name(f): _keyed(getattr(self, f.name))
            for f in dataclasses.fields(self)
            if not (f.metadata.get(_ADDED_LATER) and getattr(self, f.name) == f.default)
        }
        body = json.dumps([self.KIND, self.VERSION, fields], sort_keys=True, allow_nan=False)
        return hashlib.sha256(body.encode()).hexdigest()[:_KEY_DIGITS]

    def to_json(self) -> dict[str, Any]:
        """Returns the spec as JSON-serialisable values, with nested specs in full."""
        return {"spec": self.KIND} | {
            _stored_name(f): _plain(getattr(self, f.name)) for f in dataclasses.fields(self)
        }

    def replace(self, **changes: Any) -> Self:
        """Returns a copy of the spec with some fields changed.

        Raises:
            InputError: the changed fields are invalid.
        """
        return dataclasses.replace(self, **changes)

    def parts(self) -> Iterator["Spec"]:
        """Yields the spec itself and all nested specs, once for each occurrence."""
        yield self
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            for item in value if isinstance(value, tuple) else (value,):
                if isinstance(item, Spec):
                    yield from item.parts()

    def flat(self, prefix: str = "") -> dict[str, Any]:
        """Returns all fields of the spec and of its nested specs by dotted path.

        The kind of each spec is included, under ``spec`` at the spec's path.

        Args:
            prefix: prefix of all paths, such as ``network.``.
        """
        rows: dict[str, Any] = {f"{prefix}spec": self.KIND}
        for f in dataclasses.fields(self):
            value = getattr(self, f.name)
            if isinstance(value, Spec):
                rows |= value.flat(f"{prefix}{f.name}.")
            else:
                rows[f"{prefix}{f.name}"] = value
        return rows


def _kind_of(cls: type[Spec]) -> str:
    """Returns the kind declared in a class's body, or ``module:Class`` for a foreign class.

    Raises:
        TypeError: a class of this distribution or of a script does not declare its kind.
    """
    if "KIND" in cls.__dict__:
        return cls.KIND
    if is_ours(cls.__module__):
        raise TypeError(
            f"a spec class of this distribution must declare KIND in its body; {cls} does not"
        )
    if cls.__module__ == "__main__":  # the name of every script: two scripts would share keys
        raise TypeError(
            f"a spec class must be in a file that workers can import, but {cls} is in a script or "
            "a notebook: put the class in a file"
        )
    return f"{cls.__module__}:{cls.__qualname__}"


def is_ours(module: str) -> bool:
    """Returns whether a module, given by its dotted name, is part of this distribution."""
    return module.partition(".")[0] in _OURS


def _place(cls: type) -> tuple[str, str]:
    return cls.__module__, cls.__qualname__


def _stored_name(field: "dataclasses.Field[Any]") -> str:
    return str(field.metadata.get(_STORED, field.name))


def fields_of(spec: Spec, base: type[Spec] | None = None) -> dict[str, Any]:
    """Returns the field values of a spec by name, for example to create a spec of another kind.

    Args:
        spec: the spec.
        base: a base class of the spec; if given, only the fields of the base class are returned.
    """
    return {field.name: getattr(spec, field.name) for field in dataclasses.fields(base or spec)}


def kinds_below(base: type[Spec]) -> list[type[Spec]]:
    """Returns all classes of specs defined so far that are `base` or derive from it."""
    return [cls for cls in _KINDS.values() if issubclass(cls, base)]


def from_json(data: dict[str, Any]) -> Any:
    """Creates the spec described by the JSON values of `Spec.to_json`.

    Args:
        data: the kind under ``spec`` and the fields by name.

    Raises:
        InputError: an unknown kind, an unknown or missing field, a value that the spec rejects, or
            too deep nesting.
    """
    try:
        return _from_json(data)
    except RecursionError as error:
        raise InputError("a spec must be nested less deeply") from error


def _from_json(data: dict[str, Any]) -> Any:
    kind = data.get("spec")
    if not isinstance(kind, str) or kind not in _KINDS:
        usable = [k for k, c in _KINDS.items() if not (k.startswith("_") or inspect.isabstract(c))]
        near = difflib.get_close_matches(str(kind), usable, n=1)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        module = str(kind).partition(":")[0] if ":" in str(kind) else None
        hint = f": import its module {module}" if module else hint
        message = f"a spec must be of a known kind; got {kind!r}{hint}"
        raise InputError(message, *(["modules"] if module else []))
    require_usable(_KINDS[kind])
    data = {name: v for name, v in data.items() if (name, v) not in _KINDS[kind].REMOVED.items()}
    names = {_stored_name(f): f.name for f in dataclasses.fields(_KINDS[kind])}
    unknown = data.keys() - names.keys() - {"spec"}
    if unknown:
        raise InputError(f"{kind} has no field {sorted(unknown)[0]!r}")
    values = {names[name]: from_json_value(value) for name, value in data.items() if name != "spec"}
    for f in dataclasses.fields(_KINDS[kind]):
        is_required = f.default is f.default_factory is dataclasses.MISSING
        if is_required and f.name not in values:
            raise InputError(f"{kind} must have the field {_stored_name(f)!r}, but it is missing")
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


def from_json_value(value: Any) -> Any:
    """Returns a field's value from JSON: objects become specs and lists become tuples."""
    if isinstance(value, dict):
        return from_json(value)
    if isinstance(value, list):
        return tuple(from_json_value(item) for item in value)
    return value


@cache
def type_hints(cls: type) -> dict[str, Any]:
    """Returns the annotated type of each field of a spec class, by name."""
    hints = typing.get_type_hints(cls)
    return {f.name: hints[f.name] for f in dataclasses.fields(cls)}


def require_types(described: Any) -> None:
    """Converts the fields of a dataclass to their annotated types, as those of a spec.

    Args:
        described: object of a dataclass that is no spec, such as a study.

    Raises:
        InputError: a field has a value of the wrong type.
    """
    for name, annotation in type_hints(type(described)).items():
        where = f"{type(described).__name__}.{name}"
        value = _coerce(getattr(described, name), annotation, where, LARGEST_SEED)
        object.__setattr__(described, name, value)


@cache
def _checks(cls: type["Spec"]) -> tuple[tuple[str, Any, int, str], ...]:
    """Returns name, type, largest whole number and place of each field of a class of specs."""
    ours = is_ours(cls.__module__)
    return tuple(
        (name, annotation, largest(name) if ours else LARGEST_SEED, f"{cls.__name__}.{name}")
        for name, annotation in type_hints(cls).items()
    )


def _is_as_annotated(value: Any, annotation: Any, most: int) -> bool:
    """Returns whether a value surely has its type and limit, so that `_coerce` would return it.

    Studies create a hundred thousand specs, and nearly all fields of them are of this kind.
    """
    kind = type(value)
    if annotation is int:
        return kind is int and -most <= value <= most
    if annotation is float:
        return kind is float and math.isfinite(value)
    return (kind is annotation and kind is not tuple) or (
        isinstance(annotation, SpecType) and isinstance(value, annotation)
    )


class _TooLargeError(InputError):
    """A whole number beyond the limit of its field, which is of the right type otherwise."""


def _coerce(value: Any, annotation: Any, where: str, most: int) -> Any:
    """Returns the value converted to its annotated type: an int to float, a list to a tuple.

    Args:
        value: the value of a field.
        annotation: the type annotation of the field.
        where: name of the field, for the error message.
        most: largest whole number; its negative is the smallest one.

    Raises:
        InputError: the value does not have the annotated type, is not finite or is too large.
    """
    origin = get_origin(annotation)
    if origin in (types.UnionType, typing.Union):
        for option in get_args(annotation):
            try:
                return _coerce(value, option, where, most)
            except _TooLargeError:
                raise
            except InputError:
                continue
    elif origin is typing.Literal:
        if value in get_args(annotation):
            return value
        choices = ", ".join(map(repr, get_args(annotation)))
        raise InputError(f"{where} must be one of {choices}; got {shown(value)}")
    elif origin is tuple and isinstance(value, (tuple, list)):
        items = get_args(annotation)
        if items[-1] is Ellipsis:
            items = (items[0],) * len(value)
        if len(items) != len(value):
            raise InputError(f"{where} must have {len(items)} values; got {shown(list(value))}")
        return tuple(_coerce(v, item, where, most) for v, item in zip(value, items, strict=True))
    elif annotation is float and isinstance(value, (int, float)) and not isinstance(value, bool):
        with contextlib.suppress(OverflowError):  # a whole number of more than 308 digits
            if math.isfinite(value):
                return float(value)
    elif annotation is int and isinstance(value, int) and not isinstance(value, bool):
        if abs(value) > most:
            raise _TooLargeError(
                f"{where} must be at most {most:,} in magnitude, but got {shown(value)}"
            )
        return value
    elif (
        annotation not in (int, float)
        and isinstance(kind := origin or annotation, type)
        and kind is not tuple
        and isinstance(value, kind)
    ):
        return value
    wanted = getattr(annotation, "__name__", str(annotation))
    if origin is tuple:
        wanted = 'a list, in JSON such as [3] or ["a", "b"]'
    raise InputError(f"{where} must be {wanted}; got {shown(value)}")
