"""The answer to a study's question in two sentences, made from its numbers alone.

Cells are set against each other only where they measure the same: by equal protocols or, where
there are none, by the same kind of job in the same row; and only where it is known which direction
is better. Real data is no competitor. If most cells share one protocol, the first sentence says
which is best of them and whether by more than the seeds' noise; if a table has several measures, by
how many of them which is best. The second says what reproduces the paper, where that can be said,
or else what mattered in the search, or what denoising the images does. Exact studies and shares of
classes, where nothing is better or worse, have sentences of their own (`dashboards.exact_answers`).
"""

import statistics
from collections import Counter
from collections.abc import Hashable, Sequence
from dataclasses import dataclass

from dashboards.cells import CellView, Measured, StudyView
from dashboards.exact_answers import exact_answer
from dashboards.searches import importances, joint_runs, shown_value
from dashboards.verdicts import noise_of, verdict
from dashboards.wording import capital, in_words, number
from tuning.spaces import ParameterSpace
from tuning.stages import ClassificationAccuracy, RealScore, ScoreErrors

_MOST_NAMED = 3

_OURS, _BASE = "ours", "base"
"""What tables call the paper's own method and what it is compared with."""

_KINDS = ("raw", "denoised")

_ALONE = "no two of the cells that are in can be set against each other."


@dataclass(frozen=True)
class Contest:
    """Cells that measure the same, by different ways.

    Attributes:
        measure: what they measure.
        ranked: what tells each way from the others and its cell, the best first.
        quantity: by which of the cells' quantities.
    """

    measure: str
    ranked: tuple[tuple[str, CellView], ...]
    quantity: str

    def value(self, place: int) -> Measured:
        """The number of a place, from 0."""
        return self.ranked[place][1].measured[self.quantity]

    @property
    def is_level(self) -> bool:
        """Whether the first two are shown as the same number."""
        return f"{self.value(0).mean:.4g}" == f"{self.value(1).mean:.4g}"


def answer(shown: StudyView) -> tuple[str, str]:
    """Two sentences.

    Args:
        shown: what is known of the study.
    """
    cells = [cell for cell in shown.cells if cell.cell.is_measured]
    done = [cell for cell in cells if cell.measured]
    if not done:
        missing = f"None of {len(cells)} cells is measured yet."
        return missing, "The table says what is missing and what it would cost."
    begun = "" if len(done) == len(cells) else f"so far {len(done)} of {len(cells)} cells are in: "
    found = contests(done)
    first, second = exact_answer(done) or (_first(found), _head_to_head(found))
    second = second or _verdicts(done) or _mattered(shown) or _denoising(done)
    if first is None:
        first, second = _values(done), second or _ALONE
    elif second is None:
        second = f"{_example(found[-1])}." if len(found) > 1 else _values(done)
    return capital(f"{begun}{first}"), capital(second)


def contests(done: Sequence[CellView]) -> list[Contest]:
    """The cells that can be set against each other, by what they measure."""
    groups: dict[Hashable, list[CellView]] = {}
    for cell in done:
        if _lower_is_better(cell) is not None and not isinstance(cell.cell.job, RealScore):
            own = cell.cell
            same: Hashable = own.protocol or (type(own.job), own.row)
            groups.setdefault(same, []).append(cell)
    largest = max(groups.values(), key=len, default=[])
    if 2 * len(largest) > sum(map(len, groups.values())):
        return _settled([largest])
    split: list[list[CellView]] = []
    for group in groups.values():
        rows = dict.fromkeys(cell.cell.row for cell in group)
        by_row = [[cell for cell in group if cell.cell.row == row] for row in rows]
        split += by_row if any(len(of) > 1 for of in by_row) else [group]
    return _settled(split)


def _settled(groups: Sequence[Sequence[CellView]]) -> list[Contest]:
    """The groups in which at least two cells have a number in common."""
    return [found for group in groups if len((found := _contest(group)).ranked) > 1]


def _contest(group: Sequence[CellView]) -> Contest:
    first = group[0].cell
    rows, columns = ({getattr(c.cell, of) for c in group} for of in ("row", "column"))
    names = [c.cell.row if len(columns) == 1 else c.cell.column for c in group]
    if len(rows) > 1 and len(columns) > 1:
        names = [c.cell.name for c in group]
    protocol = first.protocol
    measure = first.row if len(rows) == 1 else protocol.name if protocol else first.column
    common = set.intersection(*(set(c.measured) for c in group))
    quantity = "denoised" if "denoised" in common else first.quantities[0]
    measure += f" ({quantity})" if quantity not in _KINDS else ""
    known = [(n, c) for n, c in zip(names, group, strict=True) if quantity in c.measured]
    sign = 1 if _lower_is_better(group[0]) else -1
    ranked = sorted(known, key=lambda item: sign * item[1].measured[quantity].mean)
    return Contest(measure, tuple(ranked), quantity)


def _lower_is_better(cell: CellView) -> bool | None:
    """Which direction is better; None where neither is."""
    own = cell.cell
    if own.protocol is not None:
        return own.protocol.lower_is_better
    kinds = {ScoreErrors: True, ClassificationAccuracy: False}
    return next((lower for kind, lower in kinds.items() if isinstance(own.job, kind)), None)


def _first(found: Sequence[Contest]) -> str | None:
    """Which way is best: by the one measure, or by how many of several."""
    if not found:
        return None
    if len(found) == 1:
        return _best(found[0])
    winners = Counter(c.ranked[0][0] for c in found if not c.is_level)
    shares = [f"{name} is best by {wins}" for name, wins in winners.most_common(_MOST_NAMED)]
    n_level = sum(contest.is_level for contest in found)
    shares += [f"the best two are level by {n_level}"] if n_level else []
    return f"of {len(found)} measures, by their means, {in_words(shares)}; {_example(found[0])}."


def _example(contest: Contest) -> str:
    """The numbers of the best two."""
    (best, _), (second, _) = contest.ranked[:2]
    return (
        f"{contest.measure} is {number(contest.value(0))} for {best}, "
        f"{number(contest.value(1))} for {second}"
    )


def _head_to_head(found: Sequence[Contest]) -> str | None:
    """How the paper's own method compares with its baseline, at equal further settings."""
    outcomes: Counter[str] = Counter()
    for contest in found:
        values = {name: cell.measured[contest.quantity].mean for name, cell in contest.ranked}
        order = [name for name, _ in contest.ranked]
        for name in order:
            other = _BASE + name.removeprefix(_OURS)
            if name.startswith(_OURS) and other in values:
                is_level = f"{values[name]:.4g}" == f"{values[other]:.4g}"
                is_ahead = order.index(name) < order.index(other)
                outcomes["level" if is_level else "better" if is_ahead else "worse"] += 1
    if not outcomes:
        return None
    counts = [f"{kind} in {outcomes[kind]}" for kind in ("better", "worse", "level")]
    return (
        f"{_OURS} is, by the means, {in_words(counts)} of {outcomes.total()} comparisons with "
        f"{_BASE}."
    )


def _best(contest: Contest) -> str:
    """Which cell is best, and how surely."""
    (best, cell), (second, _) = contest.ranked[:2]
    kind = ", denoised" if contest.quantity == "denoised" else ""
    return (
        f"{best}{_chosen(cell)} has the best {contest.measure}{kind}: {number(contest.value(0))}, "
        f"{_ahead(contest)} {second} ({number(contest.value(1))})."
    )


def _chosen(cell: CellView) -> str:
    """The values that a search over parameters chose for the cell, in brackets."""
    search, winner = cell.cell.search, cell.winner
    if search is None or winner is None or not isinstance(search.space, ParameterSpace):
        return ""
    return f" ({', '.join(f'{n} {shown_value(v)}' for n, v in winner.values.items())})"


def _ahead(contest: Contest) -> str:
    first, second = contest.value(0), contest.value(1)
    if contest.is_level:
        return "level with"
    if first.spread is None or second.spread is None:
        return "ahead (on one seed, so perhaps by chance) of"
    noise = max(noise_of(m.spread or 0.0, m.n_seeds) for m in (first, second))
    surely = abs(first.mean - second.mean) > noise
    return "ahead by more than the seeds' noise of" if surely else "within the seeds' noise of"


def _verdicts(done: Sequence[CellView]) -> str | None:
    """How many numbers reproduce the paper's, where protocols are equal."""
    found = Counter(v for cell in done for name in cell.measured if (v := verdict(cell, name)))
    if not found:
        return None
    parts = [
        f"{found['reproduced']} reproduce the paper's",
        f"{found['within noise']} are within noise of it",
        f"{found['differs']} differ",
    ]
    return f"of {found.total()} numbers that can be compared, {', '.join(parts)}."


def _mattered(shown: StudyView) -> str | None:
    """What the results of a search over several parameters depend on, if a cell rests on one."""
    own = [cell.cell.search for cell in shown.cells]
    runs = [r for r in joint_runs(shown.runs) if r.search in own and len(r.distributions) > 1]
    shares = importances(runs[0]) if len(runs) == 1 else {}
    if not shares:
        return None
    named = [f"{share:.0%} to {name}" for name, share in list(shares.items())[:_MOST_NAMED]]
    return (
        f"of the variance over {len(runs[0].ranked(runs[0].trials))} trials, fANOVA gives "
        f"{in_words(named)}."
    )


def _denoising(done: Sequence[CellView]) -> str | None:
    """What denoising the images does to each measure; every cell against itself alone."""
    by_measure: dict[str, list[CellView]] = {}
    for cell in done:
        if cell.cell.protocol and {"raw", "denoised"} <= cell.measured.keys():
            by_measure.setdefault(cell.cell.protocol.name, []).append(cell)
    if not by_measure:
        return None
    parts = [
        f"{name} in {sum(map(_is_improved, cells))} of {len(cells)} cells"
        for name, cells in by_measure.items()
    ]
    sentence = f"denoising the images improves {in_words(parts)}"
    ((_, cells),) = list(by_measure.items())[:1]
    if len({cell.cell.protocol for of in by_measure.values() for cell in of}) > 1:
        return f"{sentence}."
    raw, denoised = (statistics.median(c.measured[w].mean for c in cells) for w in _KINDS)
    return f"{sentence}: its median is {raw:.4g} raw, {denoised:.4g} denoised."


def _is_improved(cell: CellView) -> bool:
    raw, denoised = (cell.measured[which].mean for which in _KINDS)
    return denoised < raw if _lower_is_better(cell) else denoised > raw


def _values(done: Sequence[CellView]) -> str:
    """The first cells' numbers as they are."""
    shown = [
        f"{c.cell.name}: " + " / ".join(f"{number(m)} {name}" for name, m in c.measured.items())
        for c in done[:_MOST_NAMED]
    ]
    return f"{'; '.join(shown)}."
