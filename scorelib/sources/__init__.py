"""Digests of the source code of spec classes, by definition.

A *definition* is a statement at the top level of a module that binds a name: a class, a function or
a constant. The source of a class consists of its own definition and of all definitions that it
uses, directly or through others. Therefore a change of a definition that a class does not use, in
the same module or elsewhere, leaves the digests of the class as they are. Comments, the layout and
docstrings are no part of a digest. A name that is used only in an annotation, or as the class in a
type test, computes nothing and is no part of a digest either.

Definitions are followed into these modules:

- from a class of this distribution: into ``scorelib`` and ``tuning.stages``, which compute all
  numbers, except the modules that only check, name or draw (`_WITHOUT_NUMBERS` in `digests`);
- from any other class: also into its own package, and into all modules except Python's own and
  those of installed packages. A package that is installed in place ("editable") counts as a
  user's own.

What a class reads from files, and modules that it imports by a computed name, are no part. A module
is read as a file and not executed. Digests are equal on all machines and versions of
Python, because they are made of the names and values in the syntax tree, without positions.
"""

from scorelib.sources.digests import definitions, own_source, source_file

__all__ = ["definitions", "own_source", "source_file"]
