"""Draws figures as interactive plotly charts.

A chart sets no background and text colours; the page adds the colours of its scheme.
"""

import json
import math
import textwrap
from collections.abc import Iterable, Sequence
from typing import Any

import plotly.graph_objects as go
from plotly.subplots import make_subplots
from plotly.utils import PlotlyJSONEncoder

from dashboards.drawing.description import (
    GREY,
    N_LEVELS,
    Arrows,
    Axis,
    Bars,
    Contours,
    Figure,
    Line,
    Mark,
    Panel,
    Span,
)  # fmt: skip

_LABEL_CHARACTERS = 24
_MOST_LISTED = 8  # labels in a legend; with more there is no legend, only labels on hover
_SCALE: dict[str, Any] = {"colorscale": "Viridis", "reversescale": True}


def draw_chart(figure: Figure) -> go.Figure:
    """Draws a figure as a chart without title."""
    (rows, columns), panels = figure.shape, figure.panels
    gap = 0.08 if len({panel.y for panel in panels[:columns]}) == 1 else 0.4  # room for labels
    chart = make_subplots(
        rows, columns, horizontal_spacing=gap / columns, vertical_spacing=0.3 / rows,
        subplot_titles=[panel.title for panel in panels] if len(panels) > 1 else None,
    )  # fmt: skip
    chart.update_annotations(font_size=12)
    for place, panel in enumerate(panels):
        at = {"row": place // columns + 1, "col": place % columns + 1}
        for mark in panel.marks:
            _draw_mark(chart, mark, _hover(panel), at)
        chart.update_xaxes(**_axis(panel.x, [v for mark in panel.marks for v in mark.x]), **at)
        chart.update_yaxes(**_axis(panel.y, [v for mark in panel.marks for v in mark.y]), **at)
        has_arrows = any(isinstance(mark, Arrows) for mark in panel.marks)
        if has_arrows:
            chart.update_yaxes(scaleanchor=f"x{place + 1}", constrain="domain", **at)
        if at["col"] > 1 and panels[place - 1].y == panel.y:
            left = None if has_arrows else f"y{place}"
            chart.update_yaxes(matches=left, showticklabels=False, title="", **at)
    if figure.scale:
        low, high = figure.scale.limits
        bar = {"title": {"text": figure.scale.label, "side": "right"}}
        chart.update_layout(coloraxis=_SCALE | {"cmin": low, "cmax": high, "colorbar": bar})
    labels = {""}
    for trace in chart.data:
        trace.showlegend = trace.name not in labels
        labels.add(trace.legendgroup or "")
    return chart.update_layout(showlegend=len(labels) - 1 <= _MOST_LISTED)


def figures_as_json(figures: Iterable[Any]) -> str:
    """Returns plotly figures, or objects that hold them, as a JSON list for a page.

    Every "<" is escaped, so that a label that contains "</script>" cannot end a script element.
    """
    return json.dumps(list(figures), cls=PlotlyJSONEncoder).replace("<", "\\u003c")


def _draw_mark(chart: go.Figure, mark: Mark, hover: str, at: dict[str, int]) -> None:
    match mark:
        case Line():
            lines = "lines" if mark.style else ""
            chart.add_scatter(
                x=mark.x, y=mark.y, name=mark.label, legendgroup=mark.label,
                mode="+".join(filter(None, (lines, mark.mark and "markers"))),
                line={"color": mark.colour, "dash": mark.style or None, "width": 1.4 * mark.width},
                marker={"symbol": mark.symbol + ("-open" if mark.mark == "open" else ""), "size": 7,
                        "maxdisplayed": 0 if mark.every == 1 else len(mark.x) // mark.every}
                | _colours(mark.values or mark.colour),
                customdata=mark.halves or None, text=mark.texts or None,
                hovertemplate=("%{text}<br>" if mark.texts else "") + hover
                + (" ±%{customdata:.2g}" if mark.halves else ""), **at,
            )  # fmt: skip
            if mark.halves:
                low, high = mark.band
                chart.add_scatter(
                    x=[*mark.x, *reversed(mark.x)], y=[*high, *reversed(low)], fill="toself",
                    mode="lines", line={"color": mark.colour, "width": 0}, opacity=0.2, name="",
                    hoverinfo="skip", legendgroup=mark.label, **at,
                )  # fmt: skip
        case Bars():
            below, above = mark.errors or (None, None)
            errors = {"array": above, "arrayminus": below} if mark.errors else None
            chart.add_bar(
                x=mark.x, y=mark.y, marker_color=mark.colours, error_y=errors, name="",
                hovertemplate=hover, **at,
            )  # fmt: skip
        case Arrows():
            turned = [math.degrees(math.atan2(*uv)) for uv in zip(mark.u, mark.v, strict=True)]
            chart.add_scatter(
                x=mark.x, y=mark.y, mode="markers", name="", customdata=mark.values,
                marker={"symbol": "arrow", "angle": turned, "size": 7} | _colours(mark.values),
                hovertemplate="%{x:.3g}, %{y:.3g}: %{customdata:.3g}", **at,
            )  # fmt: skip
        case Contours():
            chart.add_contour(
                x=mark.x, y=mark.y, z=mark.values, coloraxis="coloraxis", ncontours=N_LEVELS,
                line={"width": 0}, name="", hovertemplate="%{z:.3g}", **at,
            )  # fmt: skip
        case Span():
            chart.add_vrect(
                *mark.x, fillcolor=mark.colour, opacity=0.12, line_width=0, layer="below",
                exclude_empty_subplots=False, **at,
            )  # fmt: skip


def _colours(of: Any) -> dict[str, Any]:
    if isinstance(of, str):
        return {"color": of}
    # The ends of the scale are near the colour of a light or of a dark page.
    edge = {"color": GREY, "width": 1}
    return {"color": list(of), "coloraxis": "coloraxis", "line": edge}


def _hover(panel: Panel) -> str:
    """Returns the hover template of a panel's points: both values, in the formats of the axes."""
    x, y = (f":{axis.format}" if axis.format else "" for axis in (panel.x, panel.y))
    return f"{panel.x.label} %{{x{x}}}: %{{y{y}}}"


def _axis(axis: Axis, values: Sequence[Any]) -> dict[str, Any]:
    """Returns plotly's settings of an axis that shows the given values."""
    label = "<br>".join(textwrap.wrap(axis.label, _LABEL_CHARACTERS))
    made: dict[str, Any] = {"title": label, "exponentformat": "e"}
    low, high = axis.limits
    if axis.names:
        return made | {
            "type": "category", "categoryorder": "array", "categoryarray": axis.names,
            "range": [-0.5, len(axis.names) - 0.5],
        }  # fmt: skip
    if axis.is_log:
        limits = [math.log10(low), math.log10(high)] if low and high else None
        span = (high or max(values, default=1)) / (low or min(values, default=1))
        ticks: dict[str, Any] = {"dtick": "D2" if span < 100 else 1, "tickformat": "~g"}  # 1, 2, 5
        if span < 5:  # the range may contain none of these ticks
            ticks = {"minorloglabels": "complete", "nticks": 4}
        return made | {"type": "log", "range": limits} | ticks
    made["tickformat"] = ".0%" if axis.format.endswith("%") else None
    return made | {"autorangeoptions": {"minallowed": low, "maxallowed": high}}
