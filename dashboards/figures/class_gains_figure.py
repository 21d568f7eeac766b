"""What a method gains on another, class by class: Figure 4 of the DLSM paper."""

import math
from collections.abc import Mapping

from matplotlib import pyplot as plt

from dashboards.figures.png import as_png

_GAIN, _LOSS = "#2a7f4f", "#c0392b"
_MOST_NAMED = 20
"""Classes whose labels stand below their bars; more have a wider panel."""


def class_gains_figure(gains: Mapping[str, Mapping[int, float]], title: str) -> bytes:
    """A panel for each number, a bar for each class, the largest gain first.

    Args:
        gains: by number, by class, the difference.
        title: what is subtracted from what.

    Returns:
        A PNG file.
    """
    is_wide = max(map(len, gains.values())) > _MOST_NAMED
    n_columns = min(2, len(gains)) if is_wide else len(gains)
    n_rows = math.ceil(len(gains) / n_columns)
    size = ((6.0 if is_wide else 3.3) * n_columns, 3.2 * n_rows)
    figure, axes = plt.subplots(
        n_rows, n_columns, figsize=size, dpi=120, squeeze=False, layout="constrained"
    )
    for axis in axes.flat[len(gains) :]:
        axis.remove()
    for axis, (name, of_classes) in zip(axes.flat, gains.items(), strict=False):
        ranked = sorted(of_classes.items(), key=lambda item: -item[1])
        values = [value for _, value in ranked]
        colours = [_GAIN if value >= 0 else _LOSS for value in values]
        axis.bar(range(len(values)), values, color=colours)
        if len(ranked) <= _MOST_NAMED:
            axis.set_xticks(range(len(values)), [str(label) for label, _ in ranked], fontsize=8)
        else:
            axis.set_xticks([])
        axis.axhline(0, color="black", linewidth=0.8)
        axis.set(title=name, xlabel="class")
        axis.title.set_fontsize(10)
    figure.suptitle(title, fontsize=10)
    return as_png(figure)
