"""Helpers that let an edited copy of a module's file be the source of the module."""

import functools

from scorelib.sources import digests, modules
from tests.scorelib.modules import write
from tuning.store import sources as of_store


def edited(monkeypatch, folder, name, old, new):
    """Lets an edited copy of a module's file be the source of the module until the test's end.

    The process starts anew as far as sources are concerned: digests are computed again.
    """
    file_of = modules.file_of
    text = file_of(name).read_text()
    assert text.count(old) == 1
    copy = write(folder, name.replace(".", "_"), text.replace(old, new))
    monkeypatch.setattr(modules, "file_of", lambda m: copy if m == name else file_of(m))
    forget(monkeypatch)


def forget(monkeypatch):
    """Forgets the digests that this process knows, until the end of the test."""
    fresh = functools.cache(digests.definitions.__wrapped__)
    monkeypatch.setattr(digests, "definitions", fresh)
    monkeypatch.setattr(of_store, "definitions", fresh)
    monkeypatch.setattr(of_store, "_code_of", functools.cache(of_store._code_of.__wrapped__))
    monkeypatch.setattr(of_store, "_written", set())
