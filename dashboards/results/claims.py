r"""Judges the claims of papers by the study's numbers, seed by seed.

A claim says of each of its pairs that one number is better than the other. With the worse number
:math:`w_{ps}` and the better number :math:`b_{ps}` of pair p at seed s (for measures where lower is
better), the effect at seed s is the mean over pairs of log(w_ps / b_ps); its exponential is the
factor by which the better numbers are better. If any number is not above 0, the effect is the mean
of w_ps - b_ps. What the two numbers of a pair share at a seed (data order, initial noise) cancels
in the effect. The mean over n seeds has the 95 % confidence interval
mean +- t(0.975, n - 1) s / sqrt(n).

- **shows**: the interval lies on the side of the claim.
- **does not show**: the interval lies on the other side.
- **cannot tell**: the interval contains no effect, or there is a single seed.

Half the interval is the least visible effect: the smallest that these seeds could have shown. If
the numbers are equal at every seed, a claim that allows equal numbers shows. Numbers that are
computed exactly have no interval: the claim shows if every pair agrees with the claim, and else
does not.

The interval covers the seeds that differ, which are those of the images drawn from one training, or
those of the trainings; it covers no other source of randomness. A claim about several pairs is
judged by their mean effect; the number of pairs that agree is shown beside. If there is no effect,
the interval nevertheless excludes none in one of 20 claims on average.
"""

import math
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import pandas as pd

from dashboards.results.cells import CellView, StudyView
from dashboards.results.verdicts import half_interval
from tuning.claims import Claim

Judgement = Literal["shows", "does not show", "cannot tell"]
JUDGEMENTS: tuple[Judgement, ...] = ("shows", "does not show", "cannot tell")

COLUMNS = (
    "claim", "source", "judgement", "effect", "low", "high", "least_visible", "is_factor",
    "n_seeds", "is_exact", "n_pairs", "n_agreeing", "n_missing", "n_papers", "n_papers_agreeing",
)  # fmt: skip
"""Columns of `claim_numbers`."""

_Numbers = tuple[Sequence[float], Sequence[float], bool]
"""The better and the worse number of a pair, by seed, and whether lower is better."""


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, judged by the measured pairs.

    Attributes:
        claim: the claim.
        judgement: the judgement.
        effect: mean effect over the seeds: logarithm of a factor, or a difference; above 0 if the
            numbers agree with the claim.
        half: half of the effect's 95 % confidence interval, the least visible effect; None for
            numbers that are exact, and with one seed.
        is_factor: whether the effect is the logarithm of a factor.
        n_seeds: number of paired seeds, the least that any measured pair has.
        n_pairs: number of measured pairs.
        n_agreeing: number of measured pairs whose mean effect agrees with the claim.
        n_missing: number of pairs that are not measured.
        n_papers: number of pairs for which the paper reports both numbers.
        n_papers_agreeing: number of these pairs whose reported numbers agree with the claim.
    """

    claim: Claim
    judgement: Judgement
    effect: float
    half: float | None
    is_factor: bool
    n_seeds: int
    n_pairs: int
    n_agreeing: int
    n_missing: int
    n_papers: int
    n_papers_agreeing: int

    def numbers(self) -> dict[str, Any]:
        """Returns a row of `claim_numbers`."""

        def shown(effect: float) -> float:
            return math.exp(effect) if self.is_factor else effect

        half = math.nan if self.half is None else self.half
        row = (
            self.claim.text, self.claim.source, self.judgement,
            shown(self.effect), shown(self.effect - half), shown(self.effect + half), shown(half),
            self.is_factor,
            self.n_seeds, self.claim.is_exact, self.n_pairs, self.n_agreeing, self.n_missing,
            self.n_papers, self.n_papers_agreeing,
        )  # fmt: skip
        return dict(zip(COLUMNS, row, strict=True))


def claim_numbers(view: StudyView) -> pd.DataFrame:
    """Returns the judged claims of a study as a table of numbers.

    Args:
        view: results of the study so far.

    Returns:
        A row for each claim with at least one measured pair. "effect", "low" and "high" (the ends
        of the 95 % interval) and "least_visible" are factors if "is_factor", else differences; a
        factor below 1 and a difference below 0 disagree with the claim. Without an interval, the
        last three are NaN. The other columns are as in `JudgedClaim`.
    """
    return pd.DataFrame([judged.numbers() for judged in judged_claims(view)], columns=COLUMNS)


def judged_claims(view: StudyView) -> list[JudgedClaim]:
    """Returns the claims of a study with at least one measured pair, each judged.

    Args:
        view: results of the study so far.
    """
    cells = {(cell.cell.row, cell.cell.column): cell for cell in view.cells}
    judged = (_judged(claim, cells) for claim in view.study.claims)
    return [one for one in judged if one is not None]


def _judged(claim: Claim, cells: Mapping[tuple[str, str], CellView]) -> JudgedClaim | None:
    known = [*_known(claim, cells, _values)]
    if not known:
        return None
    n_seeds = min(len(values) for *both, _ in known for values in both)
    is_factor = all(v > 0 for *both, _ in known for values in both for v in values[:n_seeds])
    per_pair = [_effects(numbers, n_seeds, is_factor) for numbers in known]
    per_seed = [statistics.fmean(effects) for effects in zip(*per_pair, strict=True)]
    agreeing = [_agrees(claim, statistics.fmean(effects)) for effects in per_pair]
    effect = statistics.fmean(per_seed)
    has_interval = n_seeds > 1 and not claim.is_exact
    half = half_interval(per_seed) if has_interval else None
    papers = [_effects(numbers, 1, False)[0] for numbers in _known(claim, cells, _papers)]
    return JudgedClaim(
        claim=claim,
        judgement=_judgement(claim, effect, half, agreeing),
        effect=effect,
        half=half,
        is_factor=is_factor,
        n_seeds=n_seeds,
        n_pairs=len(known),
        n_agreeing=sum(agreeing),
        n_missing=len(claim.pairs) - len(known),
        n_papers=len(papers),
        n_papers_agreeing=sum(_agrees(claim, found) for found in papers),
    )


def _values(cell: CellView, quantity: str) -> Sequence[float]:
    measured = cell.measured.get(quantity)
    return measured.values if measured else ()


def _papers(cell: CellView, quantity: str) -> Sequence[float]:
    reported = cell.cell.reported.get(quantity)
    return (reported.value,) if reported else ()


def _known(
    claim: Claim,
    cells: Mapping[tuple[str, str], CellView],
    values_of: Callable[[CellView, str], Sequence[float]],
) -> Iterator[_Numbers]:
    """Yields the numbers of the pairs of which both numbers are known.

    Args:
        claim: the claim.
        cells: cells by row and column.
        values_of: function that returns the values of a cell's quantity; () if unknown.
    """
    for pair in claim.pairs:
        found = [cells.get((place.row, place.column)) for place in pair]
        known = [cell for cell in found if cell is not None]
        numbers = [values_of(c, p.quantity) for c, p in zip(known, pair, strict=False)]
        if len(known) == len(pair) and all(numbers):
            lower = known[0].cell.lower_is_better if claim.lower is None else claim.lower
            yield numbers[0], numbers[1], bool(lower)


def _effects(numbers: _Numbers, n_seeds: int, is_factor: bool) -> list[float]:
    """Returns the effect of one pair at each of the first seeds, which both numbers share."""
    better, worse, lower = numbers
    both = zip(better[:n_seeds], worse[:n_seeds], strict=True)
    effects = (math.log(w / b) if is_factor else w - b for b, w in both)
    return [effect if lower else -effect for effect in effects]


def _agrees(claim: Claim, effect: float) -> bool:
    return effect > 0 or (claim.or_equal and effect == 0)


def _judgement(
    claim: Claim, effect: float, half: float | None, agreeing: Sequence[bool]
) -> Judgement:
    if claim.is_exact:
        return "shows" if all(agreeing) else "does not show"
    if half is None:
        return "cannot tell"
    if abs(effect) > half:
        return "shows" if effect > 0 else "does not show"
    return "shows" if claim.or_equal and effect == half == 0 else "cannot tell"
