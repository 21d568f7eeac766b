"""Answers of studies whose numbers are neither better nor worse: exact ones, and shares of classes.

Each says what its numbers show against what is known: noise against the schedule it should keep to,
the density that scaling follows against the one that is meant, shares against equal ones.
"""

from collections.abc import Callable, Sequence

from dashboards.results.cells import CellView, Measured
from dashboards.text.wording import in_words, number
from tuning.stages import DataShares, GeneratedShares, NoiseLevel, Renormalisation
from tuning.stages.shares import REACHING

Sentences = tuple[str, str]


def exact_answer(done: Sequence[CellView]) -> Sentences | None:
    """Two sentences, or None for a study of another kind.

    Args:
        done: its measured cells, at least one.
    """
    ways: list[tuple[tuple[type, ...], Callable[[Sequence[CellView]], Sentences | None]]] = [
        ((NoiseLevel,), _noise),
        ((Renormalisation,), _renormalisation),
        ((GeneratedShares, DataShares), _shares),
    ]
    for kinds, sentences in ways:
        own = [cell for cell in done if isinstance(cell.cell.job, kinds)]
        if own:
            return sentences(own)
    return None


def _noise(cells: Sequence[CellView]) -> Sentences:
    """How much noise is left at the last quarter that is in, beside the schedule's."""
    ends = {cell.cell.row: cell for cell in cells}  # of each row the last cell
    left = [f"{number(_only(cell))} for {row}" for row, cell in ends.items()]
    times = {}
    for row, cell in ends.items():
        job = cell.cell.job
        assert isinstance(job, NoiseLevel)
        times[row] = _only(cell).mean / job.schedule.sigma_L
    far, near = (pick(times, key=lambda row: times[row]) for pick in (max, min))
    last = cells[-1].cell
    assert isinstance(last.job, NoiseLevel)
    return (
        f"{last.column}, the noise left in x is {in_words(left)}.",
        f"in units of the schedule's last level, {last.job.schedule.sigma_L:g}, that is between "
        f"{times[near]:.3g} ({near}) and {times[far]:.3g} ({far}).",
    )


def _renormalisation(cells: Sequence[CellView]) -> Sentences | None:
    """Whether scaling follows what is meant, by the divergence, and how it differs."""
    found: dict[str, dict[str, float]] = {}
    for cell in cells:
        of = found.setdefault(cell.cell.row, {})
        of.update({name: value.mean for name, value in cell.measured.items()})
    needed = {"kl", "mean", "std", "scaled_mean", "scaled_std"}
    full = {row: of for row, of in found.items() if needed <= of.keys()}
    if not full:
        return None
    parts = [f"{of['kl']:.3g} at {row}" for row, of in full.items()]
    row = max(full, key=lambda name: full[name]["kl"])
    of = full[row]
    return (
        f"the density that is meant diverges from the one that scaling follows by "
        f"{in_words(parts)} (nats; 0 where they are one).",
        f"they differ most at {row}: mean and std {of['mean']:.4g} and {of['std']:.4g} are meant, "
        f"{of['scaled_mean']:.4g} and {of['scaled_std']:.4g} are what scaling follows.",
    )


def _shares(cells: Sequence[CellView]) -> Sentences:
    """How many classes reach the equal share, and between what the shares lie."""
    reaching = [c for c in cells if REACHING in c.measured]
    spans: dict[str, list[float]] = {}
    for cell in cells:
        if REACHING not in cell.measured:
            spans.setdefault(cell.cell.column, []).append(_only(cell).mean)
    counted = [f"{c.measured[REACHING].mean:g} ({c.cell.column})" for c in reaching]
    between = [f"{min(of):.1%} and {max(of):.1%} ({name})" for name, of in spans.items()]
    return (
        f"the equal share is within the interval of {in_words(counted)} classes."
        if counted
        else "how many classes reach the equal share is not known yet.",
        f"the shares of single classes lie between {in_words(between)}."
        if between
        else "the shares of single classes are not known yet.",
    )


def _only(cell: CellView) -> Measured:
    """Its first number."""
    return next(iter(cell.measured.values()))
