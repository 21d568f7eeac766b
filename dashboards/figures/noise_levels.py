"""Noise in x during sampling, compared with the noise schedule: the paper's Figure 1."""

from collections.abc import Iterator

import numpy as np

from dashboards.drawing.description import GREY, Axis, Figure, Line, Panel, colours
from scorelib.exact.noise_level import noise_by_level
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import NoiseLevel
from tuning.store.store import Store

_ON_SCHEDULE = "#8ec5ff"  # visible on the schedule's grey line
_RELATIVE = 1e-6  # relative gap below which noise counts as on the schedule: too small for the axis


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields one figure with the noise of each sampler, once all jobs are finished."""
    jobs = [cell.job for cell in scheduler.study.cells if isinstance(cell.job, NoiseLevel)]
    if jobs and all(map(scheduler.is_done, jobs)):
        curves = {_label(job): noise_by_level(job.sampler, job.schedule).tolist() for job in jobs}
        yield noise_figure(curves, jobs[0].schedule.sigmas)


def _label(job: NoiseLevel) -> str:
    name, steps = job.sampler.label, f"n_sigma = {job.sampler.n_sigma}"
    return f"{name}, {steps}, {job.schedule.n_levels:,} levels"


def noise_figure(curves: dict[str, list[float]], sigmas: tuple[float, ...]) -> Figure:
    """Describes the figure: noise against the schedule's level, and noise minus schedule.

    Each curve is stretched over the levels 1..L, as in the paper. Curves on the schedule are dashed
    and left out of the logarithmic panel on the right.

    Args:
        curves: noise levels by label, at equally spaced points from the start of sampling to its
            end (`scorelib.exact.noise_level`), data units, > 0.
        sigmas: levels of the trained schedule, (L,), data units.
    """
    levels, own = list(range(1, len(sigmas) + 1)), colours(curves)
    noise, gaps = [Line(levels, sigmas, GREY, "schedule", width=3.2)], []
    for label, curve in curves.items():
        x = np.linspace(1, len(sigmas), len(curve))
        schedule = np.exp(np.interp(x, levels, np.log(sigmas)))
        if np.allclose(curve, schedule, rtol=_RELATIVE, atol=0):
            noise.append(Line(x.tolist(), curve, _ON_SCHEDULE, label, dash="dash"))
            continue
        noise.append(Line(x.tolist(), curve, own[label], label))
        gap = np.asarray(curve) - schedule
        shown = gap > _RELATIVE * schedule  # drops rounding errors at the start
        gaps.append(Line(x[shown].tolist(), gap[shown].tolist(), own[label], label))
    across = Axis("level of the schedule", limits=(1, len(sigmas)))
    left, right = Axis("standard deviation of the noise", True), Axis("noise minus schedule", True)
    panels = [
        Panel(noise, across, left, "Noise in x"),
        Panel(gaps, across, right, "Noise minus schedule"),
    ]
    title = "Noise through sampling with a perfect score"
    return Figure(title, panels, file="noise_levels.png", heading=title)
