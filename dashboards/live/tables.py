"""A study's table as it fills: what each cell shows now, beside the paper's numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from dashboards.results.cells import CellView, StudyView
from dashboards.results.verdicts import verdict
from dashboards.text.rounding import rounded
from tuning.search.search import SearchRun

State = Literal["done", "failed", "measuring", "searching", "open", "reported"]


@dataclass(frozen=True)
class LiveCell:
    """A cell of the table.

    Attributes:
        number: place of the cell in the study's cells, from 0.
        state: "done", "failed", "measuring" (its seeds), "searching" (the best settings), "open"
            (nothing is known yet), or "reported" (not measured; only the paper's number).
        text: our numbers, rounded to their spread, or what is known so far.
        more: further texts with their kinds: the paper's number, the difference, the verdict.
    """

    number: int
    state: State
    text: str
    more: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class LiveTable:
    """A table as it fills.

    Attributes:
        columns: labels of the columns.
        rows: label and cells of each row; None where the table has no cell.
    """

    columns: Sequence[str]
    rows: Sequence[tuple[str, Sequence[LiveCell | None]]]


def live_table(view: StudyView) -> LiveTable:
    """Returns the table of a study as it is now.

    Args:
        view: results of the study so far.
    """
    columns = list(dict.fromkeys(cell.cell.column for cell in view.cells))
    rows: dict[str, dict[str, LiveCell]] = {}
    for number, cell in enumerate(view.cells):
        rows.setdefault(cell.cell.row, {})[cell.cell.column] = _live(number, cell, view.runs)
    return LiveTable(
        columns, [(row, [of.get(column) for column in columns]) for row, of in rows.items()]
    )


def _live(number: int, cell: CellView, runs: Mapping[str, SearchRun]) -> LiveCell:
    own = cell.cell
    known = [name for name in own.quantities if name in own.reported]
    paper = " / ".join(f"{own.reported[name].value:g}" for name in known)
    samples = dict.fromkeys(filter(None, (own.papers_samples(name) for name in known)))
    more = [(", ".join(["paper", *samples]), paper)] if known else []
    differences = {name: cell.difference(name) for name in own.quantities}
    if any(d is not None for d in differences.values()):
        shown = ("-" if d is None else f"{d:+.3g}" for d in differences.values())
        more.append(("difference", " / ".join(shown)))
        words = (
            "-" if d is None else verdict(cell, name) or "one seed"
            for name, d in differences.items()
        )  # fmt: skip
        more.append(("verdict", " / ".join(words)))
    state, text = _now(cell, runs)
    return LiveCell(number, state, text, tuple(more))


def _now(cell: CellView, runs: Mapping[str, SearchRun]) -> tuple[State, str]:
    own = cell.cell
    if not own.is_measured:
        return "reported", "not measured"
    if cell.failed:
        return "failed", f"failed: {cell.failed}"
    if cell.measured:
        names = own.quantities
        return "done", " / ".join(
            rounded(cell.measured[name]) if name in cell.measured else "-" for name in names
        )
    if own.search is not None and cell.winner is None:
        run = runs[own.search.name]
        tried = sum(trial.result is not None for trial in run.trials)
        of = f"{tried} of {run.search.n_trials} trials"
        if cell.best_so_far is None or cell.best_so_far.value is None:
            return "open", f"open, {of}"
        return "searching", f"best so far {cell.best_so_far.value:.4g}, {of}"
    if cell.winner is None and cell.n_missing == own.n_seeds:
        return "open", "open"
    best = cell.winner.value if cell.winner else None
    chosen = "" if best is None else f"best trial {best:.4g}, "
    return "measuring", f"{chosen}{own.n_seeds - cell.n_missing} of {own.n_seeds} seeds"
