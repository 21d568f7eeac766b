"""The numbers of a study as pandas tables of floats, for further computation.

The tables that are displayed hold text (`dashboards.text.table`); these tables hold numbers.
"""

from collections.abc import Sequence

import pandas as pd

from dashboards.results.cells import CellView, StudyView
from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial
from tuning.stages import Score, Snapshot


def number_table(view: StudyView) -> pd.DataFrame:
    """Returns the table of a study as numbers, in the paper's layout.

    Args:
        view: results of the study so far.

    Returns:
        A row for each row of the table. The columns have three levels: the column of the table, the
        quantity, and the number: "value" (mean over seeds), "spread" (standard deviation over
        seeds, n - 1) and, where a cell has them, "reported" (the paper's number) and "difference"
        (value minus reported). Numbers that do not exist are NaN.
    """
    rows: dict[str, dict[tuple[str, str, str], float | None]] = {}
    for cell in view.cells:
        rows.setdefault(cell.cell.row, {}).update(_numbers(cell))
    columns, index = _in_order({column for row in rows.values() for column in row}, view)
    data = [[row.get(column) for column in columns] for row in rows.values()]
    return pd.DataFrame(data, index=pd.Index(list(rows), name="row"), columns=index, dtype=float)


def _in_order(
    columns: set[tuple[str, str, str]], view: StudyView
) -> tuple[list[tuple[str, str, str]], pd.MultiIndex]:
    """Returns the columns in the order of the table, as tuples and as an index.

    The levels of the index have the same order, so that pandas takes the index as sorted.
    """
    cells = [cell.cell for cell in view.cells]
    levels = [
        list(dict.fromkeys(cell.column for cell in cells)),
        list(dict.fromkeys(name for cell in cells for name in cell.quantities)),
        ["value", "spread", "reported", "difference"],
    ]
    coded = sorted(
        tuple(level.index(name) for level, name in zip(levels, column, strict=True))
        for column in columns
    )
    index = pd.MultiIndex(
        levels=levels,
        codes=[[codes[i] for codes in coded] for i in range(len(levels))],
        names=["column", "quantity", "number"],
    )
    return list(index), index


def _numbers(cell: CellView) -> dict[tuple[str, str, str], float | None]:
    own = cell.cell
    found: dict[tuple[str, str, str], float | None] = {}
    for quantity in own.quantities:
        measured, reported = cell.measured.get(quantity), own.reported.get(quantity)
        at = own.column, quantity
        found[*at, "value"] = measured.mean if measured else None
        found[*at, "spread"] = measured.spread if measured else None
        if reported is not None:
            found[*at, "reported"] = reported.value
            if (difference := cell.difference(quantity)) is not None:
                found[*at, "difference"] = difference
    return found


def trial_numbers(run: SearchRun) -> pd.DataFrame:
    """Returns the trials of a search as numbers, in order of proposal.

    Args:
        run: the search.

    Returns:
        A row for each trial on each rung of the fidelity ladder that the trial has reached, indexed
        by "trial" and "rung", both from 0. The columns are the searched parameters, "r" for step
        sizes, the number of "images", the "iteration" of the snapshot, the measured quantities,
        "failed" (the cause) and "is_winner". Numbers that are not measured are NaN.
    """
    rungs = run.rungs()
    winner, last = run.winner, len(rungs) - 1
    rows = [
        _trial(
            trial, number, winner is not None and (trial.number, number) == (winner.number, last)
        )
        for number, rung in enumerate(rungs)
        for trial in rung
    ]
    return _framed(rows)


def _framed(rows: Sequence[dict[str, object]]) -> pd.DataFrame:
    columns = dict.fromkeys(name for row in rows for name in row)
    last = ("failed", "is_winner")
    made = pd.DataFrame(rows, columns=[*(c for c in columns if c not in last), *last])
    if made.empty:
        return made
    return made.set_index(["trial", "rung"]).sort_index()


def _trial(trial: Trial, rung: int, is_winner: bool) -> dict[str, object]:
    job, result = trial.score, trial.result
    size: dict[str, object] = {}
    if isinstance(job, Score):
        size["images"] = job.protocol.n_images
        if isinstance(job.sample.model, Snapshot):
            size["iteration"] = job.sample.model.iteration
    return {
        "trial": trial.number,
        "rung": rung,
        **trial.values,
        **({} if trial.r is None else {"r": trial.r}),
        **size,
        **(dict(result.numbers) if result else {}),
        "failed": result.failed if result else None,
        "is_winner": is_winner,
    }
