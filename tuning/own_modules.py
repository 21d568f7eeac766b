"""Modules of the user's own: imported by the driver, by every worker and by the dashboards.

A module is given as a file or by its dotted name. The text of a file travels to the workers, so
they run what the driver has read, even if the file is edited during the run or lies on another
machine. A package is imported by name on each worker; on a cluster it travels with the code.
"""

import ast
import contextlib
import importlib
import importlib.abc
import importlib.util
import sys
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import CodeType, ModuleType

from scorelib.errors import InputError
from scorelib.spec import Spec
from scorelib.unicode_forms import other_form
from tuning.addresses import local_path

_LOADED: dict[str, "OwnModule"] = {}


@dataclass(frozen=True)
class OwnModule:
    """A module of the user's own, as it travels to a worker.

    Attributes:
        name: the name that the module is imported by.
        file: the file that the module came from.
        source: text of the file; None for a module of a package.
        folder: folder that is searched for further modules: that of the file, or the parent of the
            package.
    """

    name: str
    file: str
    source: str | None
    folder: str

    @property
    def package(self) -> Path | None:
        """The folder of the top-level package; None for a file."""
        top = self.name.partition(".")[0]
        return None if self.source is not None else Path(self.folder) / top


def own_modules() -> tuple[OwnModule, ...]:
    """Returns the user's modules that this process has imported, in the order of their import."""
    return tuple(_LOADED.values())


def import_own(given: str) -> ModuleType:
    """Imports a module of the user's own.

    Args:
        given: path of a file that ends in ".py", or a dotted module name.

    Raises:
        InputError: there is no such module, its name is taken by another module, or it cannot be
            imported; the message names file and line.
    """
    module = _of_file(local_path(given)) if given.endswith(".py") else _of_name(given)
    return _imported(module)


def import_all(modules: Sequence[OwnModule]) -> None:
    """Imports modules that another process has imported; see `import_own`."""
    for module in modules:
        _imported(module)


def adopt(names: Iterable[str]) -> None:
    """Registers modules that the user's process has imported already, to be sent to the workers.

    Args:
        names: dotted names of imported modules that are not part of this distribution.

    Raises:
        InputError: a name is that of a script or a notebook, which workers cannot import.
    """
    for name in dict.fromkeys(names):
        if name in _LOADED:
            continue
        if name == "__main__":
            raise InputError(
                "the classes of a study must be in files that workers can import, but a class is "
                "in a script or a notebook (__main__): put the class in a file"
            )
        file = getattr(sys.modules.get(name), "__file__", None)
        if file is not None:
            found = _of_name(name)
            _LOADED[name] = found


def _of_file(path: Path) -> OwnModule:
    try:
        source = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        why = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise InputError(
            f"a module must be a readable file, but {path}: {why}{other_form(path)}"
        ) from error
    name = path.stem
    if not name.isidentifier():
        raise InputError(
            f"a module's file must be named like a Python variable, but got {path.name!r}: rename "
            f"the file"
        )
    return OwnModule(name, str(path.resolve()), source, str(path.resolve().parent))


def _of_name(name: str) -> OwnModule:
    spec = None
    if all(part.isidentifier() for part in name.split(".")):
        with error_of(name):
            spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None or not spec.has_location:  # a folder, or built in
        raise InputError(
            f"a module must be a file FILE.py or an importable name, but got {name!r}: give the "
            "file's path, or install the package"
        )
    origin = Path(spec.origin).resolve()
    if "." not in name and spec.submodule_search_locations is None:
        return _of_file(origin)
    above = len(name.split(".")) - (0 if origin.name == "__init__.py" else 1)
    return OwnModule(name, str(origin), None, str(origin.parents[above]))


def _imported(module: OwnModule) -> ModuleType:
    """Returns the module, imported now unless the same module was imported before."""
    known = _LOADED.get(module.name)
    if known == module:
        return sys.modules[module.name]
    if known is not None and known.file != module.file:
        raise InputError(
            f"two modules must not have one name, but {known.file} and {module.file} are both "
            f"{module.name!r}: rename one of the files"
        )
    if module.folder not in sys.path:
        sys.path.append(module.folder)
    if module.source is None:
        with error_of(module.name):
            imported = importlib.import_module(module.name)
    else:
        imported = _executed(module, module.source)
    _LOADED[module.name] = module
    return imported


def _require_single_classes(module: ModuleType, source: str) -> None:
    """Raises InputError if a file defines two classes of specs of one name, thus of one kind.

    The second class hides the first, whose specs may be in use under the same keys.
    """
    places: dict[str, int] = {}
    for node in ast.parse(source).body:
        if not isinstance(node, ast.ClassDef):
            continue
        made = getattr(module, node.name, None)
        if node.name in places and isinstance(made, type) and issubclass(made, Spec):
            raise InputError(
                f"spec classes must have different kinds, but lines {places[node.name]} and "
                f"{node.lineno} of {module.__file__} both define {node.name}: rename one of them"
            )
        places[node.name] = node.lineno


def _executed(module: OwnModule, source: str) -> ModuleType:
    """Returns a new module made of the text of a file, registered under its name."""
    _require_free(module)
    loader = _TextLoader(source, module.file)
    spec = importlib.util.spec_from_loader(module.name, loader, origin=module.file)
    assert spec is not None
    made = importlib.util.module_from_spec(spec)
    made.__file__ = module.file
    sys.modules[module.name] = made
    try:
        with error_of(module.file):
            loader.exec_module(made)
        _require_single_classes(made, source)
    except BaseException:
        del sys.modules[module.name]
        raise
    return made


def _require_free(module: OwnModule) -> None:
    """Raises InputError if another module has the name of a file."""
    found = sys.modules.get(module.name)
    taken = getattr(found, "__file__", None) or ("built in" if found else None)
    if taken is None:
        with contextlib.suppress(ImportError, ValueError):
            spec = importlib.util.find_spec(module.name)
            taken = spec.origin if spec else None
    if taken is not None and Path(taken).resolve() != Path(module.file):
        raise InputError(
            f"the name of a module must be free, but {module.name!r} is also {taken}: rename "
            f"{module.file}"
        )


class _TextLoader(importlib.abc.InspectLoader):
    """A loader of one module from its text; gives tracebacks and `inspect` the text, too."""

    def __init__(self, source: str, file: str) -> None:
        self._source, self._file = source, file

    def get_source(self, fullname: str) -> str:
        return self._source

    def get_code(self, fullname: str) -> CodeType:
        return compile(self._source, self._file, "exec", dont_inherit=True)


@contextlib.contextmanager
def error_of(what: str, rule: str = "a module must be importable") -> Iterator[None]:
    """Turns errors of a user's code into an InputError with file and line; prints go to stderr.

    Args:
        what: the user's file or module.
        rule: what must hold, for the message.

    Raises:
        InputError: the code raised an exception.
    """
    try:
        with contextlib.redirect_stdout(sys.stderr):
            yield
    except InputError as error:
        raise InputError(f"{_line_of(error, what)}: {error}", *error.fields) from error
    except SyntaxError as error:
        raise InputError(
            f"a module must be valid Python, but {error.filename}:{error.lineno}: {error.msg}"
        ) from error
    except (Exception, SystemExit) as error:
        raise InputError(f"{rule}, but {_line_of(error, what)}: {_described(error)}") from error


def fault_of_own_code(error: BaseException) -> str | None:
    """Returns file, line and words of an error that code of the user has raised.

    Args:
        error: an exception that has been raised.

    Returns:
        The innermost line of the modules in `own_modules`, with the error; None if the error has
        passed through none of them.
    """
    files = {own.file for own in _LOADED.values()}
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename in files]
    return f"{frames[-1].filename}:{frames[-1].lineno}: {_described(error)}" if frames else None


def _described(error: BaseException) -> str:
    words = " ".join(str(error).split())
    return f"{type(error).__name__}: {words}" if words else type(error).__name__


def _line_of(error: BaseException, what: str) -> str:
    """Returns the user's innermost line in an error's traceback as file:line."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if f.filename == what or what.partition(".")[0] in f.filename]
    own = [f for f in own if f.filename != __file__]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else what
