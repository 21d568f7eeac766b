"""Lists in sentences."""

from collections.abc import Iterable


def in_words(parts: Iterable[str]) -> str:
    """Parts with commas between them, and "and" before the last; there must be at least one."""
    *first, last = parts
    return f"{', '.join(first)} and {last}" if first else last
