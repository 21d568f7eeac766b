"""Answers for studies whose numbers have no better direction: exact examples and class shares.

Each answer compares the numbers with a known value.
"""

from collections.abc import Callable, Sequence

from dashboards.results.cells import CellView
from dashboards.text.formats import in_words
from tuning.jobs import Job
from tuning.stages import DataShares, NoiseLevel, Renormalisation
from tuning.stages.shares import REACHING

Sentences = tuple[str, str]


def exact_answer(done: Sequence[CellView]) -> Sentences | None:
    """Returns two sentences about the measured cells (at least one); None for other studies."""
    for job, sentences in _SENTENCES.items():
        if own := [c for c in done if c.cell.job and c.cell.job.STAGE is job.STAGE]:
            return sentences(own)
    return None


def _noise(cells: Sequence[CellView]) -> Sentences:
    """Compares the noise at the last measured point of sampling with the schedule's last level."""
    last = cells[-1].cell
    assert isinstance(last.job, NoiseLevel)
    sigma_L = last.job.schedule.sigma_L  # the same in all cells
    ends = {c.cell.row: next(iter(c.measured.values())) for c in cells}  # the last cell of each row
    near, far = (pick(ends, key=lambda row: ends[row].mean) for pick in (min, max))
    left = in_words(f"{noise} for {row}" for row, noise in ends.items())
    return (
        f"{last.column}, the standard deviation of the noise in x is {left}.",
        f"divided by the schedule's last level, {sigma_L:g}, the noise is between "
        f"{ends[near].mean / sigma_L:.3g} ({near}) and {ends[far].mean / sigma_L:.3g} ({far}).",
    )


def _renormalisation(cells: Sequence[CellView]) -> Sentences | None:
    """Compares the density with a powered likelihood with the one that score scaling samples."""
    rows: dict[str, dict[str, float]] = {}
    for cell in cells:
        means = {name: number.mean for name, number in cell.measured.items()}
        rows.setdefault(cell.cell.row, {}).update(means)
    needed = {"kl", "mean", "std", "scaled_mean", "scaled_std"}
    rows = {row: of for row, of in rows.items() if needed <= of.keys()}
    if not rows:
        return None
    divergences = in_words(f"{of['kl']:.3g} at {row}" for row, of in rows.items())
    most, of = max(rows.items(), key=lambda item: item[1]["kl"])
    return (
        "the KL divergence of the intended density from the one that score scaling samples is "
        f"{divergences} (in nats; 0 if the two are equal).",
        f"they differ most at {most}: the intended mean and std are {of['mean']:.4g} and "
        f"{of['std']:.4g}, scaling gives {of['scaled_mean']:.4g} and {of['scaled_std']:.4g}.",
    )


def _shares(cells: Sequence[CellView]) -> Sentences:
    """Counts the classes that reach the equal share, and states the range of the shares."""
    counts, spans = [], dict[str, list[float]]()
    for cell in cells:
        name, number = next(iter(cell.measured.items()))
        if name == REACHING:
            counts.append(f"{number.mean:g} ({cell.cell.column})")
        else:
            spans.setdefault(cell.cell.column, []).append(number.mean)
    between = [f"{min(of):.1%} and {max(of):.1%} ({column})" for column, of in spans.items()]
    unknown = "the number of classes that reach the equal share is not known yet."
    reach = counts and f"the equal share is in the 95 % interval of {in_words(counts)} classes."
    lie = between and f"the shares of single classes lie between {in_words(between)}."
    return reach or unknown, lie or "the shares of single classes are not known yet."


_SENTENCES: dict[type[Job], Callable[[Sequence[CellView]], Sentences | None]] = {
    NoiseLevel: _noise,
    Renormalisation: _renormalisation,
    DataShares: _shares,  # and GeneratedShares, which has the same stage
}
