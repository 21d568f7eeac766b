"""Draws figures as PNG files with matplotlib; needs no screen.

Nothing here uses pyplot, whose figures and backend belong to the user of the process.
"""

import io
import math
from collections.abc import Sequence
from typing import Any

from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.image import imread
from matplotlib.ticker import LogLocator, MaxNLocator, NullLocator

from dashboards.drawing.description import (
    N_LEVELS,
    Arrows,
    Axis,
    Bars,
    Contours,
    Dash,
    Figure,
    Line,
    Mark,
    Panel,
    Span,
    Symbol,
)  # fmt: skip

_DASHES: dict[Dash, Any] = {
    "solid": "-", "dash": "--", "dot": ":", "dashdot": "-.", "longdash": (0, (10, 3)),
    "longdashdot": (0, (10, 3, 2, 3)), "": "none",
}  # fmt: skip
_SYMBOLS: dict[Symbol, str] = {
    "circle": "o", "square": "s", "diamond": "D", "triangle-up": "^", "cross": "P", "x": "X",
    "star": "*", "hexagon": "h",
}  # fmt: skip
_SCALE = "viridis_r"
_MOST_NAMED = 20  # names below a panel; more names would overlap
_MOST_UPRIGHT = 30  # characters of all names below a panel; longer names are rotated


def as_png(canvas: Canvas) -> bytes:
    """Returns a matplotlib figure as a PNG file.

    The file contains no version and no date, so equal figures give equal files.
    """
    if canvas.get_layout_engine() is None:
        canvas.tight_layout()
    file = io.BytesIO()
    canvas.savefig(file, format="png", metadata={"Software": None})
    return file.getvalue()


def new_figure(size: tuple[float, float], layout: str | None = None) -> Canvas:
    """Returns an empty matplotlib figure.

    Args:
        size: width and height in inches.
        layout: name of a layout engine of matplotlib; None for none.
    """
    return Canvas(figsize=size, dpi=120, layout=layout)  # type: ignore[arg-type]


def read_png(data: bytes) -> Any:
    """Returns the pixels of a PNG file as an array (height, width) or (height, width, channels)."""
    return imread(io.BytesIO(data))


def draw_png(figure: Figure) -> bytes:
    """Draws a figure as a PNG file with one legend below all panels."""
    (rows, columns), (width, height) = figure.shape, figure.panel_size
    canvas = new_figure((width * columns, height * rows), "constrained")
    axes = canvas.subplots(rows, columns, squeeze=False)
    colours = ScalarMappable(Normalize(*figure.scale.limits), _SCALE) if figure.scale else None
    for place, (axis, panel) in enumerate(zip(axes.flat, figure.panels, strict=False)):
        is_shared = place % columns > 0 and figure.panels[place - 1].y == panel.y
        if is_shared:
            axis.sharey(axes.flat[place - 1])
        _draw_panel(axis, panel, colours)
        if is_shared:
            axis.tick_params(labelleft=False)
            axis.set_ylabel("")
    shown = list(axes.flat[: len(figure.panels)])
    for unused in axes.flat[len(figure.panels) :]:
        unused.remove()
    if figure.scale and colours:
        ticks = MaxNLocator(integer=True) if figure.scale.is_whole else None
        canvas.colorbar(colours, ax=shown, label=figure.scale.label, ticks=ticks, fraction=0.03)
    legends = [axis.get_legend_handles_labels() for axis in shown]
    entries = {label: handle for of in legends for handle, label in zip(*of, strict=True)}
    if entries:
        canvas.legend(
            entries.values(), entries.keys(), loc="outside lower center", frameon=False, fontsize=9,
            ncols=min(4, 2 * columns),
        )  # fmt: skip
    canvas.suptitle(figure.heading, fontsize=11)
    return as_png(canvas)


def _draw_panel(axis: Any, panel: Panel, colours: ScalarMappable | None) -> None:
    axis.set_title(panel.title, fontsize=10)
    axis.set_axisbelow(True)
    axis.grid(alpha=0.25, linewidth=0.6)
    axis.tick_params(labelsize=9)
    for mark in panel.marks:
        x, y = _places(mark.x, panel.x), _places(mark.y, panel.y)
        how = {"cmap": _SCALE, "norm": colours.norm if colours else None}
        _draw_mark(axis, mark, x, y, how)
    _set_axis(axis, "x", panel.x)
    _set_axis(axis, "y", panel.y)


def _places(values: Sequence[Any], axis: Axis) -> Sequence[float]:
    """Returns the places of values on an axis: the values, or the positions of names."""
    return [axis.names.index(name) for name in values] if axis.names else values


def _draw_mark(axis: Any, mark: Mark, x: Any, y: Any, coloured: dict[str, Any]) -> None:
    match mark:
        case Line() if mark.values:
            axis.scatter(x, y, c=mark.values, s=24, edgecolors="k", lw=0.3, **coloured)
        case Line():
            axis.plot(
                x, y, color=mark.colour, linestyle=_DASHES[mark.style], linewidth=mark.width,
                marker=_SYMBOLS[mark.symbol] if mark.mark else None, markersize=4,
                markevery=mark.every, label=mark.label,
                fillstyle="none" if mark.mark == "open" else "full",
            )  # fmt: skip
            if mark.halves:
                low, high = mark.band
                axis.fill_between(x, low, high, color=mark.colour, alpha=0.2, linewidth=0)
            for text, *at in zip(mark.texts if mark.style else (), x, y, strict=False):
                axis.annotate(text, at, xytext=(5, -10), textcoords="offset points", fontsize=7)
        case Bars():
            how = {"capsize": 3, "error_kw": {"linewidth": 1}}
            axis.bar(x, y, width=0.75, color=mark.colours, yerr=mark.errors or None, **how)
        case Arrows():
            axis.quiver(x, y, mark.u, mark.v, mark.values, scale=26, width=0.006, **coloured)
            axis.set_aspect("equal")
        case Contours():
            axis.contourf(x, y, mark.values, levels=N_LEVELS, **coloured)
        case Span():
            axis.axvspan(*x, color=mark.colour, alpha=0.12, linewidth=0)


def _set_axis(axis: Any, side: str, own: Axis) -> None:
    axis.set(**{f"{side}label": own.label, f"{side}scale": "log" if own.is_log else "linear"})
    ticks = getattr(axis, f"{side}axis")
    if own.names:
        shown = own.names if len(own.names) <= _MOST_NAMED else ()
        ticks.set_ticks(range(len(shown)), shown)
        ticks.set_tick_params(rotation=50 if sum(map(len, shown)) > _MOST_UPRIGHT else 0)
        axis.set(**{f"{side}lim": (-0.5, len(own.names) - 0.5)})
        return
    if own.limits != (None, None):
        axis.set(**{f"{side}lim": own.limits})
    if own.is_log:
        low, high = getattr(axis, f"get_{side}lim")()
        decades = math.log10(high / low)
        few = (1, 2, 5) if decades < 2.5 else (1,)
        ticks.set_major_locator(LogLocator(subs=(1, 1.5, 2, 3, 5, 7) if decades < 1 else few))
        ticks.set_minor_locator(NullLocator())
        ticks.set_major_formatter("{x:g}")
    elif own.is_whole:
        ticks.set_major_locator(MaxNLocator(integer=True))
    elif own.format.endswith("%"):
        ticks.set_major_formatter("{x:.0%}")
