"""The shapes of a store's documents: every document is read against the shape of its folder.

A document is *damaged* if it is not JSON or has another shape, as after a fault of the disk or an
edit by hand. A damaged document is reported in one line and never replaced by a default. A document
that the program writes again by itself is set aside; for any other document, the line says what the
user must do.
"""

import json
import math
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._=-]*")
"""The pattern of stored names, which cannot leave their folder."""


@dataclass(frozen=True)
class Shape:
    """The shape of the documents of a folder.

    Attributes:
        holds: what a document must hold, in words.
        fits: whether a parsed document has the shape.
        cure: what the user must do about a damaged document; "" if a run writes the document again.
        is_of_drivers: whether a damaged document stays in its place, where the next driver takes
            the document over by the rules of `tuning.drivers`.
    """

    holds: str
    fits: Callable[[Any], bool]
    cure: str = ""
    is_of_drivers: bool = False


def parsed(data: bytes, shape: Shape) -> Any:
    """Returns the content of a JSON document.

    Args:
        data: bytes of the document.
        shape: shape that the content must have.

    Raises:
        ValueError: the bytes are no JSON, or the content has another shape.
    """
    try:
        body = json.loads(data, parse_constant=_refuse)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    if not shape.fits(body):
        raise ValueError(f"it must hold {shape.holds}")
    return body


def shape_of(folder: str) -> Shape:
    """Returns the shape of the documents of a folder.

    Args:
        folder: path of the folder in the store.

    Raises:
        KeyError: the store has no documents in such a folder.
    """
    return SHAPES[folder.partition("/")[0]]


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not a number in JSON")


# -- parts of shapes -----------------------------------------------------------------------------


def _text(value: Any) -> bool:
    return isinstance(value, str)


def _truth(value: Any) -> bool:
    return isinstance(value, bool)


def _whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**63


def _number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _record(**fields: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Returns the check of an object with exactly these fields."""

    def fits(value: Any) -> bool:
        return (
            isinstance(value, dict)
            and value.keys() == fields.keys()
            and all(check(value[name]) for name, check in fields.items())
        )

    return fits


def _mapping(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Returns the check of an object whose values all pass a check."""
    return lambda value: isinstance(value, dict) and all(map(check, value.values()))


def _list(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(check, value))


def _splits(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return _record(train=check, test=check)


def _is_optional(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: value is None or check(value)


def _some(check: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """Returns a check that also refuses an empty list or object."""
    return lambda value: check(value) and bool(value)


def _is_rate(value: Any) -> bool:
    """Returns whether a value is (jobs, seconds, multiply-adds), with which hours are computed."""
    return (
        isinstance(value, list)
        and len(value) == 3
        and _whole(value[0])
        and value[0] > 0
        and all(_number(number) and number >= 0 for number in value[1:])
        and (value[1] > 0 or not value[2])
    )


def _is_memory(value: Any) -> bool:
    return _record(peak_bytes=_whole, total_bytes=_whole)(value) and value["peak_bytes"] > 0


def _is_holder(value: Any) -> bool:
    """Returns whether a value identifies a driver (`tuning.drivers.driver.Holder`)."""
    if not isinstance(value, dict):
        return False
    texts = [value.get("driver"), value.get("host"), value.get("place", "")]
    return (
        all(map(_text, texts))
        and NAME.fullmatch(value["driver"]) is not None
        and _whole(value.get("pid"))
        and value["pid"] < 2**31
        and _is_optional(_text)(value.get("started"))
    )


def _is_proposal(value: Any) -> bool:
    return isinstance(value, dict) and all(
        isinstance(part, (bool, str)) or _number(part) for part in value.values()
    )


def _is_spec(value: Any) -> bool:
    return isinstance(value, dict) and _text(value.get("spec"))


_LAUNCH = _record(
    commit=_is_optional(_text), packages=_mapping(_text), data=_mapping(_text), python=_text,
    date=_text,
)  # fmt: skip
_START = _record(date=_text, commit=_is_optional(_text), machine=_text, changed=_mapping(_text))
_STATUS = _record(
    date=_text, started=_text,
    stages=_list(_record(
        stage=_text, done=_whole, jobs=_whole, per_minute=_number, seconds_left=_number,
        is_estimate=_truth,
    )),
    running=_list(_record(job=_text, done=_number, total=_number, unit=_text)),
    searches=_list(_record(search=_text, best=_number, trials=_whole, tried=_whole)),
    failures=_list(_record(job=_text, stage=_text, key=_text, cause=_text, then=_text)),
    n_failures=_whole, gpus=_is_optional(_list(_number)), seconds_left=_number, is_estimate=_truth,
)  # fmt: skip
_FACTS = _record(
    name=_text, digests=_splits(_text), n_distinct=_splits(_whole), n_shared=_whole,
    remarks=_list(_text),
)  # fmt: skip
_HOLDER = Shape("the identity of a driver", _is_holder, is_of_drivers=True)

SHAPES: Mapping[str, Shape] = {
    "studies": Shape(
        "the settings of a study", _is_spec,
        "run the study again with its settings, which writes the file; its results are kept",
    ),
    "launches": Shape("a list of launches", _some(_list(_LAUNCH))),
    "history": Shape("the starts of launches", _some(_list(_START))),
    "status": Shape("the status of a launch", _STATUS),
    "own-studies": Shape("the file of a study", _record(file=_text)),
    "ledger": Shape("the proposals of a round", _record(proposals=_list(_is_proposal))),
    "code": Shape("digests by definition", _some(_mapping(_text))),
    "kinds": Shape(
        "a kind, a version and a source", _record(kind=_text, version=_whole, source=_text),
        "restore the file, or remove the file if the source of the class is still the same",
    ),
    "data": Shape(
        "the facts of a data set", _FACTS,
        "restore the file, or remove the file if the data set is still the same",
    ),
    "rates": Shape("rates of jobs", _some(_mapping(_is_rate))),
    "gpu-memory": Shape("a peak and a total in bytes", _is_memory),
    "locks": _HOLDER,
    "leases": _HOLDER,
    "drivers": _HOLDER,
}  # fmt: skip
"""Shapes of documents, by folder of the store."""

_FILE = _record(path=_text, size=_whole, sha256=_text)


def _is_manifest(value: Any) -> bool:
    if not isinstance(value, dict):
        return False
    known = {"code": None} | value  # results of version 0.2 and older name no code
    return _record(
        stage=_text, key=_text, spec=_is_object, result=_is_object, cost=_is_object,
        files=_mapping(_is_file), code=_is_optional(_mapping(_list(_is_optional(_text)))),
        digest=_text,
    )(known)  # fmt: skip


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _is_file(value: Any) -> bool:
    return _FILE(value) and all(NAME.fullmatch(part) for part in value["path"].split("/"))


MANIFEST = Shape("the record of a finished job", _is_manifest)
"""The shape of an object's manifest (`tuning.store.store`)."""
