"""Numbers and lists in sentences."""

from collections.abc import Sequence

from dashboards.results.cells import Measured


def number(measured: Measured) -> str:
    """A number with its spread over seeds, if it has one."""
    spread = "" if measured.spread is None else f" ±{measured.spread:.2g}"
    return f"{measured.mean:.4g}{spread}"


def in_words(parts: Sequence[str]) -> str:
    """Parts with commas between them, and "and" before the last."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last


def capital(sentence: str) -> str:
    """The sentence with a capital letter first."""
    return sentence[:1].upper() + sentence[1:]
