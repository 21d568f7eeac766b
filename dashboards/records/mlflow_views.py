"""Views of a study's pages in MLflow.

A view determines which runs and columns an MLflow page shows, and in which order. MLflow stores a
view as a tag of the experiment, under a name that a link can contain.

A study is an experiment, which contains the runs of both scales. There are three views for each
scale: the cells of the table, with what people compare; the trials of all searches, best first; and
the trainings. MLflow nests trials under their search only if the page is sorted by time; in any
other order, each trial is a row of its own. Without a view, a page shows all runs, nested.
"""

from collections.abc import Iterator
from typing import Any

from dashboards.records.mlflow_common import metric_name, objective_names
from dashboards.records.mlflow_names import parameter_names
from tuning.spaces import SearchSpace
from tuning.stages import OUTPUTS, Score
from tuning.study import Study

CELLS, TRIALS, TRAININGS = "cells", "trials", "trainings"

_BY_TIME = ("attributes.start_time", True)


def view_name(kind: str, study: Study) -> str:
    """Returns the name of a view, as links contain it.

    Args:
        kind: `CELLS`, `TRIALS` or `TRAININGS`.
        study: study at one scale.
    """
    return f"{kind}-{study.scale}"


def views(study: Study) -> dict[str, dict[str, Any]]:
    """Returns the views of a study's experiment, by name."""
    numbers = list(dict.fromkeys(_numbers(study)))
    tried = [name for s in study.searches for name in _tried(s.space)]
    names = dict.fromkeys(p for s in study.searches for p in s.space.distributions(s.starts))
    found = {
        CELLS: _view(
            "cell",
            [*map(_parameter, parameter_names(study).values()),
             *map(_metric, ("epsilon", "r", *numbers, "within_noise_from", "within_noise_to"))],
        ),
        TRIALS: _view(
            "trial",
            [_tag("search"), *map(_metric, dict.fromkeys(tried)),
             *map(_metric, (f"tried {name}" for name in names)), _metric("r"),
             _metric("n_images"), _metric("number"), _tag("failed")],
            *_best_first(study),
        ),
        TRAININGS: _view(
            "training",
            [_metric("dsm_loss"), _metric("ce_loss"), _metric("gan_loss"),
             _metric("discriminator_loss"), _metric("iteration"), _metric("seconds"),
             "attributes.`Dataset`"],
        ),
    }  # fmt: skip
    of_scale = f" and tags.scale = '{study.scale}'"
    return {
        view_name(kind, study): view | {"searchFilter": view["searchFilter"] + of_scale}
        for kind, view in found.items()
    }


def _numbers(study: Study) -> Iterator[str]:
    """Yields the metric names of the cells' own numbers."""
    for cell in study.cells:
        if cell.is_measured:
            yield from (metric_name(cell.protocol, quantity) for quantity in cell.quantities)


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
    kind: str, columns: list[str], order: str = _BY_TIME[0], ascending: bool = _BY_TIME[1]
) -> dict[str, Any]:
    return {
        "searchFilter": f"tags.kind = '{kind}'",
        "orderByKey": order,
        "orderByAsc": ascending,
        "startTime": "ALL",
        "lifecycleFilter": "Active",
        "datasetsFilter": [],
        "modelVersionFilter": "All Runs",
        "selectedColumns": columns,
        "runsHiddenMode": "SHOW_ALL",
    }


def _metric(name: str) -> str:
    return f"metrics.`{name}`"


def _parameter(name: str) -> str:
    return f"params.`{name}`"


def _tag(name: str) -> str:
    return f"tags.`{name}`"
