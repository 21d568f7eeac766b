"""A power of the likelihood compared with a scaled likelihood score: the DLSM paper's Figure A1."""

from collections.abc import Iterator, Sequence
from functools import partial

import numpy as np

from dashboards.drawing.description import BROWN, GREEN, GREY, Axis, Figure, Line, Panel
from scorelib.exact.renormalisation import Array, TwoNormals
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Renormalisation
from tuning.store.store import Store

_CLASSES = (BROWN, GREEN)
_REACH = 4.0  # horizontal range beyond the centres, in standard deviations
_ROWS = ("density of x given y", "likelihood of y given x", "score of x given y = 1")


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields one figure with all examples, once all jobs are finished."""
    jobs = {c.job.key: c.job for c in scheduler.study.cells if isinstance(c.job, Renormalisation)}
    if jobs and all(map(scheduler.is_done, jobs.values())):
        yield renormalisation_figure([job.case for job in jobs.values()])


def renormalisation_figure(cases: Sequence[TwoNormals]) -> Figure:
    """Describes a figure of densities, likelihoods and scores, with one column per example.

    Solid lines show the density with the likelihood to the power alpha; dashed lines show the
    density that a scaled likelihood score samples. Both are equal if alpha is 1. The scores are
    those of the class on the right.

    Args:
        cases: examples with equal centres and std.
    """
    reach = _REACH * cases[0].std
    x = np.linspace(min(cases[0].centres) - reach, max(cases[0].centres) + reach, 401)
    across = Axis("x", limits=(x[0], x[-1]))
    panels = [
        Panel(rows(case, x)[row], across, Axis(label), f"alpha = {case.alpha:g}")
        for row, label in enumerate(_ROWS)
        for case in cases
    ]
    return Figure(
        "powers of the likelihood", panels, file="renormalisation.png", columns=len(cases),
        heading="Likelihoods to the power alpha (solid), and scaled scores (dashed)",
        panel_size=(3.3, 2.7),
    )  # fmt: skip


def rows(case: TwoNormals, x: Array) -> tuple[list[Line], list[Line], list[Line]]:
    """Returns the lines of an example's three panels: densities, likelihoods and scores.

    Args:
        case: the example.
        x: points on the horizontal axis, (n,).
    """
    line = partial(Line, x.tolist())
    densities, likelihoods = [line(case.prior(x).tolist(), GREY, "prior")], []
    for y, colour in enumerate(_CLASSES):
        meant, scaled = case.posterior(x, y), case.scaled_posterior(x, y)
        scaled = scaled / np.trapezoid(scaled, x)
        densities.append(line(meant.tolist(), colour, f"intended, y = {y}"))
        densities.append(line(scaled.tolist(), colour, f"scaled, y = {y}", dash="dash"))
        label = f"p(y = {y} | x)^alpha / Z"
        likelihoods.append(line(case.likelihood(x, y).tolist(), colour, label))
    likelihoods.append(line(case.normaliser(x).tolist(), GREY, "Z(x)", dash="dot"))
    meant, scaled = case.posterior_score(x, 1).tolist(), case.scaled_score(x, 1).tolist()
    scores = [
        line(meant, _CLASSES[1], "intended, y = 1"),
        line(scaled, _CLASSES[1], "scaled, y = 1", dash="dash"),
    ]
    return densities, likelihoods, scores
