"""Answers a study's question in two sentences, computed from the study's numbers alone.

The sentences are the first two of these that are known: exact examples or class shares against a
known value; the best cell, and whether its lead exceeds the noise between seeds; numbers that
reproduce the paper; the most important parameters of a search; the judgements of the paper's
claims; the effect of denoising.
"""

import statistics
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import islice

import pandas as pd

from dashboards.results.cells import CellView, StudyView
from dashboards.results.claims import JUDGEMENTS, judged_claims
from dashboards.results.comparisons import Comparison, comparisons
from dashboards.results.optuna_analyses import importances
from dashboards.results.searches import joint_runs, shown_value
from dashboards.results.verdicts import beyond_noise, verdict
from dashboards.text.formats import in_words
from dashboards.text.table import table_data
from tuning.jobs import Job
from tuning.stages import OUTPUTS, DataShares, NoiseLevel, Renormalisation
from tuning.stages.shares import REACHING

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
    first, second = islice(filter(None, _sentences(view, done)), 2)
    if len(done) < len(cells):
        first = f"{len(done)} of {len(cells)} cells are measured: {first}"
    return first[:1].upper() + first[1:], second[:1].upper() + second[1:]


def _sentences(view: StudyView, done: Sequence[CellView]) -> Iterator[str]:
    """Yields the sentences, the most telling first: at least two, and "" for what is unknown."""
    found = comparisons(done, main_only=True)
    yield from _noise(view)
    yield from _renormalisation(view)
    yield from _shares(view)
    yield _best(found) if found else _values(done)
    yield _verdicts(done)
    yield _mattered(view)
    yield _claims(view)
    yield _denoising(done)
    yield _lead(found[-1]) if len(found) > 1 else ""
    yield _values(done) if found else "no two measured cells can be compared with each other."


def _noise(view: StudyView) -> Iterator[str]:
    """Compares the noise at the last measured point of sampling with the schedule's last level."""
    jobs = [job for cell in view.cells if isinstance(job := cell.cell.job, NoiseLevel)]
    numbers = _numbers(view, NoiseLevel)
    if numbers.empty:
        return
    point, sigma_L = numbers["column"].iloc[-1], jobs[-1].schedule.sigma_L
    noise = numbers[numbers["column"] == point].set_index("row")["value"]
    ends = _listed((noise / sigma_L).sort_values().iloc[[0, -1]], "{:.3g} ({})")
    left = _listed(noise, "{:.4g} for {}")
    yield f"{point}, the standard deviation of the noise in x is {left}."
    yield f"divided by the schedule's last level, {sigma_L:g}, the noise is between {ends}."


def _renormalisation(view: StudyView) -> Iterator[str]:
    """Compares the density with a powered likelihood with the one that score scaling samples."""
    table = _numbers(view, Renormalisation).pivot_table("value", "row", "quantity", sort=False)
    table = table.reindex(columns=["kl", "mean", "std", "scaled_mean", "scaled_std"]).dropna()
    if table.empty:
        return
    most = table.loc[table["kl"].idxmax()]
    yield (
        "the KL divergence of the intended density from the one that score scaling samples is "
        f"{_listed(table['kl'], '{:.3g} at {}')} (in nats; 0 if the two are equal)."
    )
    yield (
        f"they differ most at {most.name}: the intended mean and std are {most['mean']:.4g} and "
        f"{most['std']:.4g}, scaling gives {most['scaled_mean']:.4g} and {most['scaled_std']:.4g}."
    )


def _shares(view: StudyView) -> Iterator[str]:
    """Counts the classes that reach the equal share, and states the range of the shares."""
    numbers = _numbers(view, DataShares)  # and of GeneratedShares, which has the same stage
    is_count = numbers["quantity"] == REACHING
    if counts := _listed(numbers[is_count].set_index("column")["value"], "{:g} ({})"):
        yield f"the number of classes with the equal share in their 95 % interval is {counts}."
    shares = numbers[~is_count].groupby("column", sort=False)["value"]
    least, most = (_listed(ends, "{:.1%} ({})") for ends in (shares.min(), shares.max()))
    yield f"the least share of a class is {least}, the greatest is {most}." if least else ""


def _numbers(view: StudyView, job: type[Job]) -> pd.DataFrame:
    """Returns the known numbers of one stage: "row", "column", "quantity" and "value"."""
    cells = tuple(c for c in view.cells if c.cell.job and c.cell.job.STAGE is job.STAGE)
    columns = ["row", "column", "quantity", "value"]
    return table_data(replace(view, cells=cells)).reindex(columns=columns).dropna()


def _listed(values: pd.Series, form: str) -> str:
    """Lists values with their labels."""
    return in_words(form.format(value, label) for label, value in values.items())


def _best(found: Sequence[Comparison]) -> str:
    """Names the best cell by the first measure and, of several, counts where each cell is best."""
    if len(found) == 1:
        return _lead(found[0])
    leads = [list(comparison.numbers.items())[:2] for comparison in found]
    winners = Counter(name for (name, best), (_, second) in leads if not best.is_level(second))
    counts = [f"{name} is best in {n}" for name, n in winners.most_common(_MOST_NAMED)]
    counts.append(f"the best two are equal to four digits in {len(found) - winners.total()}")
    return f"of {len(found)} measures, compared by means, {in_words(counts)}; {_lead(found[0])}"


def _lead(comparison: Comparison) -> str:
    """Compares the best cell with the second, and their difference with the noise between seeds."""
    (best, number), (second, other), *_ = comparison.numbers.items()
    if chosen := comparison.best.winner:
        best += f" ({', '.join(f'{n} {shown_value(v)}' for n, v in chosen.values.items())})"
    measure = comparison.measure + (" after denoising" if comparison.quantity == "denoised" else "")
    ahead = "the two are equal" if number.is_level(other) else _AHEAD[beyond_noise(number, other)]
    return f"{best} has the best {measure}: {number}, against {other} for {second}; {ahead}."


def _claims(view: StudyView) -> str:
    """Counts the judgements of the claims that have an interval or are exact."""
    judged = [one for one in judged_claims(view) if one.half is not None or one.claim.is_exact]
    n = Counter(one.judgement for one in judged)
    counts = in_words(f'"{judgement}" for {n[judgement]}' for judgement in JUDGEMENTS)
    seeds = in_words(str(n_seeds) for n_seeds in sorted({one.n_seeds for one in judged}))
    return seeds and (
        f"the judgement on {len(judged)} claims of the paper is {counts} (95 % intervals over "
        f"paired seeds: {seeds}); the table of claims gives the intervals."
    )


def _verdicts(done: Sequence[CellView]) -> str:
    """Counts the verdicts on numbers measured by the paper's protocol."""
    n = Counter(v for cell in done for name in cell.measured if (v := verdict(cell, name)))
    counts = in_words(f'"{word}" for {count}' for word, count in n.most_common())
    return counts and f"the verdict on {n.total()} numbers comparable with the paper's is {counts}."


def _mattered(view: StudyView) -> str:
    """States the most important parameters of the one joint search that fills a cell."""
    own = [cell.cell.search for cell in view.cells]
    runs = [r for r in joint_runs(view.runs) if r.search in own and len(r.distributions) > 1]
    if len(runs) != 1 or not (shares := importances(runs[0])):
        return ""
    n_trials = len(runs[0].ranked(runs[0].trials))
    named = [f"{share:.0%} to {name}" for name, share in list(shares.items())[:_MOST_NAMED]]
    return f"of the variance between {n_trials} trials, fANOVA attributes {in_words(named)}."


def _denoising(done: Sequence[CellView]) -> str:
    """Counts the cells that denoising improves, by measure; compares each cell with itself."""
    both = [(p, c) for c in done if (p := c.cell.protocol) and c.measured.keys() >= set(OUTPUTS)]
    improved = Counter(p.name for p, cell in both if cell.cost("denoised") < cell.cost("raw"))
    n_cells, medians = Counter(p.name for p, _ in both), ""
    counts = in_words(f"{name} in {improved[name]} of {n} cells" for name, n in n_cells.items())
    if len({p for p, _ in both}) == 1:  # numbers of different protocols have no common median
        raw, denoised = (statistics.median(c.measured[w].mean for _, c in both) for w in OUTPUTS)
        medians = f"; the median over cells is {raw:.4g} raw and {denoised:.4g} denoised"
    return counts and f"denoising the images improves {counts}{medians}."


def _values(done: Sequence[CellView]) -> str:
    """Lists the numbers of the first cells."""
    shown = [
        f"{cell.cell.name}: " + " / ".join(f"{n} {name}" for name, n in cell.measured.items())
        for cell in done[:_MOST_NAMED]
    ]
    return f"{'; '.join(shown)}."
