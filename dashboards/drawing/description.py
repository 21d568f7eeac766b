"""Figures as data: panels with axes and marks. Two backends draw the same description.

`drawing.png` makes PNG files, `drawing.charts` makes the charts of a page. A description uses no
plotting library: a figure is written once, and tests can read its contents. Images, which
`dashboards.pictures` lays out, have no description.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal, get_args

BLUE, BROWN, GREEN, RED = "#273eb3", "#ab8859", "#033600", "#ca330a"
COLOURS = (BLUE, BROWN, GREEN, RED, "#6c71e0", "#543339", "#1f006d", "#993182")
"""Colours of lines on light backgrounds and in print, also for people who are colour-blind.

All differ in grey as well, the first four most. Dark pages show the colours `--lines` of their
style sheet.
"""
Dash = Literal["solid", "dash", "dot", "dashdot", "longdash", "longdashdot", ""]
DASHES: tuple[Dash, ...] = (
    "solid", "solid", "solid", "solid", "dot", "dashdot", "longdash", "longdashdot"
)  # fmt: skip
"""Dash styles of the lines of the colours, in order; "dash" is left to figures."""
Symbol = Literal["circle", "square", "diamond", "triangle-up", "cross", "x", "star", "hexagon"]
SYMBOLS: tuple[Symbol, ...] = get_args(Symbol)
"""Shapes of the markers of the colours, in order: what tells lines apart without colour."""
GREY = "#808080"
"""Colour of references; visible on light and dark backgrounds."""

N_LEVELS = 12
"""About how many levels filled contours have."""

_MOST_MARKED = 20
_MARKERS = 8  # on a line of more points
_MOST_INCHES = 13.4


def colours(names: Iterable[str]) -> dict[str, str]:
    """Returns a colour for each name, in order; colours repeat after the last colour."""
    return dict(zip(dict.fromkeys(names), cycle(COLOURS), strict=False))


@dataclass(frozen=True)
class Axis:
    """An axis. Panels of one row with equal vertical axes share the scale.

    Attributes:
        label: label of the axis.
        is_log: whether the axis is logarithmic.
        limits: lowest and highest value shown; None for a limit set by the data.
        names: categories in order, if the values are names.
        format: format of a value shown on hover, valid in Python and in d3; "" for names and whole
            numbers.
    """

    label: str = ""
    is_log: bool = False
    limits: tuple[float | None, float | None] = (None, None)
    names: tuple[str, ...] = ()
    format: str = ".4g"

    @property
    def is_whole(self) -> bool:
        """Whether the values are whole numbers or names."""
        return self.format in ("", ",")


@dataclass(frozen=True)
class Line:
    """Points, joined by a line or not, with an optional band around them.

    Attributes:
        x: values along the horizontal axis, or names on an axis with names, (n,).
        y: values along the vertical axis, or names on an axis with names, (n,).
        colour: colour as "#rrggbb".
        label: label in the legend; lines with equal labels share one entry.
        dash: dash style of the line; None for that of the colour, "" for points without a line.
        width: width of the line in points.
        marker: marker of the points; None for filled markers. A joined line of many points has
            only some markers, which tell its colour in print and to the colour-blind.
        halves: half widths of the band, (n,); () for no band.
        values: values that colour the points on the figure's scale instead of `colour`, (n,).
        texts: text of each point, (n,); written beside the points of a joined line in a file, shown
            on hover on a page.
    """

    x: Sequence[Any]
    y: Sequence[Any]
    colour: str
    label: str = ""
    dash: Dash | None = None
    width: float = 1.4
    marker: Literal["filled", "open", ""] | None = None
    halves: Sequence[float] = ()
    values: Sequence[float] = ()
    texts: Sequence[str] = ()

    @property
    def mark(self) -> str:
        """Marker that is drawn: "filled", "open" or ""."""
        return "filled" if self.marker is None else self.marker

    @property
    def style(self) -> Dash:
        """Dash style that is drawn; "" for points without a line."""
        if self.dash is not None:
            return self.dash
        return DASHES[COLOURS.index(self.colour)] if self.colour in COLOURS else DASHES[0]

    @property
    def every(self) -> int:
        """Number of points for each marker: 1 without a line or with few points."""
        is_joined = bool(self.style) and len(self.x) > _MOST_MARKED
        return -(-len(self.x) // _MARKERS) if is_joined else 1

    @property
    def symbol(self) -> Symbol:
        """Shape of the markers, which belongs to the colour."""
        return SYMBOLS[COLOURS.index(self.colour)] if self.colour in COLOURS else SYMBOLS[0]

    @property
    def band(self) -> tuple[list[float], list[float]]:
        """Lower and upper edge of the band, (n,) each."""
        pairs = list(zip(self.y, self.halves, strict=True))
        return [y - half for y, half in pairs], [y + half for y, half in pairs]


@dataclass(frozen=True)
class Bars:
    """Bars, one for each name.

    Attributes:
        x: names on the horizontal axis, (n,).
        y: heights of the bars, (n,).
        colours: colours of the bars as "#rrggbb", (n,).
        errors: lengths of the error bars below and above the heights, (n,) each; () for none.
    """

    x: Sequence[str]
    y: Sequence[float]
    colours: Sequence[str]
    errors: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
class Arrows:
    """Arrows of equal length; a panel with arrows has equal scales in both directions.

    Attributes:
        x: horizontal coordinates of the starting points, (n,).
        y: vertical coordinates of the starting points, (n,).
        u: horizontal components of the directions, which are unit vectors, (n,).
        v: vertical components of the directions, (n,).
        values: values that colour the arrows on the figure's scale, (n,).
    """

    x: Sequence[float]
    y: Sequence[float]
    u: Sequence[float]
    v: Sequence[float]
    values: Sequence[float]


@dataclass(frozen=True)
class Contours:
    """A surface over the panel, as filled contours on the figure's scale.

    Attributes:
        x: values along the horizontal axis, ascending, or names on an axis with names, (n,).
        y: values along the vertical axis, ascending, or names on an axis with names, (m,).
        values: heights of the surface, m rows of n.
    """

    x: Sequence[Any]
    y: Sequence[Any]
    values: Sequence[Sequence[float]]


@dataclass(frozen=True)
class Span:
    """A range of the horizontal axis, shaded over the whole height of the panel.

    Attributes:
        x: lower and upper end of the range.
        colour: colour as "#rrggbb".
    """

    x: tuple[float, float]
    colour: str

    @property
    def y(self) -> tuple[float, ...]:
        """Returns (): the range has no vertical coordinates."""
        return ()


Mark = Line | Bars | Arrows | Contours | Span


@dataclass(frozen=True)
class Panel:
    """Marks on a pair of axes, drawn in order.

    Attributes:
        marks: lines, bars, arrows or contours; a later mark covers earlier marks.
        x: horizontal axis.
        y: vertical axis.
        title: title of the panel, shown in a figure of several panels.
    """

    marks: Sequence[Mark]
    x: Axis
    y: Axis
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart of a page; figures with the same file name share one PNG file.

    Attributes:
        title: title of the chart, unique on a page.
        panels: panels in row-major order.
        file: name of the PNG file that shows the panels; "" for no file.
        heading: heading above all panels of the file.
        columns: number of panels side by side; None for as many as fit.
        panel_size: width and height of a panel in a file, in inches.
        scale: scale of the colours of `values`, with limits; None for no scale.
        about: section of the page that shows the chart.
    """

    title: str
    panels: Sequence[Panel] = ()
    file: str = ""
    heading: str = ""
    columns: int | None = None
    panel_size: tuple[float, float] = (6.2, 4.4)
    scale: Axis | None = None
    about: Literal["Figures", "Searches", "Training"] = "Figures"

    @property
    def shape(self) -> tuple[int, int]:
        """Number of rows and of columns of the panels."""
        columns = self.columns or max(1, int(_MOST_INCHES / self.panel_size[0]))
        n_panels = max(1, len(self.panels))
        columns = min(columns, n_panels)
        return -(-n_panels // columns), columns
