"""The answer to a study's question in two sentences, made from its numbers alone.

The first sentence says which cell is best, and whether by more than the noise of the seeds; where
there are several measures (`dashboards.results.comparisons`), by how many of them. The second says
how the paper's own method compares with its baseline, what reproduces the paper, what mattered in
the search, or what denoising does: the first of these that can be said. Studies in which nothing is
better or worse have sentences of their own (`exact_answers`).
"""

import statistics
from collections import Counter
from collections.abc import Sequence

from dashboards.results.cells import CellView, StudyView
from dashboards.results.comparisons import Comparison, comparisons
from dashboards.results.method_pairs import BASE, OURS, Pair, pairs
from dashboards.results.optuna_analyses import importances
from dashboards.results.searches import joint_runs, shown_value
from dashboards.results.verdicts import beyond_noise, verdict
from dashboards.text.exact_answers import exact_answer
from dashboards.text.formats import in_words
from tuning.spaces import ParameterSpace
from tuning.stages import OUTPUTS

_MOST_NAMED = 3
_AHEAD = {
    None: "ahead (on one seed, so perhaps by chance) of",
    True: "ahead by more than the seeds' noise of",
    False: "within the seeds' noise of",
}
"""By whether a difference is beyond the seeds' noise; None on one seed."""


def answer(view: StudyView) -> tuple[str, str]:
    """Two sentences about what is known of a study."""
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    done = [cell for cell in cells if cell.measured]
    if not done:
        missing = f"None of {len(cells)} cells is measured yet."
        return missing, "The table says what is missing and what it would cost."
    found = comparisons(done, main_only=True)
    first, second = exact_answer(done) or (_best(found), method_sentence(pairs(done)))
    second = second or _verdicts(done) or _mattered(view) or _denoising(done)
    if first is None:
        second = second or "no two of the cells that are in can be set against each other."
    elif second is None and len(found) > 1:
        second = f"{_example(found[-1])}."
    first, second = first or _values(done), second or _values(done)
    begun = "" if len(done) == len(cells) else f"so far {len(done)} of {len(cells)} cells are in: "
    first = begun + first
    return first[:1].upper() + first[1:], second[:1].upper() + second[1:]


def _best(found: Sequence[Comparison]) -> str | None:
    """Which way is best: by the one measure, or by how many of several."""
    if len(found) < 2:
        return _best_by(found[0]) if found else None
    winners = Counter(c.best_two[0][0] for c in found if not c.is_level)
    shares = [f"{name} is best by {wins}" for name, wins in winners.most_common(_MOST_NAMED)]
    if n_level := len(found) - winners.total():
        shares.append(f"the best two are level by {n_level}")
    example = _example(found[0])
    return f"of {len(found)} measures, by their means, {in_words(shares)}; {example}."


def _best_by(comparison: Comparison) -> str:
    """Which cell is best by one measure, and how surely."""
    (best, number), (second, other) = comparison.best_two
    search, winner = comparison.ranked[best].cell.search, comparison.ranked[best].winner
    if search and winner and isinstance(search.space, ParameterSpace):
        best += f" ({', '.join(f'{n} {shown_value(v)}' for n, v in winner.values.items())})"
    measure = comparison.measure + (", denoised" if comparison.quantity == "denoised" else "")
    ahead = "level with" if comparison.is_level else _AHEAD[beyond_noise(number, other)]
    return f"{best} has the best {measure}: {number}, {ahead} {second} ({other})."


def _example(comparison: Comparison) -> str:
    """The numbers of the best two."""
    (best, number), (second, other) = comparison.best_two
    return f"{comparison.measure} is {number} for {best}, {other} for {second}"


def method_sentence(found: Sequence[Pair]) -> str | None:
    """How the paper's own method compares with its baseline, or None."""
    if not found:
        return None
    seeds = sorted({len(pair.differences) for pair in found})
    n = Counter(pair.outcome(by_seed=all(seeds)) for pair in found)
    if all(seeds):
        return (
            f"seed by seed over {in_words(map(str, seeds))} seeds, {OURS} is better in "
            f"{n['better']} and worse in {n['worse']} of {len(found)} comparisons with {BASE}; in "
            f"{n['open']} the 95 % interval of the difference holds 0."
        )
    return (
        f"{OURS} is, by the means, better in {n['better']}, worse in {n['worse']} and level in "
        f"{n['level']} of {len(found)} comparisons with {BASE}."
    )


def _verdicts(done: Sequence[CellView]) -> str | None:
    """How many numbers reproduce the paper's, where protocols are equal."""
    n = Counter(v for cell in done for name in cell.measured if (v := verdict(cell, name)))
    if not n:
        return None
    return (
        f"of {n.total()} numbers that can be compared, {n['reproduced']} reproduce the paper's, "
        f"{n['within noise']} are within noise of it, {n['differs']} differ."
    )


def _mattered(view: StudyView) -> str | None:
    """What the results of a search over several parameters depend on, if a cell rests on one."""
    own = [cell.cell.search for cell in view.cells]
    runs = [r for r in joint_runs(view.runs) if r.search in own and len(r.distributions) > 1]
    shares = importances(runs[0]) if len(runs) == 1 else {}
    if not shares:
        return None
    n_trials = len(runs[0].ranked(runs[0].trials))
    named = [f"{share:.0%} to {name}" for name, share in list(shares.items())[:_MOST_NAMED]]
    return f"of the variance over {n_trials} trials, fANOVA gives {in_words(named)}."


def _denoising(done: Sequence[CellView]) -> str | None:
    """What denoising the images does to each measure; every cell against itself alone."""
    both = [(p, c) for c in done if (p := c.cell.protocol) and c.measured.keys() >= set(OUTPUTS)]
    if not both:
        return None
    improved = Counter(p.name for p, cell in both if cell.cost("denoised") < cell.cost("raw"))
    counts = Counter(p.name for p, _ in both)
    parts = [f"{name} in {improved[name]} of {n} cells" for name, n in counts.items()]
    sentence = f"denoising the images improves {in_words(parts)}"
    if len({p for p, _ in both}) > 1:
        return f"{sentence}."
    raw, denoised = (statistics.median(c.measured[w].mean for _, c in both) for w in OUTPUTS)
    return f"{sentence}: its median is {raw:.4g} raw, {denoised:.4g} denoised."


def _values(done: Sequence[CellView]) -> str:
    """The first cells' numbers as they are."""
    shown = [
        f"{cell.cell.name}: " + " / ".join(f"{n} {name}" for name, n in cell.measured.items())
        for cell in done[:_MOST_NAMED]
    ]
    return f"{'; '.join(shown)}."
