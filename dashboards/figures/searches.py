"""Searches over more than a step size: every parameter against the number, and what mattered."""

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import Any

from dashboards.figures.drawing.description import (
    BLUE,
    Axis,
    Bars,
    Figure,
    LibraryChart,
    Panel,
    Points,
)
from dashboards.figures.training_curves import curve_panel
from dashboards.results.fronts import number_names
from dashboards.results.searches import (
    alike_runs,
    as_optuna,
    importances,
    joint_runs,
    shown_value,
)
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.store.documents import as_name
from tuning.store.store import Store

_LEAST_TRIALS = 2
_MOST_CONTOUR_PARAMETERS = 4


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure | LibraryChart]:
    """Searches over the iteration alone in one figure; of each other its history and parameters."""
    alike = alike_runs(scheduler.searches)
    choices = choices_of(alike)
    for name, lines in choices.items():
        yield Figure(
            title=f"Over the iteration: {name}", panels=(curve_panel(name, lines),),
            file="search_iteration.png", about="Searches",
        )  # fmt: skip
    joint = joint_runs(scheduler.searches)
    for run in scheduler.searches.values():
        if run.best_so_far and not (choices and run in alike):
            yield from _library_charts(run, is_joint=run in joint)
            if run in joint:
                yield from _of_parameters(run)


def _of_parameters(run: SearchRun) -> Iterator[Figure]:
    name, shares = run.search.name, importances(run)
    yield slices(run, shares)
    if shares:
        names = tuple(shares)
        bars = Bars(x=names, y=list(shares.values()), colours=[BLUE] * len(names))
        panel = Panel(
            x=Axis(names=names, format=""),
            y=Axis(label="share of the variance", limits=(0, 1), ticks=".0%", format=".0%"),
            marks=(bars,),
        )
        title = f"{name}: what mattered (fANOVA)"
        yield Figure(title=title, panels=(panel,), about="Searches")


def slices(run: SearchRun, shares: Mapping[str, float]) -> Figure:
    """Every parameter of a joint search against the number searched by, the later trials darker.

    Args:
        run: a search with a finished trial.
        shares: of the variance, by parameter; may be empty.
    """
    space, trials = run.search.space, run.ranked(run.trials)
    y = Axis(label=f"{space.protocol.name}, {space.output}", is_log=True)
    values = [value for t in trials if t.result and (value := t.result.of(space.output))]
    numbers = [trial.number for trial in trials]
    panels = []
    for name, distribution in run.distributions.items():
        share = f" ({shares[name]:.0%} of the variance)" if name in shares else ""
        tried: list[Any] = [trial.values[name] for trial in trials]
        x = Axis(is_log=True)
        if not getattr(distribution, "log", False):
            x = Axis(names=tuple(map(shown_value, getattr(distribution, "choices", ()))), format="")
            tried = [shown_value(value) for value in tried]
        texts = [f"trial {number}" for number in numbers]
        points = Points(x=tried, y=values, values=numbers, texts=texts)
        panels.append(Panel(title=f"{name}{share}", x=x, y=y, marks=(points,)))
    return Figure(
        title=f"{run.search.name}: each parameter",
        panels=tuple(panels),
        file=f"search_{as_name(run.search.name)}.png",
        heading=f"{run.search.name}: {len(trials)} trials",
        panel_size=(4.0, 3.1),
        scale=Axis(label="trial", limits=(0, max(1, *numbers)), format=""),
        about="Searches",
    )


def _library_charts(run: SearchRun, *, is_joint: bool) -> Iterator[LibraryChart]:
    """Optuna's own: how the search went and, of a joint one, pairs of its parameters."""
    if len(run.ranked(run.trials)) < _LEAST_TRIALS:
        return
    name = run.search.name
    draw = partial(_optuna_chart, run, "plot_optimization_history")
    yield LibraryChart(title=f"{name}: history", draw=draw, about="Searches")
    ranked = list(importances(run))[:_MOST_CONTOUR_PARAMETERS] if is_joint else []
    if len(ranked) > 1:
        yield LibraryChart(
            title=f"{name}: pairs of parameters",
            draw=partial(_optuna_chart, run, "plot_contour", params=ranked),
            shape=(len(ranked), len(ranked)),
            about="Searches",
        )


def _optuna_chart(run: SearchRun, function: str, **options: Any) -> Any:
    """A chart of `optuna.visualization`; of several numbers, of the first."""
    from optuna import visualization  # here: plotly takes a third of a second to import

    names = number_names(run)
    target = (lambda trial: float(trial.values[0])) if len(names) > 1 else None
    draw = getattr(visualization, function)
    return draw(as_optuna(run), target=target, target_name=names[0], **options)


def choices_of(alike: Sequence[SearchRun]) -> dict[str, dict[str, dict[int, list[float]]]]:
    """By panel and search, what searches over the iteration of a snapshot have found of each."""
    panels: dict[str, dict[str, dict[int, list[float]]]] = {}
    for run in alike:
        space = run.search.space
        panel = f"{space.protocol.name}, {space.output}, {space.protocol.n_images:,} images"
        for trial in run.ranked(run.trials):
            value = trial.result.of(space.output) if trial.result else None
            if value is not None and set(trial.values) == {"iteration"}:
                curve = panels.setdefault(panel, {}).setdefault(run.search.name, {})
                curve[int(trial.values["iteration"])] = [value]
    return panels
