"""Figures of searches: history, results against each parameter, and parameter importances."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate
from typing import Any

from optuna.distributions import CategoricalDistribution

from dashboards.drawing.description import BLUE, GREY, ORANGE, Axis, Bars, Figure, Line, Panel
from dashboards.figures.training_curves import curve_panel
from dashboards.results.optuna_analyses import as_optuna, importances
from dashboards.results.searches import alike_runs, joint_runs, shown_value
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.store.documents import as_name
from tuning.store.store import Store

_MOST_PAIRED = 4


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields the figures of all searches.

    Searches over the iteration alone share one figure. Each other search has its history and, if it
    is not over the step size, figures of its parameters.
    """
    alike, joint = alike_runs(scheduler.searches), joint_runs(scheduler.searches)
    choices = choices_of(alike)
    for name, lines in choices.items():
        yield Figure(
            f"Over the iteration: {name}", [curve_panel(name, lines)],
            file="search_iteration.png", about="Searches",
        )  # fmt: skip
    for run in scheduler.searches.values():
        if run.best_so_far and not (choices and run in alike):
            yield _history(run)
            if run in joint:
                yield from _parameters(run)


def _history(run: SearchRun) -> Figure:
    """Describes the result of each trial and the best so far, for the search's first number."""
    trials = sorted(run.ranked(run.trials), key=lambda trial: trial.number)
    x, y = [trial.number for trial in trials], [trial.numbers[0] for trial in trials]
    best = list(accumulate(y, min if run.search.space.lower_is_better[0] else max))
    name = run.search.space.number_names[0]
    marks = [Line(x, y, BLUE, name, dash=""), Line(x, best, ORANGE, "best so far", marker="")]
    panel = Panel(marks, Axis("trial", format=""), Axis(name))
    return Figure(f"{run.search.name}: history", [panel], about="Searches")


def _parameters(run: SearchRun) -> Iterator[Figure]:
    """Yields a joint search's figures: results by parameter, importances, pairs of parameters."""
    shares = importances(run)
    yield slices(run, shares)
    yield from _importances(run, shares)


def slices(run: SearchRun, shares: Mapping[str, float]) -> Figure:
    """Describes a joint search's results against each parameter; later trials are darker.

    Args:
        run: search with at least one finished trial.
        shares: share of the variance by parameter, in [0, 1]; empty while unknown.
    """
    space, trials = run.search.space, run.ranked(run.trials)
    values = [trial.numbers[0] for trial in trials]
    y = Axis(space.measure, is_log=min(values) > 0)
    order, panels = [trial.number for trial in trials], []
    for name, distribution in run.distributions.items():
        tried: list[Any] = [trial.values[name] for trial in trials]
        x = Axis(is_log=bool(getattr(distribution, "log", False)))
        if isinstance(distribution, CategoricalDistribution):
            x = Axis(names=tuple(map(shown_value, distribution.choices)), format="")
            tried = [shown_value(value) for value in tried]
        points = Line(
            tried, values, GREY, dash="", values=order, texts=[f"trial {n}" for n in order]
        )
        share = f" ({shares[name]:.0%} of the variance)" if name in shares else ""
        panels.append(Panel([points], x, y, name + share))
    name = run.search.name
    return Figure(
        f"{name}: each parameter", panels, file=f"search_{as_name(name)}.png",
        heading=f"{name}: {len(trials)} trials", panel_size=(4.0, 3.1), about="Searches",
        scale=Axis("trial", limits=(0, max(1, *order)), format=""),
    )  # fmt: skip


def _importances(run: SearchRun, shares: Mapping[str, float]) -> Iterator[Figure]:
    """Yields the importances, and Optuna's contour plot of the most important parameters."""
    name = run.search.name
    if shares:
        names = tuple(shares)
        bars = Bars(names, list(shares.values()), [BLUE] * len(names))
        y = Axis("share of the variance", limits=(0, 1), format=".0%")
        panel = Panel([bars], Axis(names=names, format=""), y)
        yield Figure(f"{name}: parameter importance (fANOVA)", [panel], about="Searches")
    paired = list(shares)[:_MOST_PAIRED]

    def draw() -> Any:
        from optuna.visualization import plot_contour  # local: plotly takes 0.3 seconds

        names = run.search.space.number_names
        target = (lambda trial: float(trial.values[0])) if len(names) > 1 else None
        return plot_contour(as_optuna(run), params=paired, target=target, target_name=names[0])

    if len(paired) > 1:
        yield Figure(
            f"{name}: pairs of parameters", draw=draw, columns=len(paired), panel_size=(4.0, 2.4),
            about="Searches",
        )  # fmt: skip


def choices_of(alike: Sequence[SearchRun]) -> dict[str, dict[str, dict[int, list[float]]]]:
    """Returns results of searches over the iteration alone, by panel, search and iteration."""
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
