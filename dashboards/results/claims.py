r"""Judges the claims of papers by the study's numbers, seed by seed.

A claim says of each of its pairs that one number is better than the other. With the worse number
:math:`w_{ps}` and the better number :math:`b_{ps}` of pair p at seed s (for measures where lower is
better), the effect at seed s is the mean over pairs of log(w_ps / b_ps); its exponential is the
factor by which the better numbers are better. Where a number is not above 0, the effect is the mean
of w_ps - b_ps. Seeds that both numbers of a pair share cancel in the effect (data order, initial
noise). The mean over n seeds has the 95 % confidence interval mean +- t(0.975, n - 1) s / sqrt(n).

- **shows**: the interval lies on the side of the claim.
- **does not show**: the interval lies on the other side.
- **cannot tell**: the interval contains no effect, or there is a single seed.

Half the interval is the smallest effect that these seeds could have shown. The interval covers the
seeds that differ: seeds of images drawn from one training, or seeds of trainings. If a claim is
wrong by nothing, the interval nevertheless lies on one side in one of 20 cases on average.
"""

import math
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.results.cells import CellView, StudyView
from dashboards.results.verdicts import half_interval
from tuning.claims import Claim, Pair, Place

Judgement = Literal["shows", "does not show", "cannot tell"]
Found = tuple[CellView, CellView]


@dataclass(frozen=True)
class JudgedClaim:
    """A claim, judged by the measured pairs.

    Attributes:
        claim: the claim.
        judgement: the judgement.
        effect: mean effect over the seeds: logarithm of a factor, or a difference; above 0 if the
            numbers agree with the claim.
        half: half of the effect's 95 % confidence interval, which is the smallest effect that could
            have been shown; None with one seed of numbers that are not exact.
        is_factor: whether the effect is the logarithm of a factor.
        n_seeds: number of paired seeds.
        n_pairs: number of measured pairs.
        n_agreeing: number of measured pairs whose means agree with the claim.
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
    n_papers: int
    n_papers_agreeing: int


def judged_claims(view: StudyView) -> list[JudgedClaim]:
    """Returns the claims of a study with at least one measured pair, each judged.

    Args:
        view: results of the study so far.
    """
    cells = {(cell.cell.row, cell.cell.column): cell for cell in view.cells}
    return [judged for claim in view.study.claims if (judged := _judged(claim, cells))]


def _judged(claim: Claim, cells: Mapping[tuple[str, str], CellView]) -> JudgedClaim | None:
    found = [(pair, *_cells(pair, cells)) for pair in claim.pairs]
    known = [
        (_seeds(pair.better, better), _seeds(pair.worse, worse), _lower(claim, better))
        for pair, better, worse in found
        if pair.better.quantity in better.measured and pair.worse.quantity in worse.measured
    ]
    if not known:
        return None
    papers = [
        ((one.value,), (other.value,), _lower(claim, better))
        for pair, better, worse in found
        if (one := better.cell.reported.get(pair.better.quantity))
        and (other := worse.cell.reported.get(pair.worse.quantity))
    ]
    n_seeds = min(len(values) for *both, _ in known for values in both)
    known = [(better[:n_seeds], worse[:n_seeds], lower) for better, worse, lower in known]
    is_factor = all(value > 0 for *both, _ in known for values in both for value in values)
    per_pair = [[*_effects(*numbers, is_factor)] for numbers in known]
    per_seed = [statistics.fmean(effects) for effects in zip(*per_pair, strict=True)]
    effect = statistics.fmean(per_seed)
    half = 0.0 if claim.is_exact else half_interval(per_seed) if n_seeds > 1 else None
    return JudgedClaim(
        claim=claim,
        judgement=_judgement(effect, half),
        effect=effect,
        half=half,
        is_factor=is_factor,
        n_seeds=n_seeds,
        n_pairs=len(known),
        n_agreeing=sum(statistics.fmean(effects) > 0 for effects in per_pair),
        n_papers=len(papers),
        n_papers_agreeing=sum(next(_effects(*numbers, False)) > 0 for numbers in papers),
    )


def _cells(pair: Pair, cells: Mapping[tuple[str, str], CellView]) -> Found:
    return cells[pair.better[:2]], cells[pair.worse[:2]]


def _seeds(place: Place, cell: CellView) -> tuple[float, ...]:
    return cell.measured[place.quantity].values


def _lower(claim: Claim, cell: CellView) -> bool:
    own = cell.cell.lower_is_better if claim.lower is None else claim.lower
    if own is None:
        raise ValueError(
            f"the claim {claim.text!r} must say whether the lower number is better, because "
            f"the measure of {cell.cell.name} has no direction"
        )
    return own


def _effects(
    better: Sequence[float], worse: Sequence[float], lower: bool, is_factor: bool
) -> Iterator[float]:
    """Yields the effect of one pair at each seed."""
    for b, w in zip(better, worse, strict=True):
        effect = math.log(w / b) if is_factor else w - b
        yield effect if lower else -effect


def _judgement(effect: float, half: float | None) -> Judgement:
    if half is None or abs(effect) <= half:
        return "cannot tell"
    return "shows" if effect > 0 else "does not show"
