"""Parses modules: their definitions, the names that definitions use, and digests of the syntax."""

import ast
import hashlib
import importlib.util
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from importlib.abc import ExecutionLoader, InspectLoader
from pathlib import Path
from typing import Any

WHOLE = ""
"""The name in a reference to a whole module."""

Reference = tuple[str, str]
"""A module and a name in the module."""

_DIGITS = 16


@dataclass(frozen=True)
class Source:
    """A parsed module.

    Attributes:
        module: dotted name of the module.
        is_package: whether the module is the ``__init__`` of a package.
        definitions: statements by the name that they bind.
        always: statements that bind no name, which take effect on every import of the module.
        imports: module and name that each imported name refers to.
    """

    module: str
    is_package: bool
    definitions: dict[str, list[ast.stmt]] = field(default_factory=dict)
    always: list[ast.stmt] = field(default_factory=list)
    imports: dict[str, list[Reference]] = field(default_factory=dict)
    _known: dict[str, tuple[str, list[Reference]]] = field(default_factory=dict)

    def definition(self, name: str) -> tuple[str, list[Reference]]:
        """Returns the digest and the references of a definition; those of `always` for ""."""
        if name not in self._known:
            statements = self.definitions[name] if name else self.always
            uses = _Uses(self)
            for statement in statements:
                uses.visit(statement)
            self._known[name] = digest_of(_plain(statements)), list(uses.found)
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

    def imported(self, node: ast.Import | ast.ImportFrom) -> Iterator[tuple[str, Reference]]:
        """Yields what an import binds: a name of this module and what the name refers to."""
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.asname or alias.name.partition(".")[0], (alias.name, WHOLE)
            return
        origin = node.module or ""
        if node.level:
            parts = self.module.split(".")
            kept = parts[: len(parts) - node.level + self.is_package]
            origin = ".".join([*kept, *([origin] if origin else [])])
        for alias in node.names:
            name = WHOLE if alias.name == "*" else alias.name
            yield alias.asname or alias.name, (origin, name)


class _Uses(ast.NodeVisitor):
    """Collects what a definition refers to, except in annotations and type tests.

    Args:
        source: module of the definition.
    """

    def __init__(self, source: Source) -> None:
        self.found: dict[Reference, None] = {}
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


def digest_of(value: Any) -> str:
    """Returns a digest of nested lists of plain values, as 16 hexadecimal digits."""
    return hashlib.sha256(repr(value).encode(errors="surrogatepass")).hexdigest()[:_DIGITS]


def source_of(module: str) -> Source | None:
    """Returns a parsed module; None if the module has no file with source code."""
    text = _text_of(module)
    if text is not None:
        return _parsed_text(module, text)
    path = file_of(module)
    try:
        if path is not None:
            stat = path.stat()
            return _parsed(module, path, stat.st_mtime_ns, stat.st_size)
    except (OSError, SyntaxError, ValueError):
        pass
    return None


@lru_cache(maxsize=1000)
def _parsed(module: str, path: Path, changed: int, size: int) -> Source:
    return _source(module, path.read_bytes(), is_package=path.name == "__init__.py")


@lru_cache(maxsize=100)
def _parsed_text(module: str, text: str) -> Source:
    return _source(module, text, is_package=False)


def _source(module: str, text: str | bytes, *, is_package: bool) -> Source:
    source = Source(module, is_package)
    for statement in ast.parse(text).body:
        source.add(statement)
    return source


def _text_of(module: str) -> str | None:
    """Returns the text of a module that was imported from text; None for any other module.

    A user's file travels to workers as text, and its file may have changed or be absent there.
    """
    loader = getattr(getattr(sys.modules.get(module), "__spec__", None), "loader", None)
    is_text = isinstance(loader, InspectLoader) and not isinstance(loader, ExecutionLoader)
    return loader.get_source(module) if is_text and loader is not None else None


def file_of(module: str) -> Path | None:
    """Returns the Python file of a module, imported or not; None if there is no such file."""
    known = sys.modules.get(module)
    try:
        spec = None if known else importlib.util.find_spec(module)
    except (ImportError, AttributeError, ValueError):
        return None
    origin = getattr(known, "__file__", None) or (spec.origin if spec else None)
    return Path(origin) if origin and origin.endswith(".py") else None
