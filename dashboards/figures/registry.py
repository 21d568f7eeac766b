"""All figures by name. To add a figure, add its name here and a module of that name.

The module needs a function `figures(scheduler, store)` that yields descriptions of the results so
far (`drawing.description`); the package `drawing` turns descriptions into files and charts. A study
lists the names of its figures in `Study.figures`.
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
    "class_gains", "class_shares", "losses", "metrics", "noise_levels", "noise_schedules",
    "pareto_fronts", "renormalisation", "score_fields", "searches", "step_sizes", "training_curves",
)  # fmt: skip

_ON_PAGES_ONLY = {"losses"}
"""Figures without a file; they are skipped if only files are made."""


def require_figures(study: Study) -> None:
    """Raises InputError, with the closest known name, if a study names an unknown figure."""
    for name in study.figures:
        near = difflib.get_close_matches(name, FIGURES, n=1, cutoff=0.0)
        require_input(
            name in FIGURES,
            f"a figure of {study.name} must be one of {', '.join(FIGURES)}; got {name!r}, "
            f"did you mean {near[0]!r}?",
        )


def figures(scheduler: Scheduler, store: Store, *, files_only: bool = False) -> Iterator[Figure]:
    """Yields the figures of the results so far, in the study's order.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
        files_only: whether to skip the modules whose figures have no file.

    Raises:
        InputError: the study names an unknown figure.
    """
    require_figures(scheduler.study)
    for name in scheduler.study.figures:
        if not (files_only and name in _ON_PAGES_ONLY):
            yield from import_module(f"dashboards.figures.{name}").figures(scheduler, store)


def png_files(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """Draws all figures that have a file; returns PNG files by name."""
    from dashboards.drawing.png import draw_png  # local: matplotlib takes half a second

    files: dict[str, Figure] = {}
    for figure in figures(scheduler, store, files_only=True):
        if figure.file:
            shared = files.setdefault(figure.file, replace(figure, panels=()))
            files[figure.file] = replace(shared, panels=(*shared.panels, *figure.panels))
    return {name: draw_png(figure) for name, figure in files.items()}
