"""All studies by name. To add one: a module with `settings(scale)` and `study(scale, settings)`."""

import difflib
from importlib import import_module
from typing import Any, Protocol, cast

from scorelib.errors import InputError
from tuning.study import Study

STUDIES = {
    "cifar_sampling_eps": "Table 1: the sampling step size on CIFAR-10",
}


class StudyModule(Protocol):
    """What a study's module offers."""

    def settings(self, scale: str) -> Any:
        """The study's settings at a scale; InputError if there is no such scale."""

    def study(self, scale: str, at: Any) -> Study:
        """The study with given settings."""


def find_study(name: str) -> StudyModule:
    """The module of a study.

    Raises:
        InputError: no study has that name; the nearest is named.
    """
    if name not in STUDIES:
        near = difflib.get_close_matches(name, STUDIES, n=1, cutoff=0.3)
        hint = f"; the nearest is {near[0]!r}" if near else ""
        raise InputError(f"NAME must be one of {', '.join(STUDIES)}; got {name!r}{hint}")
    return cast(StudyModule, import_module(f"studies.{name}"))
