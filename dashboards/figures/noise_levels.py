"""The noise through sampling beside the schedule it should keep to: the paper's Figure 1."""

from collections.abc import Iterator

import numpy as np

from dashboards.drawing.description import GREY, Axis, Figure, Line, Panel, colours
from scorelib.exact.noise_level import noise_by_level
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import NoiseLevel
from tuning.store.store import Store

_ON_SCHEDULE = "#8ec5ff"  # seen on the schedule's grey
_RELATIVE = 1e-6  # what is nearer to the schedule counts as on it: beyond a log axis' reach


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """The noise of each walk, once all are done."""
    jobs = [cell.job for cell in scheduler.study.cells if isinstance(cell.job, NoiseLevel)]
    if jobs and all(map(scheduler.is_done, jobs)):
        curves = {_label(job): noise_by_level(job.sampler, job.schedule).tolist() for job in jobs}
        yield noise_figure(curves, jobs[0].schedule.sigmas)


def _label(job: NoiseLevel) -> str:
    name, steps = job.sampler.short_kind().upper(), f"n_sigma = {job.sampler.n_sigma}"
    return f"{name}, {steps}, {job.schedule.n_levels:,} levels"


def noise_figure(curves: dict[str, list[float]], sigmas: tuple[float, ...]) -> Figure:
    """Noise levels against the level of the schedule, and how far they are above it.

    Each curve is stretched over the levels 1..L, as in the paper. Curves on the schedule are dashed
    and have no place on the logarithmic axis on the right.

    Args:
        curves: by label, noise levels at equal distances from the start of a walk to its end
            (`scorelib.exact.noise_level`), data units, > 0.
        sigmas: the trained schedule's levels.
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
        shown = gap > _RELATIVE * schedule  # the start is on the schedule, but for rounding
        gaps.append(Line(x[shown].tolist(), gap[shown].tolist(), own[label], label))
    across = Axis("level of the schedule", limits=(1, len(sigmas)))
    left, right = Axis("standard deviation of the noise", True), Axis("noise minus schedule", True)
    panels = [
        Panel(noise, across, left, "Noise in x"),
        Panel(gaps, across, right, "How far above the schedule"),
    ]
    title = "Noise through sampling with a perfect score"
    return Figure(title, panels, file="noise_levels.png", heading=title)
