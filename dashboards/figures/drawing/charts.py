"""Figures as interactive charts, drawn by plotly.

A chart has no colours of its own for paper and ink: the page gives it those of its scheme.
"""

import math
import textwrap
from collections.abc import Sequence
from typing import Any, Literal

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from dashboards.figures.drawing.description import (
    GREY,
    Arrows,
    Axis,
    Bars,
    Figure,
    Level,
    LibraryChart,
    Line,
    Mark,
    Panel,
    Points,
)

_LABEL_CHARACTERS = 24
_FEW_TICKS, _MOST_TICKS = 5, 1e3
"""Highest by lowest value of a logarithmic axis as wide as the chart: between the two, ticks are at
1, 2 and 5 times the powers of ten; above, only at these; below, where plotly likes."""


def draw_chart(figure: Figure | LibraryChart) -> go.Figure:
    """The chart, without its title."""
    if isinstance(figure, LibraryChart):
        return figure.draw()
    rows, columns = figure.shape
    titles = [panel.title for panel in figure.panels] if len(figure.panels) > 1 else None
    chart = make_subplots(
        rows, columns, subplot_titles=titles, horizontal_spacing=_gap(figure) / columns,
        vertical_spacing=0.25 / rows,
    )  # fmt: skip
    chart.update_annotations(font_size=12)
    for place, panel in enumerate(figure.panels):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        for mark in panel.marks:
            _draw_mark(chart, mark, panel, at)
        chart.update_xaxes(**_axis_of(panel, "x", columns), **at)
        chart.update_yaxes(**_axis_of(panel, "y", 1), **at)
        has_arrows = any(isinstance(mark, Arrows) for mark in panel.marks)
        if has_arrows:
            chart.update_yaxes(scaleanchor=f"x{place + 1}", constrain="domain", **at)
        if at["col"] > 1 and figure.panels[place - 1].y == panel.y:
            left = None if has_arrows else f"y{place}"
            chart.update_yaxes(matches=left, showticklabels=False, title="", **at)
    if figure.scale:
        low, high = figure.scale.limits
        chart.update_layout(coloraxis={
            "colorscale": "Viridis", "reversescale": True, "cmin": low, "cmax": high,
            "colorbar": {"title": {"text": figure.scale.label, "side": "right"}},
        })  # fmt: skip
    _list_once(chart)
    return chart.update_layout(showlegend=figure.has_legend)


def _gap(figure: Figure) -> float:
    """Between panels, of a panel's width; panels that share an axis need no room for another."""
    return 0.08 if len({panel.y for panel in figure.panels[: figure.shape[1]]}) == 1 else 0.4


def _draw_mark(chart: go.Figure, mark: Mark, panel: Panel, at: dict[str, int]) -> None:
    hover = {"hovertemplate": _hover(panel)}
    match mark:
        case Line():
            _draw_line(chart, mark, hover["hovertemplate"], at)
        case Points():
            own = {"color": list(mark.values), "coloraxis": "coloraxis"}
            if mark.texts:
                hover = {"hovertemplate": "%{text}<br>" + hover["hovertemplate"]}
            marker = {"size": 8} | (own if mark.values else {"color": mark.colour})
            chart.add_scatter(
                x=mark.x, y=mark.y, name=mark.label, mode="markers", text=mark.texts or None,
                marker=marker, **hover, **at,
            )  # fmt: skip
        case Bars():
            below, above = mark.errors or (None, None)
            chart.add_bar(
                x=mark.x, y=mark.y, marker_color=mark.colours, name="", **hover, **at,
                error_y={"array": above, "arrayminus": below} if mark.errors else None,
            )  # fmt: skip
        case Arrows():
            turned = [math.degrees(math.atan2(*uv)) for uv in zip(mark.u, mark.v, strict=True)]
            chart.add_scatter(
                x=mark.x, y=mark.y, mode="markers", name="", customdata=mark.values,
                marker={
                    "symbol": "arrow", "angle": turned, "size": 7, "color": list(mark.values),
                    "coloraxis": "coloraxis",
                },
                hovertemplate="%{x:.3g}, %{y:.3g}: %{customdata:.3g}", **at,
            )  # fmt: skip
        case Level():
            chart.add_hline(
                y=mark.y, line={"color": GREY, "dash": "dash", "width": 1},
                annotation_text=mark.text, **at,
            )  # fmt: skip


def _draw_line(chart: go.Figure, mark: Line, hover: str, at: dict[str, int]) -> None:
    symbol = "circle-open" if mark.marker == "open" else "circle"
    if mark.halves:
        hover += " ±%{customdata:.2g}"
    chart.add_scatter(
        x=mark.x, y=mark.y, name=mark.label, mode="lines+markers" if mark.marker else "lines",
        line={"color": mark.colour, "dash": mark.dash, "width": 1.4 * mark.width},
        marker={"symbol": symbol, "size": 7}, customdata=mark.halves or None, hovertemplate=hover,
        **at,
    )  # fmt: skip
    if mark.halves:
        pairs = list(zip(mark.y, mark.halves, strict=True))
        chart.add_scatter(
            x=[*mark.x, *reversed(mark.x)],
            y=[y + half for y, half in pairs] + [y - half for y, half in reversed(pairs)],
            fill="toself", mode="lines", line={"color": mark.colour, "width": 0}, opacity=0.2,
            hoverinfo="skip", legendgroup=mark.label, showlegend=False, **at,
        )  # fmt: skip


def _hover(panel: Panel) -> str:
    """What is shown of a point: both values, in the axes' formats."""
    x, y = (f"{side}:{axis.format}" if axis.format else side
            for side, axis in (("x", panel.x), ("y", panel.y)))  # fmt: skip
    return f"{panel.x.label} %{{{x}}}: %{{{y}}}"


def _axis_of(panel: Panel, side: Literal["x", "y"], columns: int) -> dict[str, Any]:
    """Plotly's words for an axis."""
    axis: Axis = getattr(panel, side)
    label = "<br>".join(textwrap.wrap(axis.label, _LABEL_CHARACTERS))
    made: dict[str, Any] = {"title": label, "exponentformat": "e"}
    if axis.names:
        made |= {"type": "category", "categoryorder": "array", "categoryarray": axis.names,
                 "range": [-0.5, len(axis.names) - 0.5]}  # fmt: skip
    elif axis.is_log:
        marks = [mark for mark in panel.marks if not isinstance(mark, Level)]
        made |= _log_axis(axis, [v for mark in marks for v in getattr(mark, side)], columns)
    else:
        low, high = axis.limits
        made["autorangeoptions"] = {"minallowed": low, "maxallowed": high}
    return made if axis.ticks == "g" else made | {"tickformat": axis.ticks}


def _log_axis(axis: Axis, values: Sequence[float], columns: int) -> dict[str, Any]:
    made: dict[str, Any] = {"type": "log"}
    low, high = axis.limits
    if low and high:
        made["range"] = [math.log10(low), math.log10(high)]
    ratio = (high or max(values, default=1)) / (low or min(values, default=1))
    if ratio > _FEW_TICKS:
        is_wide = ratio > _MOST_TICKS ** (1 / columns)
        made |= {"dtick": 1 if is_wide else "D2", "tickformat": "~g"}
    return made


def _list_once(chart: go.Figure) -> None:
    """Lets every label stand in the legend once, whatever the number of its panels."""
    listed = {""}
    for trace in chart.data:
        if trace.name is not None:
            trace.legendgroup, trace.showlegend = trace.name, trace.name not in listed
            listed.add(trace.name)
