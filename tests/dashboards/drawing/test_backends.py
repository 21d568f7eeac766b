"""Tests of the two drawing backends: they draw the same figure from one description.

Where it matters, pixels are compared.
"""

import io
import subprocess
import sys
import warnings

import numpy as np
import pytest
from PIL import Image

from dashboards.drawing.charts import draw_chart
from dashboards.drawing.description import (
    BLUE,
    COLOURS,
    DASHES,
    GREEN,
    RED,
    Arrows,
    Axis,
    Bars,
    Contours,
    Figure,
    Line,
    Panel,
    Span,
    colours,
)
from dashboards.drawing.png import draw_png
from tests.drawing import numbers_drawn, numbers_on

X, Y = [1.0, 2.0, 4.0], [1.0, 10.0, 100.0]


def pixels(figure):
    """Returns the image file of a figure as an array (height, width, 3), drawn without warnings."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        data = draw_png(figure)
    assert draw_png(figure) == data, "equal figures are equal files"
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB")).astype(int)


def where(picture, colour, opacity=1.0):
    """Returns the rows and columns of the pixels of a colour on white."""
    of = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    wanted = opacity * of + (1 - opacity) * 255
    return np.nonzero(np.abs(picture - wanted).max(-1) < 8)


def one(*marks, x=Axis(), y=Axis(), **how):  # noqa: B008
    return Figure("title", [Panel(marks, x, y)], **how)


def test_a_straight_line_on_logarithmic_axes_is_straight_in_the_file():
    line = Line([1, 10, 100], [1, 100, 10_000], BLUE, width=3, marker="")
    rows, columns = where(pixels(one(line, x=Axis("x", True), y=Axis("y", True))), BLUE)
    slope, start = np.polyfit(columns, rows, 1)
    assert slope < 0 and np.abs(rows - start - slope * columns).max() < 6


@pytest.mark.parametrize(("is_log", "ends"), [(False, (0, 4)), (True, (0.5, 4))])
def test_limits_hold_in_both(is_log, ends):
    levels = ((1.0, BLUE), (2.0, RED), (1000.0, GREEN))  # the last level is far above the limits
    lines = [Line([1, 2], [y, y], colour, marker="") for y, colour in levels]
    figure = one(*lines, y=Axis("y", is_log, ends))
    shown = draw_chart(figure).layout.yaxis
    if is_log:
        assert shown.range == pytest.approx(np.log10(ends))
    else:
        options = shown.autorangeoptions
        assert (options.minallowed, options.maxallowed) == ends
    picture = pixels(figure)
    blue, red = (where(picture, colour)[0].mean() for colour in (BLUE, RED))
    assert blue - red > 80 and not where(picture, GREEN)[0].size


def test_a_band_is_drawn_around_its_line_in_both():
    bare, banded = (Line(X, Y, BLUE, "a", halves=halves) for halves in ((), [5.0, 5.0, 5.0]))
    share = [len(where(pixels(one(line)), BLUE, 0.2)[0]) for line in (bare, banded)]
    assert share[1] > 5000 > 20 * share[0]
    line, band = draw_chart(one(banded)).data
    assert list(band.y) == [6.0, 15.0, 105.0, 95.0, 5.0, -4.0] and list(band.x) == X + X[::-1]
    assert band.fill == "toself" and band.legendgroup == line.name == "a" and not band.showlegend


def test_a_span_shades_the_same_range_over_the_whole_height_in_both():
    line = Line([1, 10, 100], [1, 100, 10_000], BLUE, width=3, marker="")
    figure = one(Span((10.0, 100.0), RED), line, x=Axis("x", True), y=Axis("y", True))
    picture = pixels(figure)
    rows, columns = where(picture, RED, 0.12)
    _, of_line = where(picture, BLUE)
    middle, right = (of_line.min() + of_line.max()) / 2, of_line.max()
    assert columns.min() == pytest.approx(middle, abs=4)  # 10 is the middle of 1 and 100
    assert columns.max() == pytest.approx(right, abs=4) and np.ptp(rows) > 300
    (shape,) = draw_chart(figure).layout.shapes
    assert (shape.x0, shape.x1, shape.xref, shape.yref) == (10.0, 100.0, "x", "y domain")
    assert numbers_on(draw_chart(figure)) == numbers_drawn(figure)


def test_every_bar_is_in_the_file_and_its_interval():
    names = tuple("abcdef")
    values = [3.0, 2.0, 1.0, -1.0, -2.0, -3.0]
    bars = Bars(names, values, [GREEN if value > 0 else RED for value in values])
    picture = pixels(one(bars, x=Axis("class", names=names, format="")))
    for colour in (GREEN, RED):
        rows, columns = where(picture, colour)
        busiest = np.bincount(rows).argmax()
        gaps = np.diff(np.unique(columns[rows == busiest])) > 1
        assert gaps.sum() == 2  # three bars
    assert where(picture, GREEN)[0].max() <= where(picture, RED)[0].min() + 1
    errors = ([0.5] * 6, [2.0] * 6)
    with_errors = Bars(names, values, bars.colours, errors)
    chart = draw_chart(one(with_errors, x=Axis("class", names=names, format="")))
    assert list(chart.data[0].error_y.array) == errors[1]
    black = [(pixels(one(b, x=Axis(names=names))).max(-1) < 40).sum() for b in (bars, with_errors)]
    assert black[1] > black[0] + 500


def test_arrows_point_the_same_way_in_both():
    arrows = Arrows([0.0], [0.0], [1.0], [0.0], [0.5])  # points to the right
    scale = Axis("length", limits=(0, 1))
    (trace,) = draw_chart(one(arrows, scale=scale)).data
    assert list(trace.marker.angle) == [90.0]  # plotly counts clockwise from above
    up = Arrows([0.0], [0.0], [0.0], [1.0], [0.5])
    assert list(draw_chart(one(up, scale=scale)).data[0].marker.angle) == [0.0]
    assert not np.array_equal(pixels(one(arrows, scale=scale)), pixels(one(up, scale=scale)))


def test_many_points_without_a_line_are_marked_in_both():
    many = [float(n) for n in range(1, 60)]
    figure = one(Line(many, many, BLUE, dash=""))
    assert draw_chart(figure).data[0].mode == "markers"
    assert len(where(pixels(figure), BLUE)[0]) > 500


def test_lines_differ_by_their_dashes_in_both():
    heights = range(len(COLOURS))
    lines = [
        Line([1, 2], [y, y], colour, marker="", width=3)
        for y, colour in zip(heights, COLOURS, strict=True)
    ]
    figure = one(*lines)
    assert [trace.line.dash for trace in draw_chart(figure).data] == list(DASHES)
    picture, n_dashes = pixels(figure), []
    for colour in COLOURS:
        rows, columns = where(picture, colour)
        of_line = np.unique(columns[rows == np.bincount(rows).argmax()])
        n_dashes.append(1 + (np.diff(of_line) > 1).sum())
    assert n_dashes[:4] == [1] * 4 < n_dashes[4:] and len(set(n_dashes)) == 5
    assert min(n_dashes[4:]) > 5
    assert Line([1, 2], [1, 2], COLOURS[4], dash="dash").style == "dash"


def test_contours_rise_to_the_same_side_in_both():
    names = ("low", "high")
    surface = Contours([1.0, 10.0, 100.0], names, [[0.0, 0.0, 0.0], [0.0, 1.0, 2.0]])
    scale = Axis("height", limits=(0, 2))
    figure = one(surface, x=Axis("x", True), y=Axis("y", names=names, format=""), scale=scale)
    chart = draw_chart(figure)
    (trace,) = chart.data
    assert numbers_on(chart) == numbers_drawn(figure) and trace.coloraxis == "coloraxis"
    assert (chart.layout.xaxis.type, chart.layout.yaxis.type) == ("log", "category")
    brightness = pixels(figure).sum(-1)
    rows, columns = brightness.shape
    high, low = brightness[: rows // 2], brightness[rows // 2 :]
    dark = [part[:, a * columns // 8 : (a + 1) * columns // 8].mean() for part, a in
            ((high, 5), (high, 1), (low, 5))]  # fmt: skip
    assert dark[0] < min(dark[1:]) - 50  # the highest values are the darkest


def test_a_label_of_several_panels_is_listed_once():
    panel = Panel([Line(X, Y, BLUE, "a"), Line(X, X, RED, "b"), Line(X, X, GREEN)], Axis(), Axis())
    chart = draw_chart(Figure("title", [panel, panel]))
    assert [trace.name for trace in chart.data if trace.showlegend] == ["a", "b"]
    assert chart.layout.showlegend
    many = [Line(X, Y, BLUE, f"line {n}") for n in range(20)]
    assert not draw_chart(one(*many)).layout.showlegend


def test_panels_of_a_row_with_equal_axes_share_the_scale():
    low, high = (Panel([Line(X, y, BLUE)], Axis(), Axis("y")) for y in (X, Y))
    other = Panel([Line(X, X, BLUE)], Axis(), Axis("another"))
    chart = draw_chart(Figure("title", [low, high, other], columns=3))
    assert (chart.layout.yaxis2.matches, chart.layout.yaxis3.matches) == ("y", None)
    left, shared = (
        np.split(pixels(Figure("title", [low, second], columns=2)), 2, axis=1)[0]
        for second in (other, high)
    )
    assert np.ptp(where(left, BLUE)[0]) > 10 * np.ptp(where(shared, BLUE)[0])


def test_names_keep_their_order_in_both():
    names = ("b", "a", "c")
    points = Line(["c", "b"], [2.0, 1.0], BLUE, dash="", values=[0, 1], texts=["late", "early"])
    figure = one(points, x=Axis(names=names, format=""), scale=Axis("trial", limits=(0, 1)))
    chart = draw_chart(figure)
    assert chart.layout.xaxis.categoryarray == names and list(chart.data[0].text) == [
        "late",
        "early",
    ]
    assert chart.data[0].mode == "markers" and "%{text}" in chart.data[0].hovertemplate
    assert numbers_on(chart) == numbers_drawn(figure)
    pixels(figure)


def test_values_are_shown_in_the_axes_formats_on_pointing():
    figure = one(Line(X, Y, BLUE, "a"), x=Axis("step", format=","), y=Axis("loss", format=".2%"))
    (trace,) = draw_chart(figure).data
    assert trace.hovertemplate == "step %{x:,}: %{y:.2%}"


def test_no_chart_has_colours_of_its_own_for_paper_and_ink():
    layout = draw_chart(one(Line(X, Y, BLUE))).layout
    assert layout.paper_bgcolor is layout.plot_bgcolor is layout.font.color is None


def test_panels_fill_as_many_columns_as_fit():
    panel = Panel([], Axis(), Axis())
    shapes = {size: Figure("", [panel] * 5, panel_size=(size, 1)).shape for size in (3, 4, 6, 20)}
    assert shapes == {3: (2, 4), 4: (2, 3), 6: (3, 2), 20: (5, 1)}
    assert Figure("", [panel] * 5, columns=5).shape == (1, 5)


def test_colours_are_told_apart_and_come_again_when_there_are_no_more():
    names = [f"line {n}" for n in range(len(COLOURS) + 1)]
    of = colours([*names, names[0]])
    assert len(set(COLOURS)) == len(COLOURS) and list(of) == names
    assert of[names[-1]] == of[names[0]] == COLOURS[0]


def test_descriptions_need_no_library_that_draws():
    code = (
        "import sys, dashboards.figures.registry, dashboards.figures.searches\n"
        "import dashboards.figures.step_sizes, dashboards.figures.score_fields\n"
        "print({'matplotlib', 'plotly'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
