"""The claims of a paper as a table: what our numbers say of each, with intervals."""

import math

import pandas as pd

from dashboards.results.cells import StudyView
from dashboards.results.claims import JudgedClaim, judged_claims

TITLE = (
    "Claims of the paper: the factor by which the numbers agree (below 1: they disagree), with its "
    "95 % interval over paired seeds"
)


def claims_table(view: StudyView) -> pd.DataFrame:
    """Returns a table with a row for each claim that has a measured pair.

    Its columns: the claim with its source; the judgement; the factor (or "+", the difference) with
    its interval; the smallest effect that could have been shown; in how many pairs our numbers
    and the paper's agree with the claim; the number of paired seeds.

    Args:
        view: results of the study so far.
    """
    return pd.DataFrame([_row(judged) for judged in judged_claims(view)])


def _row(judged: JudgedClaim) -> dict[str, str]:
    papers = f"{judged.n_papers_agreeing} of {judged.n_papers}" if judged.n_papers else "-"
    return {
        "claim": f"{judged.claim.text} ({judged.claim.source})",
        "here": judged.judgement,
        "factor": _effect(judged),
        "least visible": _size(judged, judged.half) if judged.half else "-",
        "pairs": f"{judged.n_agreeing} of {judged.n_pairs}",
        "paper's": papers,
        "seeds": "exact" if judged.claim.is_exact else str(judged.n_seeds),
    }


def sentence(judged: JudgedClaim) -> str:
    """Returns the judgement as a sentence with its interval."""
    seeds = "exact" if judged.claim.is_exact else f"{judged.n_seeds} seeds"
    return f"{judged.claim.text}: {judged.judgement} ({_effect(judged)}; {seeds})"


def _effect(judged: JudgedClaim) -> str:
    """Formats the effect with its interval."""
    shown = _size(judged, judged.effect)
    if not judged.half:
        return shown
    low, high = judged.effect - judged.half, judged.effect + judged.half
    return f"{shown} [{_size(judged, low)}, {_size(judged, high)}]"


def _size(judged: JudgedClaim, effect: float) -> str:
    return f"{math.exp(effect):.3g}" if judged.is_factor else f"{effect:+.3g}"
