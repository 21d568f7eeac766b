"""Helpers that return the content of a description or a chart as plain numbers."""

from dashboards.drawing.description import Arrows, Bars, Contours, Line, Span


def numbers_drawn(figure):
    """Returns the numbers of each mark by panel: positions, then values of colours or intervals."""
    return [sorted(map(of_mark, panel.marks)) for panel in figure.panels]


def of_mark(mark):
    match mark:
        case Line():
            more = mark.halves or mark.values
        case Bars():
            more = [end for ends in mark.errors for end in ends]
        case Arrows():
            more = mark.values
        case Contours():
            more = [height for row in mark.values for height in row]
        case Span():
            more = ()
    return str(([*mark.x], [*mark.y], [*more]))


def numbers_on(chart):
    """Returns the same numbers of a plotly chart, without the bands around lines."""
    shown = {}
    for trace in chart.data:
        place = shown.setdefault((number(trace.yaxis), trace.yaxis), [])
        if trace.fill == "toself" if trace.type == "scatter" else False:
            continue
        if trace.type == "bar":
            errors = trace.error_y
            more = [*(errors.arrayminus or ()), *(errors.array or ())]
        elif trace.type == "contour":
            more = [height for row in trace.z for height in row]
        else:
            colours = trace.marker.color
            more = trace.customdata or (() if isinstance(colours, str) else colours)
        place.append(str(([*trace.x], [*trace.y], [*more])))
    for shape in chart.layout.shapes:
        axis = "y" + shape.xref[1:]
        place = shown.setdefault((number(axis), axis), [])
        place.append(str(([shape.x0, shape.x1], [], [])))
    return [sorted(shown[place]) for place in sorted(shown)]


def number(axis):
    return int(axis[1:] or 1)
