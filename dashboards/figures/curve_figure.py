"""Quantities against the iterations of training: a mean over training seeds, and how sure it is."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib import pyplot as plt

from dashboards.figures.png import as_png
from dashboards.results.verdicts import half_interval

Points = Mapping[int, Sequence[float]]
"""By iteration, a value for each training seed."""


def curve_figure(panels: Mapping[str, Mapping[str, Points]]) -> bytes:
    """A panel for each quantity, a line for each way of training.

    Bands are 95 % confidence intervals of the mean over seeds (Student's t); of one seed there is
    none.

    Args:
        panels: by the vertical axis' label, by the line's label, the values.

    Returns:
        A PNG file.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(6.2 * len(panels), 4.8), dpi=120, squeeze=False,
        layout="constrained",
    )  # fmt: skip
    for axis, (name, lines) in zip(axes[0], panels.items(), strict=True):
        for label, points in lines.items():
            _draw(axis, label, points)
        axis.set(xlabel="iteration", ylabel=name, xlim=(0, None), ylim=(0, None))
        axis.grid(visible=True, alpha=0.25, linewidth=0.6)
    lines, labels = axes[0][0].get_legend_handles_labels()
    across = min(3, 2 * len(panels))  # as many labels as fit the width
    figure.legend(
        lines, labels, loc="outside lower center", ncols=across, frameon=False, fontsize=9
    )
    return as_png(figure)


def _draw(axis: Any, label: str, points: Points) -> None:
    iterations = sorted(points)
    means = [statistics.fmean(points[i]) for i in iterations]
    (line,) = axis.plot(iterations, means, marker="o", markersize=3, linewidth=1.4, label=label)
    halves = [half_interval(points[i]) for i in iterations]
    if any(halves):
        low, high = zip(*((m - h, m + h) for m, h in zip(means, halves, strict=True)), strict=True)
        axis.fill_between(iterations, low, high, color=line.get_color(), alpha=0.2, linewidth=0)
