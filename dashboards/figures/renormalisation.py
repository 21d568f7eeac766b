"""A power of the likelihood, and what scaling its score follows: the DLSM paper's Figure A1."""

from collections.abc import Iterator, Sequence
from typing import Literal

import numpy as np

from dashboards.figures.drawing.description import (
    GREEN,
    GREY,
    ORANGE,
    Axis,
    Figure,
    Line,
    Panel,
)
from scorelib.exact.renormalisation import TwoNormals, Values
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import Renormalisation
from tuning.store.store import Store

_CLASSES = (ORANGE, GREEN)
_REACH = 4.0  # standard deviations beyond the centres
_ROWS = ("density of x given y", "likelihood of y given x", "score of x given y = 1")


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """The exact examples of a power of the likelihood, once all are done."""
    jobs = {c.job.key: c.job for c in scheduler.study.cells if isinstance(c.job, Renormalisation)}
    if jobs and all(map(scheduler.is_done, jobs.values())):
        yield renormalisation_figure([job.case for job in jobs.values()])


def renormalisation_figure(cases: Sequence[TwoNormals]) -> Figure:
    """Densities, likelihoods and scores, a column per example.

    Solid is what a power of the likelihood means, dashed what a scaled likelihood score follows;
    they are one where alpha is 1. The scores are those of the class on the right.

    Args:
        cases: the examples, with equal centres and std.
    """
    reach = _REACH * cases[0].std
    x = np.linspace(min(cases[0].centres) - reach, max(cases[0].centres) + reach, 401)
    columns = [rows(case, x) for case in cases]
    panels = [
        Panel(
            title=f"alpha = {case.alpha:g}" if row == 0 else "",
            x=Axis(label="x" if row == len(_ROWS) - 1 else "", limits=(x[0], x[-1])),
            y=Axis(label=label),
            marks=column[row],
        )
        for row, label in enumerate(_ROWS)
        for case, column in zip(cases, columns, strict=True)
    ]
    return Figure(
        title="powers of the likelihood",
        panels=tuple(panels),
        file="renormalisation.png",
        heading="Likelihoods to the power alpha (solid), and scaled scores (dashed)",
        columns=len(cases),
        panel_size=(3.3, 2.7),
    )


def rows(case: TwoNormals, x: Values) -> tuple[tuple[Line, ...], ...]:
    """The lines of an example's three panels.

    Args:
        case: the example.
        x: where, (n,).
    """
    densities, likelihoods = [_line(x, case.prior(x), "prior", GREY)], []
    for y, colour in enumerate(_CLASSES):
        scaled = case.scaled_posterior(x, y)
        scaled = scaled / np.trapezoid(scaled, x)
        densities += [
            _line(x, case.posterior(x, y), f"meant, y = {y}", colour),
            _line(x, scaled, f"scaled, y = {y}", colour, "dash"),
        ]
        likelihoods.append(_line(x, case.likelihood(x, y), f"p(y = {y} | x)^alpha / Z", colour))
    likelihoods.append(_line(x, case.normaliser(x), "Z(x)", GREY, "dot"))
    scores = [
        _line(x, case.posterior_score(x, 1), "meant, y = 1", _CLASSES[1]),
        _line(x, case.scaled_score(x, 1), "scaled, y = 1", _CLASSES[1], "dash"),
    ]
    return tuple(densities), tuple(likelihoods), tuple(scores)


def _line(
    x: Values, y: Values, label: str, colour: str, dash: Literal["solid", "dash", "dot"] = "solid"
) -> Line:
    return Line(x=x.tolist(), y=y.tolist(), label=label, colour=colour, dash=dash)
