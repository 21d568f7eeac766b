"""A figure as data: panels with axes, and marks on them. Two backends draw the same description.

`drawing.png` makes files of it, `drawing.charts` the charts of a page. A description names no
library: a figure is written once, and tests can read what it shows.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import cycle
from typing import Any, Literal

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#cc79a7", "#56b4e9", "#8c564b", "#9a9a1a")
"""Told apart with most colour vision, on light paper and on dark (after Okabe and Ito, 2008)."""
GREY = "#808080"
"""Of what others are compared with: seen on light paper and on dark."""
MOST_MARKED = 20
"""Points of a line that are marked one by one; more run into each other."""

About = Literal["Figures", "Searches", "Training"]


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, in order; after the last colour the first one comes again."""
    return dict(zip(dict.fromkeys(names), cycle(COLOURS), strict=False))


@dataclass(frozen=True, kw_only=True)
class Axis:
    """An axis. Panels of one row whose vertical axes are equal share the scale.

    Attributes:
        label: what its values are.
        is_log: whether it is logarithmic.
        limits: lowest and highest value shown; None where the data decide.
        names: the categories in order, where the values are names.
        ticks: format of the values at the ticks (Python's and d3's alike).
        format: format of a value that is pointed at; "" for whole numbers and names.
    """

    label: str = ""
    is_log: bool = False
    limits: tuple[float | None, float | None] = (None, None)
    names: tuple[str, ...] = ()
    ticks: str = "g"
    format: str = ".4g"

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers."""
        return self.format in ("", ",")


@dataclass(frozen=True, kw_only=True)
class Line:
    """Points joined by a line, and the band around them.

    Attributes:
        x: values along the horizontal axis, (n,).
        y: values along the vertical axis, (n,).
        colour: as "#rrggbb".
        label: in the legend; lines of one label are one entry.
        dash: how the line is broken.
        width: points.
        marker: how each point is marked; "" for not at all.
        halves: half widths of the band, (n,); () for no band.
    """

    x: Sequence[float]
    y: Sequence[float]
    colour: str
    label: str = ""
    dash: Literal["solid", "dash", "dot"] = "solid"
    width: float = 1.4
    marker: Literal["", "filled", "open"] = ""
    halves: Sequence[float] = ()


@dataclass(frozen=True, kw_only=True)
class Points:
    """Points that are not joined.

    Attributes:
        x: values along the horizontal axis or, on an axis with names, names, (n,).
        y: values along the vertical axis, (n,).
        colour: as "#rrggbb".
        label: in the legend.
        values: by which the points are coloured on the figure's scale, instead of `colour`, (n,).
        texts: what each point is, (n,); () for nothing.
        has_texts: whether the texts stand beside the points of a file; a page shows the text of the
            point that is pointed at.
    """

    x: Sequence[float] | Sequence[str]
    y: Sequence[float]
    colour: str = GREY
    label: str = ""
    values: Sequence[float] = ()
    texts: Sequence[str] = ()
    has_texts: bool = False


@dataclass(frozen=True, kw_only=True)
class Bars:
    """A bar for each name.

    Attributes:
        x: names on the horizontal axis, (n,).
        y: heights, (n,).
        colours: of each bar, (n,).
        errors: how far the intervals reach below and above the heights, (n,) each; () for none.
    """

    x: Sequence[str]
    y: Sequence[float]
    colours: Sequence[str]
    errors: tuple[Sequence[float], Sequence[float]] | tuple[()] = ()


@dataclass(frozen=True, kw_only=True)
class Arrows:
    """Arrows of one length; a panel with arrows has equal scales in both directions.

    Attributes:
        x: where they start, (n,).
        y: the same, (n,).
        u: their directions, unit vectors, (n,).
        v: the same, (n,).
        values: by which they are coloured on the figure's scale, (n,).
    """

    x: Sequence[float]
    y: Sequence[float]
    u: Sequence[float]
    v: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True, kw_only=True)
class Level:
    """A horizontal line across the panel, to compare with.

    Attributes:
        y: its height.
        text: what it is.
    """

    y: float
    text: str = ""


Mark = Line | Points | Bars | Arrows | Level


@dataclass(frozen=True, kw_only=True)
class Panel:
    """Marks on a pair of axes.

    Attributes:
        marks: drawn in order.
        x: the horizontal axis.
        y: the vertical axis.
        title: above the panel.
    """

    marks: tuple[Mark, ...]
    x: Axis = field(default_factory=Axis)
    y: Axis = field(default_factory=Axis)
    title: str = ""


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A chart of a page; figures of one file name share the file.

    Attributes:
        title: what it shows, unique on a page.
        panels: row by row.
        file: name of the PNG file that shows its panels; "" for none.
        heading: above all panels of the file.
        columns: panels side by side; None for as many as fit.
        panel_size: width and height of a panel in a file, inches.
        scale: what the colours of `values` mean; its limits are given.
        has_legend: whether the labels are listed.
        about: what a chart belongs to; such charts stand together.
    """

    title: str
    panels: tuple[Panel, ...]
    file: str = ""
    heading: str = ""
    columns: int | None = None
    panel_size: tuple[float, float] = (6.2, 4.4)
    scale: Axis | None = None
    has_legend: bool = True
    about: About = "Figures"

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its panels on a page."""
        return grid(self.panels, self)


_MOST_INCHES = 13.4


def grid(panels: Sequence[Panel], figure: Figure) -> tuple[int, int]:
    """Rows and columns of panels, laid out as a figure says."""
    fitting = max(1, int(_MOST_INCHES / figure.panel_size[0]))
    columns = min(figure.columns or fitting, len(panels))
    return -(-len(panels) // columns), columns


@dataclass(frozen=True, kw_only=True)
class LibraryChart:
    """A chart that a library draws, for pages only.

    Attributes:
        title: see `Figure`.
        draw: makes the plotly figure.
        shape: rows and columns of its panels.
        panel_size: see `Figure`.
        about: see `Figure`.
    """

    title: str
    draw: Callable[[], Any]
    shape: tuple[int, int] = (1, 1)
    panel_size: tuple[float, float] = (4.0, 2.4)
    about: About = "Figures"
