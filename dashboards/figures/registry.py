"""All figures by name. To add one: a module of this name here, with `figures(scheduler, store)`.

A study names its figures (`Study.figures`). A module describes what the results so far show
(`drawing.description`); `drawing` makes files and charts of that.
"""

import difflib
from collections.abc import Iterator
from dataclasses import replace
from importlib import import_module

from dashboards.drawing.description import Figure
from scorelib.errors import InputError
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

FIGURES = (
    "class_gains", "class_shares", "losses", "noise_levels", "noise_schedules", "pareto_fronts",
    "renormalisation", "score_fields", "searches", "step_sizes", "training_curves",
)  # fmt: skip


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """The figures that the results so far make, in the study's order.

    Raises:
        InputError: if the study names a figure that is not known.
    """
    for name in scheduler.study.figures:
        if name not in FIGURES:
            (near,) = difflib.get_close_matches(name, FIGURES, n=1, cutoff=0.0)
            raise InputError(
                f"a figure of {scheduler.study.name} must be one of {', '.join(FIGURES)}; "
                f"got {name!r}, did you mean {near!r}?"
            )
        yield from import_module(f"dashboards.figures.{name}").figures(scheduler, store)


def png_files(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """All figures that have a file, as PNG files by name."""
    from dashboards.drawing.png import draw_png  # here: matplotlib takes half a second

    files: dict[str, Figure] = {}
    for figure in figures(scheduler, store):
        if figure.file:
            shared = files.setdefault(figure.file, replace(figure, panels=()))
            files[figure.file] = replace(shared, panels=(*shared.panels, *figure.panels))
    return {name: draw_png(figure) for name, figure in files.items()}
