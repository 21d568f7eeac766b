"""The digests of a class: its definition, and all definitions that it uses."""

import sys
from collections.abc import Mapping
from functools import cache

from scorelib.sources.modules import WHOLE, Reference, Source, digest_of, file_of, source_of
from scorelib.spec import Spec, is_ours

_FOLLOWED = ("scorelib", "tuning.stages")
_WITHOUT_NUMBERS = frozenset({"scorelib.errors", "scorelib.pictures", "scorelib.spec"})
_INSTALLED = frozenset({"site-packages", "dist-packages"})


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
    return digest_of(own) if own else None


def source_file(cls: type[Spec]) -> str | None:
    """Returns the path of the file that defines a class; None if there is no such file."""
    path = file_of(cls.__module__)
    return str(path) if path else None


class _Walk:
    """Collects the digests of a definition and of all definitions that it uses.

    Args:
        home: module of the first definition.
    """

    def __init__(self, home: str) -> None:
        self._home = home
        self._found: dict[str, str] = {}
        self._waiting: list[Reference] = []

    def definitions(self, name: str) -> dict[str, str]:
        """Returns the digests by definition, starting from a name in the home module."""
        self._waiting.append((self._home, name))
        while self._waiting:
            module, name = self._waiting.pop()
            source = source_of(module) if self._is_counted(module) else None
            if source is None:
                continue
            if name in source.definitions:
                self._add(source, name, WHOLE)
            elif name in source.imports:
                self._waiting += source.imports[name]
            elif name != WHOLE and file_of(f"{module}.{name}"):  # from package import module
                self._waiting.append((f"{module}.{name}", WHOLE))
            else:  # the whole module, or a name that is bound in a way that cannot be seen
                self._add(source, WHOLE, *source.definitions)
                for imported in source.imports.values():  # what a package passes on
                    self._waiting += imported
        return dict(sorted(self._found.items()))

    def _add(self, source: Source, *names: str) -> None:
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
        top = module.partition(".")[0]
        if top == self._home.partition(".")[0]:
            return True
        path = file_of(module)
        if path is None or top in sys.stdlib_module_names:
            return False
        return not _INSTALLED & set(path.parts)
