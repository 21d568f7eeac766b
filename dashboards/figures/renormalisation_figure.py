"""A power of the likelihood, and what scaling its score follows: the DLSM paper's Figure A1."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt

from dashboards.figures.png import as_png
from scorelib.exact.renormalisation import TwoNormals

_PRIOR = "#8a8a8a"
_CLASSES = ("#e08214", "#1b7f3b")
_REACH = 4.0  # standard deviations beyond the centres
_ROWS = ("density of x given y", "likelihood of y given x", "score of x given y = 1")


def renormalisation_figure(cases: Sequence[TwoNormals]) -> bytes:
    """Densities, likelihoods and scores, a column per example.

    Solid is what a power of the likelihood means, dashed what a scaled likelihood score follows;
    they are one where alpha is 1. The scores are those of the class on the right.

    Args:
        cases: the examples, with equal centres and std.

    Returns:
        A PNG file.
    """
    figure, axes = plt.subplots(
        3, len(cases), figsize=(1.2 + 3.1 * len(cases), 8.0), squeeze=False, sharex=True,
        sharey="row", dpi=120,
    )  # fmt: skip
    for column, case in zip(axes.T, cases, strict=True):
        reach = _REACH * case.std
        x = np.linspace(min(case.centres) - reach, max(case.centres) + reach, 801)
        _draw(column, case, x)
        column[0].set_title(f"alpha = {case.alpha:g}")
        column[2].set_xlabel("x")
        for axis in column:
            axis.set_xlim(x[0], x[-1])
            axis.grid(alpha=0.25)
    for axis, label in zip(axes[:, 0], _ROWS, strict=True):
        axis.set_ylabel(label)
    for axis in (axes[0, 0], axes[1, -1], axes[2, 0]):  # where there is room
        axis.legend(fontsize=8, loc="upper right")
    figure.suptitle("Likelihoods to the power alpha (solid), and scaled scores (dashed)")
    return as_png(figure)


def _draw(column: Any, case: TwoNormals, x: Any) -> None:
    densities, likelihoods, scores = column
    densities.plot(x, case.prior(x), color=_PRIOR, linewidth=1.2, label="prior")
    for y, colour in enumerate(_CLASSES):
        scaled = case.scaled_posterior(x, y)
        scaled = scaled / np.trapezoid(scaled, x)
        densities.plot(x, case.posterior(x, y), color=colour, label=f"meant, y = {y}")
        densities.plot(x, scaled, "--", color=colour, linewidth=1.2, label=f"scaled, y = {y}")
        likelihoods.plot(x, case.likelihood(x, y), color=colour, label=f"p(y = {y} | x)^alpha / Z")
    likelihoods.plot(x, case.normaliser(x), ":", color="black", linewidth=1.2, label="Z(x)")
    scores.plot(x, case.posterior_score(x, 1), color=_CLASSES[1], label="meant")
    scores.plot(x, case.scaled_score(x, 1), "--", color=_CLASSES[1], label="scaled")
