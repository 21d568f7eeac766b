"""A figure as data: panels with axes, and marks on them. Two backends draw the same description.

`drawing.png` makes files of it, `drawing.charts` the charts of a page. A description names no
library: a figure is written once, and tests can read what it shows. Two things are not described
here: images, which `dashboards.pictures` lays out, and what Optuna draws itself (`Figure.draw`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import cycle
from typing import Any, Literal

BLUE, ORANGE, GREEN, RED = "#0072b2", "#e69f00", "#009e73", "#d55e00"
COLOURS = (BLUE, ORANGE, GREEN, RED, "#cc79a7", "#56b4e9", "#8c564b", "#9a9a1a")
"""Told apart with most colour vision, on light paper and on dark (after Okabe and Ito, 2008)."""
GREY = "#808080"
"""Of what others are compared with: seen on light paper and on dark."""

_MOST_MARKED = 20
_MOST_INCHES = 13.4


def colours(names: Iterable[str]) -> dict[str, str]:
    """A colour for each name, in order; after the last colour the first one comes again."""
    return dict(zip(dict.fromkeys(names), cycle(COLOURS), strict=False))


@dataclass(frozen=True)
class Axis:
    """An axis. Panels of one row whose vertical axes are equal share the scale.

    Attributes:
        label: what its values are.
        is_log: whether it is logarithmic.
        limits: lowest and highest value shown; None where the data decide.
        names: the categories in order, where the values are names.
        format: format of a value that is pointed at, Python's and d3's alike; "" for names and
            whole numbers.
    """

    label: str = ""
    is_log: bool = False
    limits: tuple[float | None, float | None] = (None, None)
    names: tuple[str, ...] = ()
    format: str = ".4g"

    @property
    def is_whole(self) -> bool:
        """Whether its values are whole numbers or names."""
        return self.format in ("", ",")


@dataclass(frozen=True)
class Line:
    """Points, joined or not, and the band around them.

    Attributes:
        x: values or, on an axis with names, names along the horizontal axis, (n,).
        y: values along the vertical axis, (n,).
        colour: as "#rrggbb".
        label: in the legend; lines of one label are one entry.
        dash: how the line is broken; "" for points that are not joined.
        width: points.
        marker: how each point is marked; None for filled if there are few, else "".
        halves: half widths of the band, (n,); () for no band.
        values: by which the points are coloured on the figure's scale, instead of `colour`, (n,).
        texts: what each point is, (n,), beside the points of a joined line; a page shows the text
            of the point that is pointed at.
    """

    x: Sequence[Any]
    y: Sequence[float]
    colour: str
    label: str = ""
    dash: Literal["solid", "dash", "dot", ""] = "solid"
    width: float = 1.4
    marker: Literal["filled", "open", ""] | None = None
    halves: Sequence[float] = ()
    values: Sequence[float] = ()
    texts: Sequence[str] = ()

    @property
    def mark(self) -> str:
        """The marker that is drawn."""
        few = "filled" if len(self.x) <= _MOST_MARKED else ""
        return few if self.marker is None else self.marker

    @property
    def band(self) -> tuple[list[float], list[float]]:
        """Lower and upper edge of the band."""
        pairs = list(zip(self.y, self.halves, strict=True))
        return [y - half for y, half in pairs], [y + half for y, half in pairs]


@dataclass(frozen=True)
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
    errors: Sequence[Sequence[float]] = ()


@dataclass(frozen=True)
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


Mark = Line | Bars | Arrows


@dataclass(frozen=True)
class Panel:
    """Marks, drawn in order, on a pair of axes; with a title if there are several panels."""

    marks: Sequence[Mark]
    x: Axis
    y: Axis
    title: str = ""


@dataclass(frozen=True)
class Figure:
    """A chart of a page; figures of one file name share the file.

    Attributes:
        title: what it shows, unique on a page.
        panels: row by row.
        file: name of the PNG file that shows its panels; "" for none.
        heading: above all panels of the file.
        columns: panels side by side; None for as many as fit.
        panel_size: width and height of a panel in a file, inches.
        scale: what the colours of `values` mean, with limits.
        about: what a chart belongs to; such charts stand together.
        draw: makes a plotly figure instead, of columns x columns panels, for pages only.
    """

    title: str
    panels: Sequence[Panel] = ()
    file: str = ""
    heading: str = ""
    columns: int | None = None
    panel_size: tuple[float, float] = (6.2, 4.4)
    scale: Axis | None = None
    about: Literal["Figures", "Searches", "Training"] = "Figures"
    draw: Callable[[], Any] | None = None

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of its panels."""
        columns = self.columns or max(1, int(_MOST_INCHES / self.panel_size[0]))
        n_panels = len(self.panels) or columns**2
        columns = min(columns, n_panels)
        return -(-n_panels // columns), columns
