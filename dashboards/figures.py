"""Figures of a study, drawn from its store.

The epsilon curve has the layout of the paper's Figure 3: distance against step size for both
samplers, raw and denoised, on a logarithmic axis, with every measured point. Step sizes of the two
samplers belong to one axis here, without the paper's hand-fitted second one.
"""

import io
from typing import Any

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator

from tuning.scheduler import Scheduler
from tuning.search import SearchRun
from tuning.stages import OBJECTIVES

_COLOURS = {"als": "#c0392b", "cas": "#1f5fa8"}
_MARKS = {"raw": ("--", "o", "none"), "denoised": ("-", "o", "full")}
_SHOWN_TIMES_BEST = 6.0


def epsilon_curves(scheduler: Scheduler) -> bytes | None:
    """Distance against epsilon, a panel per n_sigma.

    Args:
        scheduler: the study's scheduler.

    Returns:
        A PNG file, or None while no trial is finished.
    """
    runs = [run for run in scheduler.searches.values() if run.best_so_far]
    if not runs:
        return None
    counts = sorted({_sampler(run).n_sigma for run in runs})
    figure, axes = plt.subplots(
        1, len(counts), figsize=(6.2 * len(counts), 4.4), squeeze=False, sharey=True, dpi=120
    )
    best = min(v for run in runs for which in OBJECTIVES for _, v in _points(run, which))
    for axis, n_sigma in zip(axes[0], counts, strict=True):
        for run in runs:
            if _sampler(run).n_sigma == n_sigma:
                _draw(axis, run)
        axis.set(xscale="log", yscale="log", xlabel="epsilon", title=f"n_sigma = {n_sigma}")
        axis.set_ylim(0.85 * best, _SHOWN_TIMES_BEST * best)
        axis.minorticks_off()
        axis.yaxis.set_major_locator(LogLocator(subs=(1.0, 1.5, 2.0, 3.0, 5.0, 7.0)))
        axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:.0e}"))
        axis.grid(alpha=0.25)
        axis.legend(fontsize=8)
    protocol = runs[0].search.space.protocol
    axes[0][0].set_ylabel(f"{protocol.distance_name}, {protocol.n_images:,} images")
    study = scheduler.study
    figure.suptitle(f"{study.name} ({study.scale}): distance against step size", fontsize=11)
    figure.tight_layout()
    file = io.BytesIO()
    # No version and date in the file: equal results are equal files.
    figure.savefig(file, format="png", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()


def _sampler(run: SearchRun) -> Any:
    return run.search.space.sample.sampler


def _points(run: SearchRun, which: Any) -> list[tuple[float, float]]:
    pairs = [(t.epsilon, t.result.of(which)) for t in run.trials if t.result]
    return sorted((e, v) for e, v in pairs if v is not None)


def _draw(axis: Any, run: SearchRun) -> None:
    name = type(_sampler(run)).__name__.lower()
    for which in OBJECTIVES:
        line, mark, fill = _MARKS[which]
        points = _points(run, which)
        if points:
            axis.plot(
                *zip(*points, strict=True), line, marker=mark, fillstyle=fill, markersize=4,
                color=_COLOURS[name], label=f"{name.upper()}, {which}", linewidth=1.3,
            )  # fmt: skip
