"""Reads the parameters of a sweep from lines of text.

    train.optimizer.learning_rate = 1e-4..1e-2 log
    train.network.width = 16..256 log whole
    train.network.depth = 1..4
    sampler.epsilon = 0.001..0.02 log 5 points
    ema = [0.9, 0.99]
    train.objective = ["Dsm", {"spec": "Adversarial", "n_d": 2}]

A line is a path, "=", and a list of values or a range, whose ends belong to it. After a range may
follow ``log`` (a logarithmic scale), ``whole`` (whole numbers, the default for settings that are
whole numbers) and ``N points`` (the points of a grid).
"""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from scorelib.errors import InputError, about
from scorelib.field_names import hint, suggestions
from scorelib.spec import Spec
from scorelib.spec_paths import paths, replace_paths, replaced
from scorelib.unicode_forms import known_form
from tuning.jobs import Job
from tuning.spaces import OneOf, Range

_NUMBER = r"[-+]?(?:\d+(?:\.\d+)?|\.\d+)(?:[eE][-+]?\d+)?"
_RANGE = re.compile(rf"({_NUMBER})\s*\.\.\s*({_NUMBER})((?:\s+\w+)*)")
_WORDS = re.compile(r"(?:\s+(?:log|whole|\d+ points))*")
FIELD = "vary"

_DRAWS = 50
"""Number of combinations that are tried for a value that does not fit the job as it is."""


def split(line: str) -> tuple[str, str]:
    """Returns the path and the values of a line, both as text.

    Raises:
        InputError: the line is not "PATH = VALUES".
    """
    path, equals, values = (part.strip() for part in line.partition("="))
    if not (path and equals and values):
        raise _error(f"a line must be PATH = LOW..HIGH or PATH = [VALUE, ...], but got {line!r}")
    return path, values


def parameters(lines: tuple[str, ...], job: Job, places: Mapping[str, str]) -> list[OneOf | Range]:
    """Returns the parameters that lines of text describe.

    Args:
        lines: one line for each parameter.
        job: job whose fields are varied.
        places: path in the job of each path, or beginning of a path, that a line may use; "" for
            the job itself.

    Raises:
        InputError: a line cannot be read, a path is not a field of the job, a range is empty, or
            the job refuses a value.
    """
    known = _known(job, places)
    given = [(known_form(path, known), values) for path, values in map(split, lines)]
    last = [path.rpartition(".")[2] for path, _ in given]
    found: list[OneOf | Range] = []
    for (path, values), short in zip(given, last, strict=True):
        if path not in known:
            near = suggestions(path, list(known))
            raise _error(f"a path must be a field to vary, but {path!r} is not{hint(near)}")
        _require_apart(path, [other for other, _ in given])
        name = short if last.count(short) == 1 else path
        found.append(_parameter(name, known[path], values, job))
    for parameter in found:
        _require_accepted(parameter, [p for p in found if p is not parameter], job)
    return found


def decays(lines: tuple[str, ...]) -> tuple[float, ...]:
    """Returns the EMA decays that lines list, which every training must keep.

    Raises:
        InputError: the decays are a range; a training keeps the decays that are listed.
    """
    text = dict(split(line) for line in lines).get("ema", "[]")
    try:
        return tuple(float(decay) for decay in json.loads(text))
    except (ValueError, TypeError) as error:
        raise _error(f"ema must have a list such as [0.99, 0.999], but got {text}") from error


def _known(job: Job, places: Mapping[str, str]) -> dict[str, str]:
    """Returns the path in the job of every field that lines may vary."""
    known = {}
    for field in paths(job):
        for name, place in places.items():
            if place == "":
                known[f"{name}.{field}"] = field
            elif field == place or field.startswith(f"{place}."):
                known[name + field.removeprefix(place)] = field
    return known


def _require_apart(path: str, others: list[str]) -> None:
    """Raises InputError if a path is given twice, or lies below another path."""
    if others.count(path) > 1 or any(path.startswith(f"{other}.") for other in others):
        raise _error(
            "each path must be given once, and no path may lie below another, but got "
            f"{', '.join(others)}"
        )


def _parameter(name: str, path: str, text: str, job: Job) -> OneOf | Range:
    if text.startswith("["):
        return _choices(name, path, text, job)
    found = _RANGE.fullmatch(text)
    if not found or not _WORDS.fullmatch(found[3]):
        raise _error(
            f"{name} must have a list such as [1, 2], or a range such as 1e-4..1e-2 log, 1..8 "
            f"whole or 0..1 5 points, but got {text!r}"
        )
    words, points = found[3].split(), re.search(r"(\d+) points", found[3])
    current = value_at(job, path)
    is_whole = isinstance(current, int) and not isinstance(current, bool)
    try:
        return Range(
            name=name,
            path=path,
            low=float(found[1]),
            high=float(found[2]),
            log="log" in words,
            whole="whole" in words or is_whole,
            points=int(points[1]) if points else None,
        )
    except InputError as error:
        raise _error(str(error)) from error


def _choices(name: str, path: str, text: str, job: Job) -> OneOf:
    try:
        given = json.loads(text)
    except json.JSONDecodeError as error:
        raise _error(f"{name} must have a list of values in JSON, but got {text}") from error
    try:
        if not isinstance(value_at(job, path), Spec):
            return OneOf(name=name, path=path, values=tuple(given))
        values = [value_at(replace_paths(job, {path: value}), path) for value in given]
        labels = [v if isinstance(v, str) else json.dumps(v) for v in given]
        return OneOf(name=name, path=path, values=tuple(values), labels=tuple(labels))
    except InputError as error:
        raise _error(about(name, str(error))) from error


def _require_accepted(parameter: OneOf | Range, others: Sequence[OneOf | Range], job: Job) -> None:
    """Raises InputError if the job refuses a value of a list or an end of a range.

    The value must fit the job as it is, or together with some values of the other parameters.
    """
    ends = parameter.values if isinstance(parameter, OneOf) else (parameter.at(0), parameter.at(1))
    rng = np.random.default_rng(0)
    for value in ends:
        try:
            replaced(job, {parameter.path: value})
        except InputError as error:
            drawn = ({o.path: o.field_value(o.draw(rng)) for o in others} for _ in range(_DRAWS))
            if not any(_fits(job, {parameter.path: value} | values) for values in drawn):
                raise _error(f"{parameter.name} must have values that fit: {error}") from error


def _fits(job: Job, changes: Mapping[str, Any]) -> bool:
    try:
        replaced(job, changes)
    except InputError:
        return False
    return True


def value_at(spec: Any, path: str) -> Any:
    """Returns the value of the field at a dotted path."""
    for name in path.split("."):
        spec = getattr(spec, name)
    return spec


def _error(message: str) -> InputError:
    return InputError(message, FIELD)
