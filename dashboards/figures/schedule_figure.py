"""Noise schedules side by side, and how well each level is covered by the one before it."""

from collections.abc import Sequence
from typing import Any

from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator

from dashboards.figures.png import as_png
from scorelib.schedules import SCHEDULES, Schedule

_COLOURS = dict(zip(SCHEDULES, plt.get_cmap("tab10").colors, strict=False))


def schedule_figure(schedules: Sequence[tuple[Schedule, int]]) -> bytes:
    """Levels on the left, coverages on the right, a row for each ends and number of levels.

    Args:
        schedules: schedules with the dimensions of the data they are for.

    Returns:
        A PNG file.
    """
    rows = list(dict.fromkeys(_alike(schedule) for schedule, _ in schedules))
    figure, axes = plt.subplots(
        len(rows), 2, figsize=(11.6, 3.9 * len(rows)), squeeze=False, dpi=120
    )
    for (left, right), row in zip(axes, rows, strict=True):
        own = [(s, d) for s, d in schedules if _alike(s) == row]
        for schedule, n_dimensions in own:
            _draw(left, right, schedule, n_dimensions)
        sigma_1, sigma_L, n_levels = row
        left.set(
            yscale="log", xlabel="level", ylabel="sigma",
            title=f"{n_levels} levels from {sigma_1:g} to {sigma_L:g}",
        )  # fmt: skip
        left.minorticks_off()
        left.yaxis.set_major_locator(LogLocator())
        left.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        dimensions = ", ".join(sorted({f"{d:,}" for _, d in own}))
        right.set(
            xlabel="level", ylabel="coverage", ylim=(-0.03, 1.03), xlim=left.get_xlim(),
            title=f"share of a level's noise in reach of the level before, {dimensions} dimensions",
        )  # fmt: skip
        for axis in (left, right):
            axis.title.set_fontsize(10)
            axis.grid(alpha=0.25)
        left.legend(fontsize=8)
    return as_png(figure)


def _alike(schedule: Schedule) -> tuple[float, float, int]:
    return schedule.sigma_1, schedule.sigma_L, schedule.n_levels


def _draw(left: Any, right: Any, schedule: Schedule, n_dimensions: int) -> None:
    mark = "o" if schedule.n_levels <= 20 else None
    how = {"color": _COLOURS[schedule.name], "linewidth": 1.4, "marker": mark, "markersize": 4}
    levels = range(1, schedule.n_levels + 1)
    left.plot(levels, schedule.sigmas, label=schedule.title, **how)
    right.plot(levels[1:], schedule.coverages(n_dimensions), **how)
