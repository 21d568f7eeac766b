"""Tests of docstrings: every argument and attribute has a description that is a full sentence."""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
MODULES = sorted(
    path
    for package in ("scorelib", "tuning", "studies", "dashboards")
    for path in (ROOT / package).rglob("*.py")
)
SECTION = re.compile(
    r"^( *)(?:Args|Attributes|Class attributes):\n((?:\1 +.*\n|\n)+)", re.MULTILINE
)
ENTRY = re.compile(r"^(\w[\w, *]*): (.*(?:\n .*)*)", re.MULTILINE)


def entries(node):
    """Yields (names, description) of all entries in the sections of a docstring."""
    for _, body in SECTION.findall(f"{ast.get_docstring(node) or ''}\n"):
        width = len(body) - len(body.lstrip(" "))
        yield from ENTRY.findall("\n".join(line[width:] for line in body.splitlines()))


@functools.cache
def documented():
    """Returns (module, class or function, entries of its docstring) of the whole distribution."""
    return [
        (path.relative_to(ROOT), node, list(entries(node)))
        for path in MODULES
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef))
    ]


def names_in(found):
    return {name.strip() for names, _ in found for name in names.split(",")}


def test_what_is_said_of_an_attribute_ends_before_the_next():
    unended = [
        f"{path}, {node.name}, {names}: {said!r} ends without a full stop"
        for path, node, found in documented()
        for names, said in found
        if not said.endswith(".")
    ]
    assert not unended, "\n".join(unended)


def test_a_class_that_describes_fields_describes_all_of_its_own():
    classes = [of for of in documented() if isinstance(of[1], ast.ClassDef)]
    described_by = {node.name: names_in(found) for _, node, found in classes}
    silent = []
    for path, node, found in classes:
        if not found or not any("dataclass" in ast.unparse(d) for d in node.decorator_list):
            continue
        described = names_in(found)
        for base in node.bases:  # a new default for a field that a base class describes
            described |= described_by.get(ast.unparse(base), set())
        own = {
            field.target.id
            for field in node.body
            if isinstance(field, ast.AnnAssign) and "ClassVar" not in ast.unparse(field)
        }
        left = {name for name in own - described if not name.startswith("_")}
        silent += [f"{path}: {node.name} says nothing of {sorted(left)}"] if left else []
    assert not silent, "\n".join(silent)


def test_the_sections_are_found():
    text = "Head.\\n\\n    Args:\\n        a: one\\n            more.\\n        b, c: two\\n    "
    (function,) = ast.parse(f"def f():\n    '''{text}'''").body
    assert list(entries(function)) == [("a", "one\n    more."), ("b, c", "two")]
    assert sum(len(found) for *_, found in documented()) > 500
