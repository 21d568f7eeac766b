"""Answers a study's question in two sentences, computed from the study's numbers alone.

The first sentence names the best cell and says whether its lead exceeds the noise between seeds;
with several measures (`dashboards.results.comparisons`), in how many measures each cell is best.
The second states the first of these that is known: the paper's method against its baseline, numbers
that reproduce the paper, the most important parameters of a search, the effect of denoising.
Studies whose numbers have no better direction have their own sentences (`exact_answers`).
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
    None: "with a single seed, the difference may be chance",
    True: "the difference exceeds the noise between seeds",
    False: "the difference is within the noise between seeds",
}
"""Text for each result of `beyond_noise`; None is the result with a single seed."""


def answer(view: StudyView) -> tuple[str, str]:
    """Returns two sentences that summarise a study's results so far."""
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    done = [cell for cell in cells if cell.measured]
    if not done:
        missing = f"None of {len(cells)} cells is measured yet."
        return missing, "The notes under the table say what is missing and what it will cost."
    found = comparisons(done, main_only=True)
    first, second = exact_answer(done) or (_best(found), method_sentence(pairs(done)))
    second = second or _verdicts(done) or _mattered(view) or _denoising(done)
    if first is None:
        second = second or "no two of the measured cells can be compared with each other."
    elif second is None and len(found) > 1:
        second = f"{_example(found[-1])}."
    first, second = first or _values(done), second or _values(done)
    begun = "" if len(done) == len(cells) else f"{len(done)} of {len(cells)} cells are measured: "
    first = begun + first
    return first[:1].upper() + first[1:], second[:1].upper() + second[1:]


def _best(found: Sequence[Comparison]) -> str | None:
    """Names the best cell by a single measure, or counts the wins over several measures."""
    if len(found) < 2:
        return _best_by(found[0]) if found else None
    winners = Counter(c.best_two[0][0] for c in found if not c.is_level)
    shares = [f"{name} is best in {wins}" for name, wins in winners.most_common(_MOST_NAMED)]
    if n_level := len(found) - winners.total():
        shares.append(f"the best two are equal to four digits in {n_level}")
    example = _example(found[0])
    return f"of {len(found)} measures, compared by their means, {in_words(shares)}; {example}."


def _best_by(comparison: Comparison) -> str:
    """Names the best cell by one measure and compares its lead with the noise between seeds."""
    (best, number), (second, other) = comparison.best_two
    search, winner = comparison.ranked[best].cell.search, comparison.ranked[best].winner
    if search and winner and isinstance(search.space, ParameterSpace):
        best += f" ({', '.join(f'{n} {shown_value(v)}' for n, v in winner.values.items())})"
    measure = comparison.measure + (" after denoising" if comparison.quantity == "denoised" else "")
    ahead = "the two are equal" if comparison.is_level else _AHEAD[beyond_noise(number, other)]
    return f"{best} has the best {measure}: {number}, against {other} for {second}; {ahead}."


def _example(comparison: Comparison) -> str:
    """States the numbers of the best two cells."""
    (best, number), (second, other) = comparison.best_two
    return f"{comparison.measure} is {number} for {best} and {other} for {second}"


def method_sentence(found: Sequence[Pair]) -> str | None:
    """Compares the paper's method with its baseline; returns None if there are no pairs."""
    if not found:
        return None
    seeds = sorted({len(pair.differences) for pair in found})
    n = Counter(pair.outcome(by_seed=all(seeds)) for pair in found)
    if all(seeds):
        return (
            f"compared seed by seed over {in_words(map(str, seeds))} seeds, {OURS} is better than "
            f"{BASE} in {n['better']} and worse in {n['worse']} of {len(found)} comparisons; in "
            f"{n['open']}, the 95 % confidence interval of the difference contains 0."
        )
    return (
        f"compared by the means, {OURS} is better than {BASE} in {n['better']}, worse in "
        f"{n['worse']} and equal to four digits in {n['level']} of {len(found)} comparisons."
    )


def _verdicts(done: Sequence[CellView]) -> str | None:
    """Counts the verdicts on numbers measured by the paper's protocol."""
    n = Counter(v for cell in done for name in cell.measured if (v := verdict(cell, name)))
    if not n:
        return None
    return (
        f"of {n.total()} numbers comparable with the paper's, {n['reproduced']} reproduce the "
        f"paper's value, {n['within noise']} are within noise of it and {n['differs']} differ."
    )


def _mattered(view: StudyView) -> str | None:
    """States the most important parameters of the one joint search that fills a cell."""
    own = [cell.cell.search for cell in view.cells]
    runs = [r for r in joint_runs(view.runs) if r.search in own and len(r.distributions) > 1]
    shares = importances(runs[0]) if len(runs) == 1 else {}
    if not shares:
        return None
    n_trials = len(runs[0].ranked(runs[0].trials))
    named = [f"{share:.0%} to {name}" for name, share in list(shares.items())[:_MOST_NAMED]]
    return f"of the variance between {n_trials} trials, fANOVA attributes {in_words(named)}."


def _denoising(done: Sequence[CellView]) -> str | None:
    """Counts the cells that denoising improves, by measure; compares each cell with itself."""
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
    return f"{sentence}; the median over cells is {raw:.4g} raw and {denoised:.4g} denoised."


def _values(done: Sequence[CellView]) -> str:
    """Lists the numbers of the first cells."""
    shown = [
        f"{cell.cell.name}: " + " / ".join(f"{n} {name}" for name, n in cell.measured.items())
        for cell in done[:_MOST_NAMED]
    ]
    return f"{'; '.join(shown)}."
