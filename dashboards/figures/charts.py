"""Interactive charts of a study for its report: what `figures` draws, to hover and zoom.

Each chart is a plotly figure without colours of its own for paper and ink: the page gives it those
of its scheme. What is drawn comes from `data` and, for searches, from Optuna's own
visualisations.
"""

import statistics
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import optuna.visualization as optuna_charts
import plotly.graph_objects as go
from optuna.trial import FrozenTrial
from plotly.colors import qualitative
from plotly.subplots import make_subplots

from dashboards.figures.curve_figure import Points
from dashboards.figures.data import (
    choices_of,
    class_gains_of,
    losses_of,
    noise_levels_of,
    panels_of,
    schedules_of,
    shares_of,
)
from dashboards.figures.search_figures import epsilon_panels, points_of
from dashboards.figures.shares_figure import Bars
from dashboards.results.optuna_analyses import as_optuna, importances
from dashboards.results.pareto_fronts import multi_objective_runs, number_names
from dashboards.results.searches import alike_runs, joint_runs
from dashboards.results.verdicts import half_interval
from scorelib.schedules import Schedule
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.stages import OUTPUTS
from tuning.store.store import Store

COLOURS = qualitative.Safe
"""Told apart with any colour vision, on light and on dark."""

_SEARCHES: Literal["Searches"] = "Searches"
_LEAST_TRIALS = 2
_AXIS_CHARACTERS = 24
_MOST_CONTOUR_PARAMETERS = 4
_MOST_MARKED = 20
_MOST_NAMED = 6  # more names than that are only shown on hovering


@dataclass(frozen=True)
class Chart:
    """A chart.

    Attributes:
        title: what it shows.
        figure: the plotly figure, without a title.
        about: what it belongs to; such charts stand together.
        panels: how many stand side by side in it.
    """

    title: str
    figure: go.Figure
    about: Literal["Figures", "Searches", "Training"] = "Figures"
    panels: int = 1


def charts(scheduler: Scheduler, store: Store) -> list[Chart]:
    """All charts that the results so far make."""
    results, training = _of_results(scheduler, store), _of_training(scheduler, store)
    return [*results, *_of_searches(scheduler), *training]


def _of_results(scheduler: Scheduler, store: Store) -> Iterator[Chart]:
    yield from _epsilon_curves(scheduler)
    for panel, lines in panels_of(scheduler).items():
        yield Chart(f"{panel}, by iteration", _curves(lines, "iteration", panel))
    noise = noise_levels_of(scheduler)
    if noise:
        yield Chart("Noise through sampling with a perfect score", _noise(*noise))
    for name, bars in shares_of(scheduler).items():
        yield Chart(f"Shares of the classes: {name}", _shares(bars))
    for name, of_classes in class_gains_of(scheduler, store).items():
        yield Chart(f"Ours minus base, by class: {name}", _gains(of_classes))
    for (sigma_1, sigma_L, n_levels), of in _alike_schedules(scheduler).items():
        title = f"Noise schedules, {n_levels} levels from {sigma_1:g} to {sigma_L:g}"
        yield Chart(title, _schedules(of), panels=2)


def _epsilon_curves(scheduler: Scheduler) -> Iterator[Chart]:
    for panel in epsilon_panels(scheduler.searches.values()):
        figure = go.Figure()
        for number, run in enumerate(panel.runs):
            for which in OUTPUTS:
                pairs = points_of(run, which)
                figure.add_scatter(
                    x=[x for x, _ in pairs], y=[y for _, y in pairs], mode="lines+markers",
                    name=f"{run.search.name.split(',')[0]}, {which}",
                    line={"color": COLOURS[number % len(COLOURS)],
                          "dash": "dash" if which == "raw" else "solid"},
                    marker={"symbol": "circle-open" if which == "raw" else "circle", "size": 8},
                    hovertemplate="epsilon %{x:.2g}: %{y:.4g}",
                )  # fmt: skip
        # Ticks at 1, 2 and 5 times the powers of ten.
        figure.update_xaxes(type="log", title="epsilon", dtick="D2", tickformat=".0e")
        figure.update_yaxes(type="log", title=_wrapped(panel.label), dtick="D2", tickformat="~g")
        yield Chart(f"Distance against step size: {panel.title}", figure)


def _wrapped(text: str) -> str:
    """An axis' title in lines short enough for a chart's height."""
    return "<br>".join(textwrap.wrap(text, _AXIS_CHARACTERS))


def _curves(lines: Mapping[str, Points], across: str, up: str) -> go.Figure:
    """Means over seeds with 95 % bands, as `curve_figure` draws them."""
    figure = go.Figure()
    for number, (label, points) in enumerate(lines.items()):
        colour = COLOURS[number % len(COLOURS)]
        steps = sorted(points)
        means = [statistics.fmean(points[s]) for s in steps]
        halves = [half_interval(points[s]) for s in steps]
        figure.add_scatter(
            x=steps, y=means, mode="lines+markers", name=label, line={"color": colour},
            legendgroup=label, customdata=halves,
            hovertemplate="%{x:,}: %{y:.4g}" + (" ±%{customdata:.2g}" if any(halves) else ""),
        )  # fmt: skip
        if any(halves):
            ends = [m + h for m, h in zip(means, halves, strict=True)]
            ends += [m - h for m, h in reversed(list(zip(means, halves, strict=True)))]
            figure.add_scatter(
                x=[*steps, *reversed(steps)], y=ends, fill="toself", mode="lines",
                line={"color": colour, "width": 0}, opacity=0.2, hoverinfo="skip",
                legendgroup=label, showlegend=False,
            )  # fmt: skip
    figure.update_xaxes(title=across)
    figure.update_yaxes(title=_wrapped(up), rangemode="tozero")
    return figure


def _noise(curves: Mapping[str, Sequence[float]], sigmas: Sequence[float]) -> go.Figure:
    figure = go.Figure()
    levels = list(range(1, len(sigmas) + 1))
    figure.add_scatter(x=levels, y=list(sigmas), name="schedule", line={"width": 4})
    for number, (label, curve) in enumerate(curves.items()):
        end, last = len(sigmas), len(curve) - 1
        at = [1 + (end - 1) * k / last for k in range(len(curve))]
        figure.add_scatter(
            x=at, y=list(curve), name=label, line={"color": COLOURS[number % len(COLOURS)]}
        )
    figure.update_xaxes(title="level of the schedule")
    figure.update_yaxes(title="noise", type="log", dtick=1, tickformat="~g")
    return figure


def _shares(bars: Bars) -> go.Figure:
    triples = list(zip(bars.shares, bars.lower, bars.upper, strict=True))
    figure = go.Figure()
    figure.add_bar(
        x=list(range(len(triples))), y=list(bars.shares), marker_color=COLOURS[0],
        error_y={
            "type": "data", "array": [high - share for share, _, high in triples],
            "arrayminus": [share - low for share, low, _ in triples],
        },
        hovertemplate="class %{x}: %{y:.2%}",
    )  # fmt: skip
    figure.add_hline(y=1 / len(triples), line_dash="dash", annotation_text="equal shares")
    figure.update_xaxes(title="class", dtick=1)
    figure.update_yaxes(title="share of the images", tickformat=".0%")
    return figure


def _gains(of_classes: Mapping[int, float]) -> go.Figure:
    ranked = sorted(of_classes.items(), key=lambda item: -item[1])
    figure = go.Figure()
    figure.add_bar(
        x=[str(label) for label, _ in ranked], y=[gain for _, gain in ranked],
        marker_color=[COLOURS[3] if gain >= 0 else COLOURS[1] for _, gain in ranked],
        hovertemplate="class %{x}: %{y:+.3f}",
    )  # fmt: skip
    figure.update_xaxes(title="class", type="category")
    return figure


def _alike_schedules(
    scheduler: Scheduler,
) -> dict[tuple[float, float, int], list[tuple[Schedule, int]]]:
    groups: dict[tuple[float, float, int], list[tuple[Schedule, int]]] = {}
    for schedule, dimensions in schedules_of(scheduler.study):
        ends = (schedule.sigma_1, schedule.sigma_L, schedule.n_levels)
        groups.setdefault(ends, []).append((schedule, dimensions))
    return groups


def _schedules(of: Sequence[tuple[Schedule, int]]) -> go.Figure:
    """Levels, and how well each is covered by the one before."""
    figure = make_subplots(rows=1, cols=2, horizontal_spacing=0.14)
    for number, (schedule, dimensions) in enumerate(of):
        name = schedule.title
        how = {"name": name, "legendgroup": name, "mode": "lines+markers",
               "line": {"color": COLOURS[number % len(COLOURS)]}}  # fmt: skip
        levels = list(range(1, schedule.n_levels + 1))
        figure.add_scatter(x=levels, y=list(schedule.sigmas), **how, row=1, col=1)
        figure.add_scatter(
            x=levels[1:], y=list(schedule.coverages(dimensions)), **how, showlegend=False,
            row=1, col=2,
        )  # fmt: skip
    figure.update_xaxes(title="level")
    figure.update_yaxes(title="sigma", type="log", dtick=1, tickformat="~g", row=1, col=1)
    figure.update_yaxes(
        title=_wrapped("coverage by the level before"), range=[-0.03, 1.03], row=1, col=2
    )
    return figure


def _of_searches(scheduler: Scheduler) -> Iterator[Chart]:
    alike = alike_runs(scheduler.searches)
    for panel, lines in choices_of(alike).items():
        yield Chart(f"Over the iteration: {panel}", _curves(lines, "iteration", panel), _SEARCHES)
    for run in scheduler.searches.values():
        if run in alike or len(run.ranked(run.trials)) < _LEAST_TRIALS:
            continue
        yield from _of_search(run, is_joint=run in joint_runs(scheduler.searches))


def _of_search(run: SearchRun, *, is_joint: bool) -> Iterator[Chart]:
    study, name = as_optuna(run), run.search.name
    names, first = number_names(run), None
    if len(names) > 1:
        first = _first_number
    if run in multi_objective_runs([run]):
        figure = optuna_charts.plot_pareto_front(study, target_names=names)
        yield Chart(f"{name}: the front", figure, _SEARCHES)
    history = optuna_charts.plot_optimization_history(study, target=first, target_name=names[0])
    yield Chart(f"{name}: history", history, _SEARCHES)
    if not is_joint:
        return
    shares = importances(run)
    if shares:
        yield Chart(f"{name}: what mattered (fANOVA)", _importances(shares), _SEARCHES)
    yield Chart(
        f"{name}: each parameter",
        optuna_charts.plot_slice(study, target=first, target_name=names[0]),
        _SEARCHES,
        panels=len(run.distributions),
    )
    ranked = sorted(shares, key=lambda n: -shares[n])[:_MOST_CONTOUR_PARAMETERS]
    if len(ranked) > 1:
        figure = optuna_charts.plot_contour(
            study, params=ranked, target=first, target_name=names[0]
        )
        yield Chart(f"{name}: pairs of parameters", figure, _SEARCHES, panels=len(ranked))


def _first_number(trial: FrozenTrial) -> float:
    return float(trial.values[0])


def _importances(shares: Mapping[str, float]) -> go.Figure:
    ranked = sorted(shares.items(), key=lambda item: item[1])
    figure = go.Figure()
    figure.add_bar(
        x=[share for _, share in ranked], y=[name for name, _ in ranked], orientation="h",
        marker_color=COLOURS[0], hovertemplate="%{y}: %{x:.0%}",
    )  # fmt: skip
    figure.update_xaxes(title="share of the variance", tickformat=".0%", range=[0, 1])
    return figure


def _of_training(scheduler: Scheduler, store: Store) -> Iterator[Chart]:
    for loss, lines in losses_of(scheduler, store).items():
        figure = go.Figure()
        for number, (label, pairs) in enumerate(lines.items()):
            figure.add_scatter(
                x=[i for i, _ in pairs], y=[v for _, v in pairs], name=label,
                mode="lines" if len(pairs) > _MOST_MARKED else "lines+markers",
                line={"color": COLOURS[number % len(COLOURS)], "width": 1.3},
                hovertemplate="%{x:,}: %{y:.4g}",
            )  # fmt: skip
        figure.update_layout(showlegend=len(lines) <= _MOST_NAMED)
        figure.update_xaxes(title="iteration")
        figure.update_yaxes(title=f"{loss} loss")
        yield Chart(f"{loss} loss", figure, "Training")
