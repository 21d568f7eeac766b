"""The Pareto front of a search by several numbers, among its trials."""

from collections.abc import Iterator, Sequence

from dashboards.figures.drawing.description import (
    BLUE,
    GREY,
    Axis,
    Figure,
    Line,
    Panel,
    Points,
)
from dashboards.results.fronts import multi_objective_runs, number_names
from dashboards.results.searches import shown_value
from tuning.scheduling.scheduler import Scheduler
from tuning.search.pareto_front import front, numbers
from tuning.search.search import SearchRun
from tuning.spaces.trial import Trial
from tuning.store.documents import as_name
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Every trial by its first two numbers, the front joined, with its values."""
    for run in multi_objective_runs(list(scheduler.searches.values())):
        name, tried, best = run.search.name, run.ranked(run.trials), front(run)
        on_front = _points(run, best, BLUE)
        beaten = _points(run, [t for t in tried if t not in best], GREY, "beaten")
        x, y = _numbers(run, best)
        line = Line(x=x, y=y, colour=BLUE, label="front", marker="filled")
        marks = (beaten, line, on_front) if beaten.x else (line, on_front)
        first, second, *_ = number_names(run)
        yield Figure(
            title=f"{name}: the front",
            panels=(Panel(x=Axis(label=first), y=Axis(label=second), marks=marks),),
            file=f"front_{as_name(name)}.png",
            heading=f"{name}: {len(tried)} trials",
            panel_size=(7.2, 5.0),
            about="Searches",
        )


def _points(run: SearchRun, trials: Sequence[Trial], colour: str, label: str = "") -> Points:
    x, y = _numbers(run, trials)
    texts = [", ".join(f"{n} {shown_value(v)}" for n, v in t.values.items()) for t in trials]
    return Points(x=x, y=y, colour=colour, label=label, texts=texts, has_texts=not label)


def _numbers(run: SearchRun, trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    """The first and the second number of each trial."""
    pairs = [numbers(run, trial) for trial in trials]
    return [pair[0] for pair in pairs], [pair[1] for pair in pairs]
