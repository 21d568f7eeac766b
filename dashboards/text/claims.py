"""The claims of a paper as a table: what our numbers say of each, with intervals."""

import math
from typing import Any

import pandas as pd

TITLE = (
    "Claims: the factor by which the numbers agree with each (below 1: they disagree; with a sign: "
    "a difference), with its 95 % interval over paired seeds, and the least effect that these "
    "seeds could have shown"
)


def claims_table(numbers: pd.DataFrame, *, stacked: bool = False) -> pd.DataFrame:
    """Returns a table of text with a row for each claim.

    Args:
        numbers: judged claims, as from `dashboards.results.claims.claim_numbers`.
        stacked: whether the table is narrow, with two lines in each cell, for a terminal.
    """
    rows = [_stacked(row) if stacked else _wide(row) for _, row in numbers.iterrows()]
    return pd.DataFrame(rows)


def _wide(row: Any) -> dict[str, str]:
    return {
        "claim": _claim(row),
        "here": str(row["judgement"]),
        "factor": effect_text(row),
        "least visible": _size(row, "least_visible"),
        "pairs": _pairs(row),
        "paper's": _papers(row),
        "seeds": _seeds(row),
    }


def _stacked(row: Any) -> dict[str, str]:
    seeds, papers = _seeds(row), _papers(row)
    seeds += "" if row["is_exact"] else " seed" if seeds == "1" else " seeds"
    visible = _size(row, "least_visible")
    return {
        "claim": _claim(row),
        "here": f"{row['judgement']}\n{seeds}",
        "factor": effect_text(row) + ("" if visible == "-" else f"\nvisible from {visible}"),
        "pairs": _pairs(row) + ("" if papers == "-" else f"\npaper's {papers}"),
    }


def effect_text(row: Any) -> str:
    """Returns the effect of a judged claim with its interval, if the claim has one."""
    effect = _size(row, "effect")
    if math.isnan(row["low"]):
        return effect
    return f"{effect} [{_size(row, 'low')}, {_size(row, 'high')}]"


def _claim(row: Any) -> str:
    return f"{row['claim']} ({row['source']})"


def _pairs(row: Any) -> str:
    missing = f", {row['n_missing']} missing" if row["n_missing"] else ""
    return f"{row['n_agreeing']} of {row['n_pairs']}{missing}"


def _papers(row: Any) -> str:
    return f"{row['n_papers_agreeing']} of {row['n_papers']}" if row["n_papers"] else "-"


def _seeds(row: Any) -> str:
    return "exact" if row["is_exact"] else str(row["n_seeds"])


def _size(row: Any, name: str) -> str:
    if math.isnan(row[name]):
        return "-"
    return f"{row[name]:.3g}" if row["is_factor"] else f"{row[name]:+.3g}"
