"""The functions of a module with a study, and studies in modules of the user's own.

The least that a user's module holds is one function:

    def study() -> Study:
        return Study(cells=(Cell(row="mine", column="distance", sample=..., protocol=...),))

Further parts are optional. ``study(settings)`` and ``study(scale, settings)`` take settings, which
are specs that derive from `studies.common.execution_settings.StudySettings`. ``SCALES`` maps names
of scales to functions that return settings; without ``SCALES`` the functions ``demo`` and ``paper``
count, and without these there is the scale "demo" with plain settings. ``KIND`` tells the study
from other people's studies in files of the same name on one store; the default is the module's
name.
"""

import contextlib
import dataclasses
import inspect
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from scorelib.errors import InputError
from scorelib.limits import MOST_LISTED
from studies.common.execution_settings import StudySettings
from tuning.own_modules import error_of, own_modules
from tuning.study import NoSettings, Study, full_name
from tuning.study_size import require_listable


@dataclass(frozen=True)
class StudyDefinition:
    """The functions that a study module offers.

    Attributes:
        name: name of the study.
        scales: functions that return the study's settings, by scale.
        build: function that returns the study for a scale and settings.
        kind: name that tells a user's study from other studies of its name; "" for the project's.
        module: name of the user's module; "" for the project's.
    """

    name: str
    scales: Mapping[str, Callable[[], Any]]
    build: Callable[[str, Any], Study]
    kind: str = ""
    module: str = ""

    def settings(self, scale: str) -> Any:
        """Returns the study's default settings at a scale.

        Args:
            scale: a key of `scales`.

        Raises:
            InputError: the scale is unknown.
        """
        if not isinstance(scale, str) or scale not in self.scales:
            known = ", ".join(self.scales)
            raise InputError(f"the scale must be one of {known}, but got {scale!r}", "scale")
        return self.scales[scale]()

    def study(self, scale: str, settings: Any) -> Study:
        """Returns the study for a scale and settings.

        Raises:
            InputError: the settings do not fit together, a list is too long, the study has too
                many jobs, or a user's function fails.
        """
        _require_short_lists(settings)
        built = self.build(scale, settings)
        require_listable(built)
        asked = settings.projections
        shown = {name: of for name in ("nearest", "frames") if (of := getattr(asked, name))}
        if not shown:
            return built
        cells = tuple(dataclasses.replace(cell, **shown) for cell in built.cells)
        return dataclasses.replace(built, cells=cells)

    def id(self, scale: str) -> str:
        """Returns the id of the study at a scale, as `Study.id`."""
        return f"{full_name(self.name, self.kind)}-{scale}"


def _require_short_lists(settings: Any) -> None:
    """Raises InputError if a list of a study's settings is too long; each value makes cells."""
    for part in settings.parts():
        for field in dataclasses.fields(part):
            value = getattr(part, field.name)
            is_list = type(part).__module__.startswith("studies.") and isinstance(value, tuple)
            if is_list and len(value) > MOST_LISTED:
                raise InputError(
                    f"{field.name} must have at most {MOST_LISTED:,} values, but has "
                    f"{len(value):,}",
                    field.name,
                )


def own_studies() -> list[StudyDefinition]:
    """Returns the studies in the user's modules that this process has imported."""
    modules = [sys.modules[own.name] for own in own_modules()]
    return [own_study(module) for module in modules if callable(getattr(module, "study", None))]


def own_study(module: ModuleType) -> StudyDefinition:
    """Returns the definition of the study in a module of the user's own.

    Args:
        module: the module, imported by `tuning.own_modules.import_own`.

    Raises:
        InputError: the module has no function ``study``, or scales that are no functions.
    """
    file = str(module.__file__)
    function = getattr(module, "study", None)
    if not callable(function):
        raise InputError(
            f"a module with a study must have a function study() that returns a Study, but {file} "
            "has no function study"
        )
    given = getattr(module, "SCALES", None)
    scales = given or {n: getattr(module, n) for n in ("demo", "paper") if hasattr(module, n)}
    scales = scales or {"demo": StudySettings}
    if not isinstance(scales, Mapping) or not all(
        callable(make) and isinstance(scale, str) and scale.isidentifier()
        for scale, make in scales.items()
    ):
        raise InputError(
            f"SCALES of {file} must map names, such as 'small', to functions, but got {scales!r}"
        )
    name = module.__name__.rpartition(".")[2]
    kind = str(getattr(module, "KIND", module.__name__))
    return StudyDefinition(
        name,
        {scale: _settings_of(make, file) for scale, make in scales.items()},
        _builder(function, file, name, kind),
        kind,
        module.__name__,
    )


def _settings_of(make: Callable[[], Any], file: str) -> Callable[[], Any]:
    """Returns a function that returns a scale's settings and refuses values of other classes."""

    def settings() -> Any:
        with error_of(file, "a scale must return settings"):
            made = make()
        if not isinstance(made, StudySettings):
            raise InputError(
                f"the settings of a study must be a StudySettings, but a scale of {file} returns "
                f"{type(made).__name__}: derive the class from StudySettings"
            )
        return made

    return settings


def _number_of_arguments(function: Callable[..., Any], place: str) -> int:
    """Returns how many of scale and settings a user's function ``study`` takes: 0, 1 or 2.

    Raises:
        InputError: the function takes neither none, one nor two arguments.
    """
    for n in (2, 1, 0):
        with contextlib.suppress(TypeError, ValueError):  # ValueError: a class that is built in
            inspect.signature(function).bind(*range(n))
            return n
    raise InputError(
        "a function study must be study(), study(settings) or study(scale, settings), but the "
        f"function at {place} takes other arguments"
    )


def _builder(
    function: Callable[..., Any], file: str, name: str, kind: str
) -> Callable[[str, Any], Study]:
    """Returns a function of scale and settings that returns the user's study, completed."""
    code = getattr(function, "__code__", None)  # none of a class or a partial function
    place = file if code is None else f"{file}:{code.co_firstlineno}"
    n_arguments = _number_of_arguments(function, place)

    def build(scale: str, settings: Any) -> Study:
        arguments = (scale, settings)[2 - n_arguments :] if n_arguments else ()
        with error_of(file, "study() must not fail"):
            made = function(*arguments)
        if not isinstance(made, Study):
            raise InputError(
                f"study() must return a tuning.study.Study, but the function at {place} returned "
                f"{type(made).__name__}"
            )
        if not (made.cells or made.searches or made.snapshots or made.baselines or made.curves):
            raise InputError(
                f"a study must have at least one cell, but the function at {place} returned a "
                f"study without any: check the settings"
            )
        own = settings if isinstance(made.settings, NoSettings) else made.settings
        return dataclasses.replace(made, name=name, scale=scale, settings=own, kind=kind)

    return build
