"""Posterior scores as arrows over the plane, estimated and exact: Figure 1 of the DLSM paper."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from torch import Tensor

from dashboards.figures.png import as_png

_EVERY = 2
"""Of the grid's points in either direction, one in so many has an arrow."""


def score_field_figure(
    points: Tensor, fields: Mapping[str, list[Tensor]], section: str = ""
) -> bytes:
    """A row for each class, a column for each method; arrows of one length, the scores' as colour.

    Args:
        points: a square grid of n x n points, (n^2, 2), the first coordinate slower.
        fields: by method, the scores of each class at the points, (n^2, 2).
        section: of the table, if it has others too.

    Returns:
        A PNG file.
    """
    n_classes = len(next(iter(fields.values())))
    size = (2.7 * len(fields), 2.2 * n_classes + 0.3)
    figure, axes = plt.subplots(
        n_classes, len(fields), figsize=size, dpi=130, squeeze=False, sharex=True, sharey=True
    )
    for column, (name, of_classes) in enumerate(fields.items()):
        for row, scores in enumerate(of_classes):
            _draw(axes[row][column], points, scores)
        axes[0][column].set_title(name, fontsize=9)
    for row in range(n_classes):
        axes[row][0].set_ylabel(f"class {row + 1}", fontsize=9)
    about = f"{section}: " if section else ""
    about += "directions of the posterior scores; colour: their length, 0 (yellow) to .8 and above"
    figure.suptitle(about, fontsize=9)
    return as_png(figure)


def arrows(points: Tensor, scores: Tensor) -> tuple[np.ndarray, ...]:
    """Where arrows start, their directions and the lengths of the scores they stand for.

    Args:
        points: see `score_field_figure`.
        scores: of one class, (n^2, 2).

    Returns:
        x, y, the two components of a vector of length 1, and the length, (m,) each.
    """
    n = round(len(points) ** 0.5)
    x, y = (t.reshape(n, n)[::_EVERY, ::_EVERY].flatten().numpy() for t in points.T)
    u, v = (t.reshape(n, n)[::_EVERY, ::_EVERY].flatten().numpy() for t in scores.T)
    length = np.hypot(u, v)
    return x, y, u / length, v / length, length


def _draw(axis: Any, points: Tensor, scores: Tensor) -> None:
    # Directions and, as colour, lengths: arrows of their true length would hide one another.
    drawn = arrows(points, scores)
    axis.quiver(*drawn, cmap="viridis_r", clim=(0, 0.8), scale=26, width=0.006)
    axis.set_aspect("equal")
    axis.tick_params(labelsize=7)
