"""All figures by name. To add one: a module of this name here, with `figures(scheduler, store)`.

A study names its figures (`Study.figures`). A module describes what the results so far show
(`drawing.description`); `drawing` makes files and charts of that.
"""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

from dashboards.drawing.description import Figure
from scorelib.errors import require_input
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store
from tuning.study import Study

FIGURES = (
    "class_gains", "class_shares", "losses", "noise_levels", "noise_schedules", "pareto_fronts",
    "renormalisation", "score_fields", "searches", "step_sizes", "training_curves",
)  # fmt: skip

_ON_PAGES_ONLY = {"losses"}
"""What has no file: not even read where only files are made."""


def require_figures(study: Study) -> None:
    """Refuses a study that names a figure that is not known, with the nearest name."""
    for name in study.figures:
        near = difflib.get_close_matches(name, FIGURES, n=1, cutoff=0.0)
        require_input(
            name in FIGURES,
            f"a figure of {study.name} must be one of {', '.join(FIGURES)}; got {name!r}, "
            f"did you mean {near[0]!r}?",
        )


def figures(scheduler: Scheduler, store: Store, *, files_only: bool = False) -> Iterator[Figure]:
    """The figures that the results so far make, in the study's order.

    Args:
        scheduler: the study's scheduler.
        store: its store.
        files_only: leave out the modules of which no figure has a file.
    """
    require_figures(scheduler.study)
    for name in scheduler.study.figures:
        if not (files_only and name in _ON_PAGES_ONLY):
            yield from import_module(f"dashboards.figures.{name}").figures(scheduler, store)


def png_files(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """All figures that have a file, as PNG files by name."""
    from dashboards.drawing.png import draw_png  # here: matplotlib takes half a second

    files: dict[str, Figure] = {}
    for figure in figures(scheduler, store, files_only=True):
        if figure.file:
            shared = files.setdefault(figure.file, replace(figure, panels=()))
            files[figure.file] = replace(shared, panels=(*shared.panels, *figure.panels))
    return {name: draw_png(figure) for name, figure in files.items()}
