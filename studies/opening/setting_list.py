"""Lists all settings of a study by path, as text for readers or as a TOML file.

Each line gives the type, the range and the meaning of a setting, from the docstring of the spec
that owns the field. The file can be given back (`studies.opening.config_file`). It is written here
and by no library, because libraries write values and no comments.
"""

import json
import re
import types
import typing
from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any, Literal, get_args, get_origin

from scorelib.field_docs import FieldDoc, field_docs
from scorelib.limits import MOST_LISTED, largest
from scorelib.spec import Spec, is_ours, type_hints
from scorelib.spec_paths import kinds_at

_NAMES = {
    int: "whole number", float: "number", bool: "true or false", str: "text", types.NoneType: "null"
}  # fmt: skip
_SILENT = FieldDoc("", "")
_BOUNDED = re.compile("<|at most|in \\[")


@dataclass(frozen=True)
class Setting:
    """A setting of a study.

    Attributes:
        path: dotted path.
        value: the value; a spec for a component.
        type: type of the values, or the kinds that a component may have, in words.
        range: range of the values, such as "> 0"; "" if none is stated.
        meaning: the meaning, on one line; "" if none is stated, as in a class of the user.
    """

    path: str
    value: Any
    type: str
    range: str
    meaning: str

    @property
    def about(self) -> str:
        """Type, range and meaning, on one line."""
        values = ", ".join(filter(None, (self.type, self.range)))
        return ": ".join(filter(None, (values, self.meaning)))


def settings_list(settings: Spec) -> list[Setting]:
    """Returns all settings by path, components before the settings below them.

    Args:
        settings: settings of a study.
    """
    return list(_settings_below(settings, settings, ""))


def _settings_below(top: Spec, spec: Spec, prefix: str) -> Iterator[Setting]:
    cls: type = type(spec)
    hints, docs = type_hints(cls), field_docs(cls)
    for f in fields(spec):
        path, value, doc = f"{prefix}{f.name}", getattr(spec, f.name), docs.get(f.name, _SILENT)
        kinds = kinds_at(top, path)
        words = _kinds(kinds, hints[f.name]) if kinds else _type(hints[f.name])
        yield Setting(path, value, words, _range(cls, f.name, hints[f.name], doc), doc.meaning)
        if isinstance(value, Spec):
            yield from _settings_below(top, value, f"{path}.")


def _range(cls: type, name: str, annotation: Any, doc: FieldDoc) -> str:
    """Returns the stated range, the largest whole number, and the most values of a list."""
    items = get_args(annotation)
    is_whole = int in (annotation, *items) and is_ours(cls.__module__)
    is_list = items[-1:] == (Ellipsis,) and cls.__module__.startswith("studies.")
    parts = [
        doc.range,
        f"at most {largest(name):,}" if is_whole and not _BOUNDED.search(doc.range) else "",
        f"at most {MOST_LISTED:,} values" if is_list else "",
    ]
    return ", ".join(filter(None, parts))


def _kinds(kinds: list[str], annotation: Any) -> str:
    """Returns the kinds of a component in words; a component of one kind is a group of settings."""
    optional = ["null"] if types.NoneType in get_args(annotation) else []
    return "group" if len(kinds) == 1 and not optional else " | ".join([*kinds, *optional])


def _type(annotation: Any) -> str:
    """Returns the type of a plain value in words."""
    origin, items = get_origin(annotation), get_args(annotation)
    if origin is Literal:
        return " | ".join(json.dumps(item) for item in items)
    if origin in (types.UnionType, typing.Union):
        return " | ".join(map(_type, items))
    if origin is tuple:
        few = "" if items[-1] is Ellipsis else f"{len(items)} times "
        return f"list of {few}{_type(items[0])}"
    return _NAMES.get(annotation) or str(getattr(annotation, "__name__", annotation))


def as_text(settings: Spec) -> str:
    """Returns one line per setting: path, value, type, range and meaning.

    Args:
        settings: settings of a study.
    """
    rows = [(f"{one.path} = {_shown(one.value)}", one.about) for one in settings_list(settings)]
    width = max(len(left) for left, _ in rows)
    return "".join(f"{left:{width}}  {about}\n" for left, about in rows)


def _shown(value: Any) -> str:
    if isinstance(value, Spec):
        return value.KIND
    return json.dumps(value, ensure_ascii=False)


def as_toml(settings: Spec) -> str:
    """Returns a TOML file of all settings, with type, range and meaning as comments.

    Args:
        settings: settings of a study.
    """
    lines: list[str] = []
    by_path = {one.path: one for one in settings_list(settings)}
    specs = {path: one.value for path, one in by_path.items() if isinstance(one.value, Spec)}
    for path, spec in {"": settings, **specs}.items():
        if path:
            about = by_path[path]
            lines += ["", f"[{path}]  # {about.meaning}".rstrip("# ")]
            kinds = "" if about.type == "group" else f"  # {about.type}"
            lines += [f"spec = {_toml(spec.KIND)}{kinds}"]
        for f in fields(spec):
            one = by_path[f"{path}.{f.name}" if path else f.name]
            if not isinstance(one.value, Spec):
                lines.append(f"{f.name} = {_toml(one.value)}  # {one.about}")
    return "\n".join(lines) + "\n"


def _toml(value: Any) -> str:
    """Returns a value in TOML, which writes it as JSON does, but knows no null."""
    text = json.dumps("null" if value is None else value, ensure_ascii=False)
    return text.replace("\x7f", "\\u007f")
