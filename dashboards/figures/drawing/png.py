"""Figures as PNG files, drawn by matplotlib without a screen."""

import io
import math
from collections.abc import Sequence
from typing import Any

import matplotlib
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure as Canvas
from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullLocator

from dashboards.figures.drawing.description import (
    GREY,
    Arrows,
    Axis,
    Bars,
    Figure,
    Level,
    Line,
    Mark,
    Panel,
    Points,
    grid,
)

matplotlib.use("Agg")
from matplotlib import pyplot as plt

_DASHES = {"solid": "-", "dash": "--", "dot": ":"}
_SCALE = "viridis_r"
_MOST_NAMED = 20  # names below a panel; more would run into each other
_MOST_UPRIGHT = 30  # characters of all names below a panel that stand side by side


def as_png(canvas: Canvas) -> bytes:
    """The figure as a file; it is closed. Equal figures are equal files: no version, no date."""
    if canvas.get_layout_engine() is None:
        canvas.tight_layout()
    file = io.BytesIO()
    canvas.savefig(file, format="png", metadata={"Software": None})
    plt.close(canvas)
    return file.getvalue()


def draw_png(figures: Sequence[Figure]) -> bytes:
    """The panels of figures that share a file, and one legend below them.

    Args:
        figures: one or more; the layout and the heading are those of the first.

    Returns:
        A PNG file.
    """
    first, panels = figures[0], [panel for figure in figures for panel in figure.panels]
    rows, columns = grid(panels, first)
    width, height = first.panel_size
    canvas, axes = plt.subplots(
        rows, columns, figsize=(width * columns, height * rows), squeeze=False, dpi=120,
        layout="constrained",
    )  # fmt: skip
    shown = list(axes.flat[: len(panels)])
    for unused in axes.flat[len(panels) :]:
        unused.remove()
    for place, panel in enumerate(panels):
        axis = axes.flat[place]
        shares = place % columns > 0 and panels[place - 1].y == panel.y
        if shares:
            axis.sharey(axes.flat[place - 1])
        _draw_panel(axis, panel, first.scale)
        if shares:
            axis.tick_params(labelleft=False)
            axis.set_ylabel("")
    if first.scale:
        colours = ScalarMappable(Normalize(*first.scale.limits), _SCALE)
        bar = canvas.colorbar(colours, ax=shown, label=first.scale.label, fraction=0.03, aspect=30)
        if first.scale.is_whole:
            bar.locator = MaxNLocator(integer=True)
    if first.has_legend:
        _add_legend(canvas, 2 * columns)
    canvas.suptitle(first.heading, fontsize=11)
    return as_png(canvas)


def _draw_panel(axis: Any, panel: Panel, scale: Axis | None) -> None:
    axis.set_axisbelow(True)
    axis.grid(alpha=0.25, linewidth=0.6)
    for mark in panel.marks:
        _draw_mark(axis, mark, panel.x.names, Normalize(*scale.limits) if scale else None)
    for side, described in (("x", panel.x), ("y", panel.y)):
        _set_axis(axis, side, described)
    axis.set_title(panel.title, fontsize=10)
    axis.tick_params(labelsize=9)


def _draw_mark(axis: Any, mark: Mark, names: Sequence[str], norm: Normalize | None) -> None:
    match mark:
        case Line():
            axis.plot(
                mark.x, mark.y, _DASHES[mark.dash], color=mark.colour, linewidth=mark.width,
                marker="o" if mark.marker else None, markersize=4, label=mark.label,
                fillstyle="none" if mark.marker == "open" else "full",
            )  # fmt: skip
            if mark.halves:
                ends = [
                    [y + side * half for y, half in zip(mark.y, mark.halves, strict=True)]
                    for side in (-1, 1)
                ]
                axis.fill_between(mark.x, *ends, color=mark.colour, alpha=0.2, linewidth=0)
        case Points():
            x = [names.index(name) for name in mark.x] if names else mark.x
            own = {"c": mark.values, "cmap": _SCALE, "norm": norm, "edgecolors": "k", "lw": 0.3}
            how = own if mark.values else {"color": mark.colour}
            axis.scatter(x, mark.y, s=24, label=mark.label, **how)
            for text, *place in zip(mark.texts if mark.has_texts else (), x, mark.y, strict=False):
                axis.annotate(text, place, xytext=(5, -10), textcoords="offset points", fontsize=7)
        case Bars():
            x = [names.index(name) for name in mark.x]
            axis.bar(x, mark.y, width=0.75, color=mark.colours)
            if mark.errors:
                axis.errorbar(
                    x, mark.y, mark.errors, fmt="none", ecolor="k", capsize=3, elinewidth=1
                )
        case Arrows():
            axis.quiver(
                mark.x, mark.y, mark.u, mark.v, mark.values, cmap=_SCALE, norm=norm, scale=26,
                width=0.006,
            )  # fmt: skip
            axis.set_aspect("equal")
        case Level():
            axis.axhline(mark.y, color=GREY, linewidth=0.9, linestyle="--", label=mark.text)


def _set_axis(axis: Any, side: str, described: Axis) -> None:
    axis.set(**{f"{side}label": described.label})
    own = getattr(axis, f"{side}axis")
    if described.is_log:
        axis.set(**{f"{side}scale": "log"})
    if described.limits != (None, None):
        axis.set(**{f"{side}lim": described.limits})
    if described.names:
        is_named = len(described.names) <= _MOST_NAMED
        own.set_ticks(range(len(described.names)), described.names if is_named else None)
        axis.set(**{f"{side}lim": (-0.5, len(described.names) - 0.5)})
        if not is_named:
            own.set_ticks([])
        elif sum(map(len, described.names)) > _MOST_UPRIGHT:
            own.set_tick_params(rotation=50)
    elif described.is_log:
        low, high = getattr(axis, f"get_{side}lim")()
        own.set_minor_locator(NullLocator())
        own.set_major_locator(LogLocator(subs=_steps(math.log10(high / low), described.ticks)))
    elif described.is_whole:
        own.set_major_locator(MaxNLocator(integer=True))
    if described.is_log or described.ticks != "g":
        own.set_major_formatter(FuncFormatter(lambda value, _: format(value, described.ticks)))


def _steps(decades: float, ticks: str) -> tuple[float, ...]:
    """The multiples of powers of ten that have a tick."""
    if decades < 1 and ticks == "g":
        return (1.0, 1.5, 2.0, 3.0, 5.0, 7.0)
    return (1.0, 2.0, 5.0) if decades < 2.5 else (1.0,)


def _add_legend(canvas: Canvas, most: int) -> None:
    """Every label once, below all panels."""
    entries: dict[str, Any] = {}
    for axis in canvas.axes:
        for handle, label in zip(*axis.get_legend_handles_labels(), strict=True):
            entries.setdefault(label, handle)
    if entries:
        canvas.legend(
            entries.values(), entries.keys(), loc="outside lower center", frameon=False, fontsize=9,
            ncols=min(4, most),
        )  # fmt: skip
