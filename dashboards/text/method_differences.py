"""The paper's own method against its baseline, as a sentence and as a table."""

import statistics
from collections import Counter
from collections.abc import Sequence

import pandas as pd

from dashboards.results.method_pairs import BASE, OURS, Outcome, Pair
from dashboards.results.verdicts import half_interval
from dashboards.text.wording import in_words, number


def head_to_head(found: Sequence[Pair]) -> str | None:
    """How our method compares with its baseline, in a sentence; None without either."""
    if not found:
        return None
    if all(pair.is_paired for pair in found):
        outcomes = Counter(pair.by_interval for pair in found)
        seeds = in_words([str(n) for n in sorted({len(p.differences) for p in found})])
        return (
            f"seed by seed over {seeds} seeds, {OURS} is better in {outcomes['better']} and worse "
            f"in {outcomes['worse']} of {len(found)} comparisons with {BASE}; in "
            f"{outcomes['open']} the 95 % interval of the difference holds 0."
        )
    outcomes = Counter(pair.by_means for pair in found)
    kinds: tuple[Outcome, ...] = ("better", "worse", "level")
    counts = [f"{kind} in {outcomes[kind]}" for kind in kinds]
    return f"{OURS} is, by the means, {in_words(counts)} of {len(found)} comparisons with {BASE}."


def difference_table(found: Sequence[Pair]) -> pd.DataFrame:
    """A row for every paired number: both methods, their difference, what comes of it."""
    rows = []
    for pair in found:
        if pair.is_paired:
            mean, half = statistics.fmean(pair.differences), half_interval(pair.differences)
            rows.append(
                {
                    "": pair.measure,
                    BASE: number(pair.base),
                    OURS: number(pair.ours),
                    "difference": f"{mean:+.3g}",
                    "95 % interval": f"{mean - half:+.3g} to {mean + half:+.3g}",
                    f"{OURS} is": pair.by_interval,
                }
            )
    return pd.DataFrame(rows)
