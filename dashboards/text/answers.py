"""The answer to a study's question in two sentences, made from its numbers alone.

Which cells are set against each other says `comparisons`. If most of them share one
protocol, the first sentence says which is best and whether by more than the seeds' noise; if a
table has several measures, by how many of them which is best. The second says how the paper's own
method compares with its baseline (`method_pairs`), what reproduces the paper, what
mattered in the search, or what denoising the images does: the first of these that can be said.
Exact studies and shares of classes, where nothing is better or worse, have sentences of their own
(`exact_answers`).
"""

import statistics
from collections import Counter
from collections.abc import Sequence

from dashboards.results.cells import CellView, StudyView
from dashboards.results.comparisons import Comparison, comparisons, lower_is_better
from dashboards.results.method_pairs import pairs
from dashboards.results.searches import importances, joint_runs, shown_value
from dashboards.results.verdicts import beyond_noise, verdict
from dashboards.text.exact_answers import exact_answer
from dashboards.text.method_differences import head_to_head
from dashboards.text.wording import capital, in_words, number
from tuning.spaces import ParameterSpace

_MOST_NAMED = 3

_KINDS = ("raw", "denoised")

_ALONE = "no two of the cells that are in can be set against each other."


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
    found = comparisons(done)
    first, second = exact_answer(done) or (_first(found), head_to_head(pairs(done)))
    second = second or _verdicts(done) or _mattered(shown) or _denoising(done)
    if first is None:
        first, second = _values(done), second or _ALONE
    elif second is None:
        second = f"{_example(found[-1])}." if len(found) > 1 else _values(done)
    return capital(f"{begun}{first}"), capital(second)


def _first(found: Sequence[Comparison]) -> str | None:
    """Which way is best: by the one measure, or by how many of several."""
    if not found:
        return None
    if len(found) == 1:
        return _best(found[0])
    winners = Counter(c.ranked[0][0] for c in found if not c.is_level)
    shares = [f"{name} is best by {wins}" for name, wins in winners.most_common(_MOST_NAMED)]
    n_level = sum(comparison.is_level for comparison in found)
    shares += [f"the best two are level by {n_level}"] if n_level else []
    return f"of {len(found)} measures, by their means, {in_words(shares)}; {_example(found[0])}."


def _example(comparison: Comparison) -> str:
    """The numbers of the best two."""
    (best, _), (second, _) = comparison.ranked[:2]
    return (
        f"{comparison.measure} is {number(comparison.value(0))} for {best}, "
        f"{number(comparison.value(1))} for {second}"
    )


def _best(comparison: Comparison) -> str:
    """Which cell is best, and how surely."""
    (best, cell), (second, _) = comparison.ranked[:2]
    kind = ", denoised" if comparison.quantity == "denoised" else ""
    return (
        f"{best}{_chosen(cell)} has the best {comparison.measure}{kind}: "
        f"{number(comparison.value(0))}, {_ahead(comparison)} {second} "
        f"({number(comparison.value(1))})."
    )


def _chosen(cell: CellView) -> str:
    """The values that a search over parameters chose for the cell, in brackets."""
    search, winner = cell.cell.search, cell.winner
    if search is None or winner is None or not isinstance(search.space, ParameterSpace):
        return ""
    return f" ({', '.join(f'{n} {shown_value(v)}' for n, v in winner.values.items())})"


def _ahead(comparison: Comparison) -> str:
    first, second = comparison.value(0), comparison.value(1)
    if comparison.is_level:
        return "level with"
    surely = beyond_noise(first, second)
    if surely is None:
        return "ahead (on one seed, so perhaps by chance) of"
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
    return denoised < raw if lower_is_better(cell) else denoised > raw


def _values(done: Sequence[CellView]) -> str:
    """The first cells' numbers as they are."""
    shown = [
        f"{c.cell.name}: " + " / ".join(f"{number(m)} {name}" for name, m in c.measured.items())
        for c in done[:_MOST_NAMED]
    ]
    return f"{'; '.join(shown)}."
