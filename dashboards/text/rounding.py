"""Rounds a number to its spread: 13.4(2) stands for 13.4 with a standard deviation of 0.2."""

import math

from dashboards.results.cells import Measured

_MOST_PLACES = 6


def rounded(number: Measured) -> str:
    """Formats a mean with its spread in units of its last digit, as in 13.4(2) or 1230(60).

    Without a spread the mean has four digits. Very large and very small numbers have an exponent:
    1.34(2)e-09.
    """
    if not number.spread:
        return f"{number.mean:.4g}"
    place = math.floor(math.log10(number.spread))
    if number.spread / 10.0**place >= 9.5:  # rounds to ten
        place += 1
    if abs(place) <= _MOST_PLACES:
        return _to_place(number.mean, number.spread, place)
    power = math.floor(math.log10(max(abs(number.mean), number.spread)))
    scaled = number.mean / 10.0**power, number.spread / 10.0**power
    return f"{_to_place(*scaled, place - power)}e{power:+03d}"


def _to_place(mean: float, spread: float, place: int) -> str:
    """Formats a mean to a power of ten, with its spread in units of the last digit shown."""
    digit = math.floor(spread / 10.0**place + 0.5)
    if place >= 0:
        return f"{round(mean, -place):.0f}({digit * 10**place})"
    return f"{mean:.{-place}f}({digit})"
