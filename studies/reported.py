"""The numbers that the papers report, read from `reported.csv`.

The file has one row per number, with the columns paper, table, dataset, network, row, column,
metric, value, n_images and note. The column n_images has the number of generated examples that the
number was measured on; it is empty if the paper does not state it or the number depends on no
examples. The papers are ``acsm`` (Jolicoeur-Martineau et al. 2021), ``dlsm`` (Chao et
al. 2022) and ``schedules`` (a report on noise schedules for NCSN).
"""

import csv
from dataclasses import dataclass
from functools import cache
from importlib import resources

REPORTED_ALPHA = 10.0
"""Factor alpha of the scaling method in those tables of ``dlsm`` that do not state the factor."""


@cache
def _rows() -> tuple[dict[str, str], ...]:
    text = resources.files("studies").joinpath("reported.csv").read_text(encoding="utf-8")
    return tuple(csv.DictReader(text.splitlines()))


@dataclass(frozen=True)
class ReportedNumber:
    """A number of the file.

    Attributes:
        value: the number.
        n_images: number of generated examples that the number was measured on; None if the paper
            does not state it or the number depends on no examples.
    """

    value: float
    n_images: int | None


def reported(**where: str) -> ReportedNumber:
    """Returns the only reported number whose columns have the given values.

    Args:
        where: values by column, such as ``paper="acsm", table="1", metric="fid"``.

    Raises:
        LookupError: no reported number matches, or several match.
    """
    found = [row for row in _rows() if all(row[name] == value for name, value in where.items())]
    if len(found) != 1:
        raise LookupError(f"one reported number must match {where}, but {len(found)} match")
    n_images = found[0]["n_images"]
    return ReportedNumber(float(found[0]["value"]), int(n_images) if n_images else None)
