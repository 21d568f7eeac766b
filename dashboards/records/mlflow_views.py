"""Views of a study's pages in MLflow.

A view determines which runs and columns an MLflow page shows, and in which order. MLflow stores a
view as a tag of the experiment, under a name that a link can contain.

A study is an experiment, which contains the runs of both scales. There are four views for each
scale: the cells of the table, with what people compare; charts of what differs between the cells;
the trials of all searches, best first; and the trainings. Runs of other settings, which earlier
launches have made, are no part of a view. MLflow nests trials under their search only if the page
is sorted by time; in any other order, each trial is a row of its own. Without a view, a page shows
all runs, nested.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from dashboards.records.mlflow_common import metric_name, objective_names
from dashboards.records.mlflow_names import parameter_names
from tuning.spaces import SearchSpace
from tuning.stages import OUTPUTS, Score
from tuning.study import Study

CELLS, COMPARISON, TRIALS, TRAININGS = "cells", "compare", "trials", "trainings"

_COMPARED = ("sampler", "n_sigma", "epsilon", "r", "ema", "iteration")
"""Parameters and metrics of cells that people compare first."""
_METRICS = ("epsilon", "r")

_NAME = "attributes.`Run Name`"
_BY_TIME = ("attributes.start_time", True)
_LEAST_WIDTH, _TEXT_WIDTH = 64, 200


def view_name(kind: str, study: Study) -> str:
    """Returns the name of a view, as links contain it.

    Args:
        kind: `CELLS`, `COMPARISON`, `TRIALS` or `TRAININGS`.
        study: study at one scale.
    """
    return f"{kind}-{study.scale}"


def views(study: Study) -> dict[str, dict[str, Any]]:
    """Returns the views of a study's experiment, by name, that no result changes."""
    tried = [name for s in study.searches for name in _tried(s.space)]
    names = dict.fromkeys(p for s in study.searches for p in s.space.distributions(s.starts))
    found = {
        CELLS: _view(_runs("cell", study), _columns_of_cells(study)),
        TRIALS: _view(
            _runs("trial", study),
            [_tag("search"), *map(_metric, dict.fromkeys(tried)),
             *map(_metric, (f"tried {name}" for name in names)), _metric("r"),
             _metric("n_images"), _metric("number"), _tag("failed")],
            *_best_first(study),
        ),
        TRAININGS: _view(
            _runs("training", study),
            [_metric("dsm_loss"), _metric("ce_loss"), _metric("gan_loss"),
             _metric("discriminator_loss"), _metric("iteration"), _metric("seconds"),
             "attributes.`Dataset`"],
        ),
    }  # fmt: skip
    return {view_name(kind, study): view for kind, view in found.items()}


def comparison(study: Study, cells: Sequence[Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """Returns the view that compares the cells in what differs, by name.

    MLflow's own page of a comparison opens with the first three parameters by name. This view shows
    a chart of all parameters that differ with the numbers, and a table of the differences.

    Args:
        study: the study.
        cells: parameters of each finished cell, by short name.
    """
    differ = [
        name for name in dict.fromkeys(name for cell in cells for name in cell)
        if len({str(cell.get(name)) for cell in cells}) > 1
    ]  # fmt: skip
    chart = {"metricSectionId": COMPARISON, "deleted": False, "isGenerated": False}
    charts = [
        chart | {
            "type": "PARALLEL", "uuid": "parallel", "selectedParams": differ,
            "selectedMetrics": _numbers(study), "showAllRuns": True,
        },
        chart | {
            "type": "DIFFERENCE", "uuid": "difference", "chartName": "What differs",
            "compareGroups": ["Parameters", "Model metrics"], "showChangeFromBaseline": False,
            "showDifferencesOnly": True, "baselineColumnUuid": "",
        },
    ]  # fmt: skip
    section = {
        "uuid": COMPARISON, "name": "Comparison of the cells", "display": True,
        "isReordered": False, "deleted": False, "isGenerated": False, "columns": 1,
    }  # fmt: skip
    shown = {"compareRunCharts": charts, "compareRunSections": [section]}
    view = _view(_runs("cell", study), [*map(_parameter, differ)])
    return {view_name(COMPARISON, study): view | shown}


def _runs(kind: str, study: Study) -> str:
    """Returns the filter of a study's runs of a kind at the study's present settings."""
    settings = f"tags.settings = '{study.settings.key}'"
    return f"tags.kind = '{kind}' and tags.scale = '{study.scale}' and {settings}"


def names_of_cells(study: Study) -> list[str]:
    """Returns the names of a list of cells in order: first what people compare, then the rest.

    Args:
        study: the study.
    """
    parameters = list(parameter_names(study).values())
    first = [name for name in _COMPARED if name in (*parameters, *_METRICS)]
    others = [name for name in parameters if name not in _COMPARED]
    return [*first, *_numbers(study), *others, "within_noise_from", "within_noise_to"]


def _columns_of_cells(study: Study) -> list[str]:
    parameters = parameter_names(study).values()
    return [
        _parameter(name) if name in parameters else _metric(name) for name in names_of_cells(study)
    ]


def _numbers(study: Study) -> list[str]:
    """Returns the metric names of the cells' own numbers, each once."""
    names = (
        metric_name(cell.protocol, quantity)
        for cell in study.cells if cell.is_measured for quantity in cell.quantities
    )  # fmt: skip
    return list(dict.fromkeys(names))


def _tried(space: SearchSpace) -> list[str]:
    """Returns the metric names of a search's trials."""
    if isinstance(space.template, Score):
        both = [metric_name(space.protocol, quantity) for quantity in OUTPUTS]
        return [*both, *(name for name in objective_names(space) if name not in both)]
    return objective_names(space)


def _best_first(study: Study) -> tuple[str, bool]:
    """Returns the sort column of trials (the first search's metric) and whether it ascends."""
    if not study.searches:
        return _BY_TIME
    space = study.searches[0].space
    return _metric(objective_names(space)[0]), space.lower_is_better[0]


def _view(
    wanted: str, columns: list[str], order: str = _BY_TIME[0], ascending: bool = _BY_TIME[1]
) -> dict[str, Any]:
    return {
        "searchFilter": wanted,
        "orderByKey": order,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        # On a narrow page MLflow fixes no column, and puts those without an order at the end.
        "columnOrder": [_NAME, *columns],
        "columnWidths": {column: _width(column) for column in columns},
        "runsHiddenMode": "SHOW_ALL",
    }


def _width(column: str) -> int:
    """Returns the width of a column in px: room for its name and for five digits or a text."""
    is_number = column.startswith(("metrics", "params"))
    return max(_LEAST_WIDTH if is_number else _TEXT_WIDTH, 24 + 7 * len(column.split("`")[1]))


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _parameter(name: str) -> str:
    return f"params.`{name}`"


def _tag(name: str) -> str:
    return f"tags.`{name}`"
