"""Checks that a class of specs is a frozen, keyword-only dataclass without abstract methods.

``@dataclass`` acts after ``__init_subclass__``. A dataclass that is not frozen is refused when the
decorator is applied. A class without the decorator, or without a method, is refused when its first
spec is created: until then the class may be unfinished, or a base of other classes.
"""

import dataclasses
import sys
from abc import ABCMeta
from functools import cache
from typing import Any

from scorelib.errors import InputError

_PARAMS = "__dataclass_params__"
"""The attribute in which ``@dataclass`` keeps its arguments; its first act is to set it."""


class SpecType(ABCMeta):
    """The type of spec classes, which refuses a dataclass that is not frozen.

    Python refuses such a class too, but names neither the class nor its file.
    """

    def __setattr__(cls, name: str, value: Any) -> None:
        if name == _PARAMS and not value.frozen:
            raise InputError(_not_a_frozen_dataclass(cls, "is not frozen"))
        super().__setattr__(name, value)


@cache
def require_usable(cls: type) -> None:
    """Raises InputError, with the class and its file, if no spec of a class can be created.

    The fields of a class without the decorator would be left out of keys and of JSON.

    Args:
        cls: subclass of `scorelib.spec.Spec`.

    Raises:
        InputError: the class is not a frozen, keyword-only dataclass, or lacks a method.
    """
    if _PARAMS not in cls.__dict__:
        raise InputError(_not_a_frozen_dataclass(cls, "has no such decorator"))
    if not all(field.kw_only for field in dataclasses.fields(cls)):
        raise InputError(_not_a_frozen_dataclass(cls, "takes fields without their names"))
    missing = sorted(getattr(cls, "__abstractmethods__", ()))
    if missing:
        raise InputError(
            "a spec class must define the abstract methods of its base classes, but "
            f"{_place(cls)} lacks {', '.join(missing)}"
        )


def _not_a_frozen_dataclass(cls: type, found: str) -> str:
    return (
        f"a spec class must be a frozen, keyword-only dataclass, but {_place(cls)} {found}; "
        "write @dataclass(frozen=True, kw_only=True) above the class"
    )


def _place(cls: type) -> str:
    """Returns a class's name with its file, or with its module if the class has no file."""
    file = getattr(sys.modules.get(cls.__module__), "__file__", None)
    return f"{cls.__qualname__} ({file or cls.__module__})"
