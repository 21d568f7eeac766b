"""Pareto fronts of multi-objective searches, shown among all trials."""

from collections.abc import Iterator, Sequence

from dashboards.drawing.description import BLUE, GREY, Axis, Figure, Line, Panel
from dashboards.results.pareto_fronts import multi_objective_runs
from dashboards.results.searches import shown_value
from tuning.scheduling.scheduler import Scheduler
from tuning.search.pareto_front import pareto_front
from tuning.spaces.trial import Trial
from tuning.store.documents import as_name
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure of all trials' first two numbers for each search; a line joins the front."""
    for run in multi_objective_runs(list(scheduler.searches.values())):
        name, tried, best = run.search.name, run.ranked(run.trials), pareto_front(run)
        beaten = [trial for trial in tried if trial not in best]
        marks = [Line(*_numbers(best), BLUE, "Pareto front", texts=_values(best))]
        if beaten:
            line = Line(*_numbers(beaten), GREY, "dominated", "", texts=_values(beaten))
            marks.append(line)
        first, second, *_ = run.search.space.number_names
        yield Figure(
            f"{name}: Pareto front", [Panel(marks, Axis(first), Axis(second))],
            panel_size=(7.2, 5.0), file=f"front_{as_name(name)}.png",
            heading=f"{name}: {len(tried)} trials", about="Searches",
        )  # fmt: skip


def _numbers(trials: Sequence[Trial]) -> tuple[list[float], list[float]]:
    return [trial.numbers[0] for trial in trials], [trial.numbers[1] for trial in trials]


def _values(trials: Sequence[Trial]) -> list[str]:
    return [", ".join(f"{n} {shown_value(v)}" for n, v in t.values.items()) for t in trials]
