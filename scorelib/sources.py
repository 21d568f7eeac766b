"""Digests of the source code of spec classes, by definition.

A *definition* is a statement at the top level of a module that binds a name: a class, a function or
a constant. The source of a class consists of its own definition and of all definitions that it
uses, directly or through others. Therefore a change of a definition that a class does not use, in
the same module or elsewhere, leaves the digests of the class as they are. Comments, the layout and
docstrings are no part of a digest. Neither is a name used only in an annotation or as the class in
a type test: it computes nothing.

Definitions are followed into these modules:

- from a class of this distribution: into ``scorelib`` and ``tuning.stages``, which compute all
  numbers, except the modules that only check, name or draw (`_WITHOUT_NUMBERS`);
- from any other class: also into its own package, and into the modules in the folder of its
  top-level module, except installed packages.

A module is read as a file and not executed. Digests are equal on all machines and versions of
Python, because they are made of the names and values in the syntax tree, without positions.
"""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

from scorelib.spec import Spec, is_ours

_FOLLOWED = ("scorelib", "tuning.stages")
_WITHOUT_NUMBERS = frozenset(
    {"scorelib.errors", "scorelib.pictures", "scorelib.sources", "scorelib.spec"}
)
_INSTALLED = frozenset({"site-packages", "dist-packages"})
_WHOLE = ""  # in a reference, instead of a name: the whole module
_DIGITS = 16

_Reference = tuple[str, str]  # module, name


@cache
def definitions(cls: type) -> Mapping[str, str]:
    """Returns the digests of the definitions that a class consists of; empty if it has no source.

    Args:
        cls: a spec class. A class made in a function consists of the function.

    Returns:
        16 hexadecimal digits by definition, such as "scorelib.samplers.cas:Cas".
    """
    return _Walk(cls.__module__).definitions(cls.__qualname__.partition(".")[0])


def own_source(cls: type[Spec]) -> str | None:
    """Returns one digest of the definitions of a class that are not part of this distribution.

    Args:
        cls: a spec class.

    Returns:
        16 hexadecimal digits; None for a class of this distribution and for a class whose source
        cannot be found, such as a class typed into an interpreter.
    """
    if is_ours(cls.__module__):
        return None
    # Without names: the module of a script is called "__main__" in one process only.
    own = sorted(digest for name, digest in definitions(cls).items() if not is_ours(name))
    return _digest(own) if own else None


def source_file(cls: type[Spec]) -> str | None:
    """Returns the path of the file that defines a class; None if there is no such file."""
    path = _file_of(cls.__module__)
    return str(path) if path else None


class _Walk:
    """Collects the digests of a definition and of all definitions that it uses.

    Args:
        home: module of the first definition.
    """

    def __init__(self, home: str) -> None:
        self._home, self._root = home, _root_of(home)
        self._found: dict[str, str] = {}
        self._waiting: list[_Reference] = []

    def definitions(self, name: str) -> dict[str, str]:
        """Returns the digests by definition, starting from a name in the home module."""
        self._waiting.append((self._home, name))
        while self._waiting:
            module, name = self._waiting.pop()
            source = _source_of(module) if self._is_counted(module) else None
            if source is None:
                continue
            if name in source.definitions:
                self._add(source, name, _WHOLE)
            elif name in source.imports:
                self._waiting += source.imports[name]
            elif name != _WHOLE and _file_of(f"{module}.{name}"):  # from package import module
                self._waiting.append((f"{module}.{name}", _WHOLE))
            else:  # the whole module, or a name that is bound in a way that cannot be seen
                self._add(source, _WHOLE, *source.definitions)
        return dict(sorted(self._found.items()))

    def _add(self, source: "_Source", *names: str) -> None:
        for name in names:
            key = f"{source.module}:{name}"
            if key not in self._found and (name in source.definitions or source.always):
                self._found[key], uses = source.definition(name)
                self._waiting += uses

    def _is_counted(self, module: str) -> bool:
        if module in _WITHOUT_NUMBERS:
            return False
        if module == self._home or any(f"{module}.".startswith(f"{p}.") for p in _FOLLOWED):
            return True
        if is_ours(module) or is_ours(self._home):
            return False
        if module.partition(".")[0] == self._home.partition(".")[0]:
            return True
        path = _file_of(module)
        if path is None or self._root is None or not path.is_relative_to(self._root):
            return False
        return not _INSTALLED & {self._root.name, *path.relative_to(self._root).parts}


@dataclass(frozen=True)
class _Source:
    """A parsed module.

    Attributes:
        module: dotted name of the module.
        is_package: whether the module is the ``__init__`` of a package.
        definitions: statements by the name that they bind.
        always: other statements, which take effect whatever is used.
        imports: what an imported name refers to.
    """

    module: str
    is_package: bool
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    always: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, list[_Reference]] = field(default_factory=dict)
    _known: dict[str, tuple[str, list[_Reference]]] = field(default_factory=dict)

    def definition(self, name: str) -> tuple[str, list[_Reference]]:
        """Returns the digest of a definition and what it refers to; of `always` for no name."""
        if name not in self._known:
            statements = self.definitions[name] if name else self.always
            uses = _Uses(self)
            for statement in statements:
                uses.visit(statement)
            self._known[name] = _digest(_plain(statements)), list(uses.found)
        return self._known[name]

    def add(self, statement: ast.stmt) -> None:
        """Sorts a statement of the module's top level by what it binds."""
        if isinstance(statement, ast.Import | ast.ImportFrom):
            for name, reference in self.imported(statement):
                self.imports.setdefault(name, []).append(reference)
        elif names := _bound(statement):
            for name in names:
                self.definitions.setdefault(name, []).append(statement)
        elif not _is_text(statement) and not _is_for_type_checks(statement):
            self.always.append(statement)
            for node in ast.walk(statement):
                if isinstance(node, ast.Import | ast.ImportFrom):
                    self.add(node)

    def imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, _Reference]]:
        """Yields what an import binds: a name of this module and what the name refers to."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], (alias.name, _WHOLE)
            return
        origin = node.module or ""
        if node.level:
            parts = self.module.split(".")
            kept = parts[: len(parts) - node.level + self.is_package]
            origin = ".".join([*kept, *([origin] if origin else [])])
        for alias in node.names:
            name = _WHOLE if alias.name == "*" else alias.name
            yield alias.asname or alias.name, (origin, name)


class _Uses(ast.NodeVisitor):
    """Collects what a definition refers to, except in annotations and type tests.

    Args:
        source: module of the definition.
    """

    def __init__(self, source: _Source) -> None:
        self.found: dict[_Reference, None] = {}
        self._source = source

    def visit_Name(self, node: ast.Name) -> None:
        if node.id in self._source.definitions or node.id in self._source.imports:
            self.found[self._source.module, node.id] = None
        else:
            self.found.update(dict.fromkeys(self._source.imports.get("*", ())))

    def visit_Import(self, node: ast.Import | ast.ImportFrom) -> None:
        self.found.update({reference: None for _, reference in self._source.imported(node)})

    visit_ImportFrom = visit_Import

    def visit_arg(self, node: ast.arg) -> None:
        """Skips the annotation of a parameter."""

    def visit_FunctionDef(self, node: ast.FunctionDef | ast.AsyncFunctionDef) -> None:
        for part in (*node.decorator_list, node.args, *node.body):
            self.visit(part)

    visit_AsyncFunctionDef = visit_FunctionDef

    def visit_AnnAssign(self, node: ast.AnnAssign) -> None:
        if node.value is not None:
            self.visit(node.value)

    def visit_Call(self, node: ast.Call) -> None:
        if isinstance(node.func, ast.Name) and node.func.id in ("isinstance", "issubclass"):
            self.visit(node.args[0])
        else:
            self.generic_visit(node)

    def visit_MatchClass(self, node: ast.MatchClass) -> None:
        for pattern in (*node.patterns, *node.kwd_patterns):
            self.visit(pattern)


def _bound(statement: ast.stmt) -> list[str]:
    """Returns the names that a definition binds; empty if the statement is no definition."""
    if isinstance(statement, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
        return [statement.name]
    if isinstance(statement, ast.Assign):
        targets = statement.targets
    elif isinstance(statement, ast.AnnAssign | ast.AugAssign):
        targets = [statement.target]
    else:
        return []
    nodes = [node for target in targets for node in ast.walk(target)]
    if any(isinstance(node, ast.Attribute | ast.Subscript) for node in nodes):
        return []  # changes an object that is defined elsewhere
    return [node.id for node in nodes if isinstance(node, ast.Name)]


def _is_text(node: object) -> bool:
    """Returns whether a node is a docstring, or a text in its manner after an assignment."""
    if not isinstance(node, ast.Expr) or not isinstance(node.value, ast.Constant):
        return False
    return isinstance(node.value.value, str)


def _is_for_type_checks(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and "TYPE_CHECKING" in ast.unparse(statement.test)


def _plain(value: Any) -> Any:
    """Returns a syntax tree as nested lists, without positions, docstrings and empty fields."""
    if isinstance(value, ast.AST):
        fields = [(name, _plain(part)) for name, part in ast.iter_fields(value)]
        return [type(value).__name__, *(pair for pair in fields if pair[1] not in (None, []))]
    if isinstance(value, list):
        return [_plain(item) for item in value if not _is_text(item)]
    return value


def _digest(value: Any) -> str:
    return hashlib.sha256(repr(value).encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def _source_of(module: str) -> _Source | None:
    """Returns a parsed module; None if the module has no file with source code."""
    path = _file_of(module)
    try:
        if path is not None:
            stat = path.stat()
            return _parsed(module, path, stat.st_mtime_ns, stat.st_size)
    except (OSError, SyntaxError, ValueError):
        pass
    return None


@lru_cache(maxsize=1000)
def _parsed(module: str, path: Path, changed: int, size: int) -> _Source:
    source = _Source(module, path.name == "__init__.py")
    for statement in ast.parse(path.read_bytes()).body:
        source.add(statement)
    return source


def _file_of(module: str) -> Path | None:
    known = sys.modules.get(module)
    try:
        spec = None if known else importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = getattr(known, "__file__", None) or (spec.origin if spec else None)
    return Path(origin) if origin and origin.endswith(".py") else None


def _root_of(module: str) -> Path | None:
    """Returns the folder that holds the top-level package or module of a module."""
    path = _file_of(module)
    if path is None:
        return None
    return path.parents[module.count(".") + (path.name == "__init__.py")]
