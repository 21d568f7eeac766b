"""Names of the same letters in two Unicode forms: "é" is one character, or "e" and an accent.

Terminals, macOS and archives write names in different forms, which look the same and are unequal.
What a user types is compared by letters; what lies on a disk keeps its form, and a message says so.
"""

import unicodedata
from collections.abc import Iterable
from pathlib import Path


def letters(name: str) -> str:
    """Returns a name in the composed form (NFC), which is equal for equal letters."""
    return unicodedata.normalize("NFC", name)


def known_form(name: str, known: Iterable[str]) -> str:
    """Returns the known name of the same letters; the name itself if it is known, or if none is.

    Args:
        name: a name that a user gives.
        known: the names to choose from.
    """
    names = list(known)
    if name in names or (name.isascii() and all(map(str.isascii, names))):
        return name
    composed = letters(name)
    return next((other for other in names if letters(other) == composed), name)


def other_form(path: Path) -> str:
    """Returns a hint at a file or folder of the same letters; "" if there is none.

    Args:
        path: a path at which nothing was found.
    """
    try:
        beside = sorted(path.parent.iterdir())
    except OSError:
        return ""
    for other in beside:
        if other.name != path.name and letters(other.name) == letters(path.name):
            return f"; {other.name!a} there has the same letters in another Unicode form"
    return ""
