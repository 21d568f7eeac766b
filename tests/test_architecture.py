"""Rules of the house: layers import downwards only, modules and functions stay small."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
LAYERS = ["scorelib", "tuning", "studies", "dashboards"]
"""From the bottom up."""

COMPOSITION_ROOTS = {"studies/run.py"}
"""Entry points that put the layers together: they alone may import upwards."""

FORBIDDEN = {"scorelib": {"ray", "optuna", "mlflow", "typer"}, "dashboards": {"ray"}}
MODULES = sorted(p for layer in LAYERS for p in (ROOT / layer).rglob("*.py"))


def imported(path):
    """Top-level names of all imports in a module, lazy ones too."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.split(".")[0]


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_imports_point_down(path):
    name = str(path.relative_to(ROOT))
    layer = name.split("/")[0]
    above = set(LAYERS[LAYERS.index(layer) + 1 :])
    found = set(imported(path))
    if name not in COMPOSITION_ROOTS:
        assert not found & above, f"{name} imports upwards: {found & above}"
    assert not found & FORBIDDEN.get(layer, set())


def test_ray_is_imported_in_one_place_only():
    using = {str(p.relative_to(ROOT)) for p in MODULES if "ray" in set(imported(p))}
    assert using == {"tuning/ray_import.py"}


def test_pickle_and_unsafe_loading_are_nowhere():
    for path in MODULES:
        tree = ast.parse(path.read_text())
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and ast.unparse(node.func) in ("pickle.loads", "eval"):
                pytest.fail(f"{path} calls {ast.unparse(node.func)}")
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "torch.load":
                options = {k.arg: ast.unparse(k.value) for k in node.keywords}
                assert options.get("weights_only") == "True", path


@pytest.mark.parametrize("path", MODULES, ids=lambda p: str(p.relative_to(ROOT)))
def test_modules_and_functions_stay_readable(path):
    text = path.read_text()
    assert text.count("\n") <= 500
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
            length = node.end_lineno - node.lineno + 1
            assert length <= 80, f"{path.name}:{node.lineno} {node.name} has {length} lines"
