"""The list of a study's cells: what MLflow's list of cells and its comparison show.

MLflow's own pages have little room for either on a phone. A study's page therefore shows the same
names, columns and values.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from dashboards.records.mlflow_names import run_name
from dashboards.records.mlflow_records import cell_metrics, cell_parameters
from dashboards.records.mlflow_views import names_of_cells
from dashboards.results.cells import StudyView
from tuning.scheduling.scheduler import Scheduler


@dataclass(frozen=True)
class ListedCell:
    """A finished cell.

    Attributes:
        number: place of the cell in the study's cells, from 0.
        name: name of the cell's run in MLflow, which begins with what differs.
        values: the cell's values as texts, one for each column; "" where the cell has none.
    """

    number: int
    name: str
    values: Sequence[str]


@dataclass(frozen=True)
class CellList:
    """The finished cells of a study.

    Attributes:
        columns: names of the values, in the order of MLflow's list.
        cells: the finished cells, in the order of the table.
        equal: values that all cells have in common, as texts; their names are no columns.
    """

    columns: Sequence[str]
    cells: Sequence[ListedCell]
    equal: Mapping[str, str]


def cell_list(view: StudyView, scheduler: Scheduler) -> CellList:
    """Returns the list of a study's finished cells.

    Args:
        view: results of the study so far.
        scheduler: scheduler that holds the results.
    """
    found = []
    for number, cell in enumerate(view.cells):
        jobs = scheduler.cell_jobs(cell.cell)
        if cell.is_done and jobs:
            values = cell_parameters(view.study, cell, jobs) | cell_metrics(cell)
            found.append((number, run_name(view.study, cell.cell), values))
    chosen = (name for cell in view.cells if cell.winner for name in cell.winner.values)
    wanted = list(dict.fromkeys([*names_of_cells(view.study), *chosen]))
    columns, equal = [], {}
    for name in wanted:
        of = [values.get(name) for *_, values in found]
        if len(of) > 1 and len(set(map(str, of))) == 1:
            equal[name] = _text(of[0])
        elif any(value is not None for value in of):
            columns.append(name)
    cells = [
        ListedCell(number, name, [_text(values.get(column)) for column in columns])
        for number, name, values in found
    ]
    return CellList(columns, cells, {name: text for name, text in equal.items() if text})


def _text(value: object) -> str:
    """Returns a value as text: numbers with four digits, "" for None."""
    if value is None:
        return ""
    return f"{value:.4g}" if isinstance(value, float) else str(value)
