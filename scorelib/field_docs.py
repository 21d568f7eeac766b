"""Reads the meaning and the range of each field of a spec from the docstring of its class.

Every spec describes its fields in the section ``Attributes`` or ``Args`` of its docstring. The
first sentence of such an entry gives the meaning, and often a range, such as ``> 0`` or ``in [0,
1)``. Command lines show both.
"""

import inspect
import re
from dataclasses import dataclass
from functools import cache

_SECTION = re.compile(r"^(?:Args|Attributes):\n((?:[ ]+.*\n|\n)+)", re.MULTILINE)
_ENTRY = re.compile(r"^ {4}(\w[\w, ]*): (.*(?:\n {5,}.*)*)", re.MULTILINE)
_SENTENCE = re.compile(r"(.+?)(?:\.(?= [A-Z`\"])|\.$|; |$)")
_BOUND = r"(?:>=|<=|>|<) ?`?[\w.^]+`?|in [\[(][^\])]*, [^\])]*[\])]"
_WORDS = r"(?:at least|at most|a multiple of|one of|equal to) [^,;(]+|\d+ to \d+"
_RANGE = re.compile(rf"(?:, |, each )((?:{_BOUND}|{_WORDS})(?: (?:and|or) [^,;(]+)?)(?=,|$| \()")


@dataclass(frozen=True)
class FieldDoc:
    """The meaning and the range of a field, from a docstring.

    Attributes:
        meaning: first sentence of the entry, on one line, without range and full stop.
        range: range of the values, such as "> 0"; "" if the sentence states none.
    """

    meaning: str
    range: str


@cache
def field_docs(cls: type) -> dict[str, FieldDoc]:
    """Returns the meaning and range of each field, from the docstrings of a class and its bases.

    Args:
        cls: class of a spec; its own entries come before those of its bases.
    """
    found: dict[str, FieldDoc] = {}
    for owner in cls.__mro__:
        text = inspect.cleandoc(owner.__dict__.get("__doc__") or "") + "\n"
        for section in _SECTION.findall(text):
            for names, entry in _ENTRY.findall(section):
                for name in names.split(","):
                    found.setdefault(name.strip(), _doc(" ".join(entry.split())))
    return found


def _doc(entry: str) -> FieldDoc:
    """Returns the meaning and the range that an entry gives."""
    first = _SENTENCE.match(entry)
    sentence = first[1] if first else entry
    ranges = _RANGE.findall(sentence)
    return FieldDoc(_RANGE.sub("", sentence), ", ".join(ranges))
