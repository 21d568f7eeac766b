"""All figures by name. To add one: a module with `figures(scheduler, store)`, and its line here.

A study names its figures (`Study.figures`). Each name is a module of this folder that describes
what the results so far show (`drawing.description`); `drawing` makes files and charts of that.
"""

import difflib
from collections.abc import Callable, Iterable, Iterator

from dashboards.figures import (
    class_gains,
    class_shares,
    losses,
    noise_levels,
    noise_schedules,
    pareto_fronts,
    renormalisation,
    score_fields,
    searches,
    step_sizes,
    training_curves,
)
from dashboards.figures.drawing.description import Figure, LibraryChart
from scorelib.errors import InputError
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

Described = Iterable[Figure | LibraryChart]

FIGURES: dict[str, Callable[[Scheduler, Store], Described]] = {
    "class_gains": class_gains.figures,
    "class_shares": class_shares.figures,
    "losses": losses.figures,
    "noise_levels": noise_levels.figures,
    "noise_schedules": noise_schedules.figures,
    "pareto_fronts": pareto_fronts.figures,
    "renormalisation": renormalisation.figures,
    "score_fields": score_fields.figures,
    "searches": searches.figures,
    "step_sizes": step_sizes.figures,
    "training_curves": training_curves.figures,
}


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure | LibraryChart]:
    """The figures that the results so far make, in the study's order.

    Raises:
        InputError: if the study names a figure that is not known.
    """
    for name in scheduler.study.figures:
        if name not in FIGURES:
            near = difflib.get_close_matches(name, FIGURES, n=1, cutoff=0.0)
            raise InputError(
                f"{scheduler.study.name}: a figure must be one of {', '.join(FIGURES)}; "
                f"got {name!r}, did you mean {near[0]!r}?"
            )
        yield from FIGURES[name](scheduler, store)


def png_files(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """All figures that have a file, as PNG files by name."""
    from dashboards.figures.drawing.png import draw_png  # here: matplotlib takes half a second

    files: dict[str, list[Figure]] = {}
    for figure in figures(scheduler, store):
        if isinstance(figure, Figure) and figure.file:
            files.setdefault(figure.file, []).append(figure)
    return {name: draw_png(of) for name, of in files.items()}
