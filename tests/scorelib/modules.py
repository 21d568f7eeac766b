"""Helpers that import a module from a file of a test, as another person or a later day would."""

import importlib
import sys


def write(folder, name, text):
    """Writes the text of a module to a folder, which is made; returns the file."""
    folder.mkdir(parents=True, exist_ok=True)
    file = folder / f"{name}.py"
    file.write_text(text)
    return file


def imported(monkeypatch, folder, name):
    """Imports a module from a folder until the end of the test, also if one is imported already."""
    monkeypatch.delitem(sys.modules, name, raising=False)
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    importlib.invalidate_caches()
    module = importlib.import_module(name)
    monkeypatch.setitem(sys.modules, name, module)
    return module
