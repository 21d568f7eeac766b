"""The numbers that the papers report, read from `reported.csv`.

The file has one row per number, with the columns paper, table, dataset, network, row, column,
metric, value and note. The papers are ``acsm`` (Jolicoeur-Martineau et al. 2021), ``dlsm`` (Chao et
al. 2022) and ``schedules`` (a report on noise schedules for NCSN).
"""

import csv
from functools import cache
from importlib import resources

REPORTED_ALPHA = 10.0
"""Factor alpha of the scaling method in those tables of ``dlsm`` that do not state the factor."""


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = resources.files("studies").joinpath("reported.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def reported(**where: str) -> float:
    """Returns the only reported number whose columns have the given values.

    Args:
        where: values by column, such as ``paper="acsm", table="1", metric="fid"``.

    Raises:
        LookupError: no reported number matches, or several match.
    """
    found = [row for row in _rows() if all(row[name] == value for name, value in where.items())]
    if len(found) != 1:
        raise LookupError(f"one reported number must match {where}, but {len(found)} match")
    return float(found[0]["value"])
