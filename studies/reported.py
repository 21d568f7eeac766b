"""The papers' reported numbers, as data: one row of `reported.csv` per number.

Columns: paper, table, dataset, network, row, column, metric, value, note. Papers: ``acsm``
(Jolicoeur-Martineau et al. 2021), ``dlsm`` (Chao et al. 2022), ``schedules`` (a report on noise
schedules for NCSN).
"""

import csv
from functools import cache
from importlib import resources

REPORTED_ALPHA = 10.0
"""Factor of the scaling method in the tables of ``dlsm`` that do not name it."""


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = resources.files("studies").joinpath("reported.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


def reported(**where: str) -> float:
    """The one reported number with these columns.

    Args:
        where: column values, such as ``paper="acsm", table="1", metric="fid"``.

    Raises:
        LookupError: none, or more than one, matches.
    """
    found = [row for row in _rows() if all(row[name] == value for name, value in where.items())]
    if len(found) != 1:
        raise LookupError(f"{len(found)} reported numbers match {where}")
    return float(found[0]["value"])
