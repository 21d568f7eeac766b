"""The noise through sampling beside the schedule it should keep to: the paper's Figure 1."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib import pyplot as plt
from matplotlib.ticker import FuncFormatter, LogLocator

from dashboards.figures.png import as_png

_ON_SCHEDULE = "#8ec5ff"
_OFF_SCHEDULE = plt.get_cmap("YlOrRd")
_RELATIVE = 1e-6  # what is nearer to the schedule counts as on it: beyond a log axis' reach


def noise_figure(curves: Mapping[str, Sequence[float]], sigmas: Sequence[float]) -> bytes:
    """Noise levels against the level of the schedule, and how far they are above it.

    Each curve is stretched over the levels 1..L, as in the paper. Curves on the schedule are dashed
    on the left, on its black line, and have no place on the logarithmic axis on the right.

    Args:
        curves: by label, noise levels at equal distances from the start of a walk to its end
            (`tuning.stages.NoiseLevel.levels`), data units, > 0.
        sigmas: the trained schedule's levels.

    Returns:
        A PNG file.
    """
    figure, (left, right) = plt.subplots(1, 2, figsize=(12.4, 4.4), dpi=120)
    levels = np.arange(1, len(sigmas) + 1)
    left.plot(levels, sigmas, color="black", linewidth=3.2, label="schedule")
    schedules = {name: _stretched(sigmas, len(curve)) for name, curve in curves.items()}
    above = [
        n for n in curves if not np.allclose(curves[n], schedules[n][1], rtol=_RELATIVE, atol=0)
    ]
    for name, curve in curves.items():
        positions, schedule = schedules[name]
        if name not in above:
            left.plot(positions, curve, "--", color=_ON_SCHEDULE, linewidth=1.4, label=name)
            continue
        colour = _OFF_SCHEDULE(0.95 - 0.6 * above.index(name) / max(1, len(above) - 1))
        left.plot(positions, curve, color=colour, linewidth=1.3, label=name)
        gap = np.asarray(curve) - schedule
        shown = gap > _RELATIVE * schedule  # the start is on the schedule, but for rounding
        right.plot(positions[shown], gap[shown], color=colour, linewidth=1.3, label=name)
    left.set(ylabel="standard deviation of the noise", title="Noise in x")
    right.set(ylabel="noise minus schedule", title="How far above the schedule")
    for axis in (left, right):
        _finish(axis, len(sigmas))
    figure.suptitle("Noise through sampling with a perfect score", fontsize=11)
    return as_png(figure)


def _stretched(sigmas: Sequence[float], n_points: int) -> tuple[Any, Any]:
    """Where a curve's points lie among the levels 1..L, and the schedule there."""
    positions = np.linspace(1, len(sigmas), n_points)
    levels = np.arange(1, len(sigmas) + 1)
    return positions, np.exp(np.interp(positions, levels, np.log(sigmas)))


def _finish(axis: Any, n_levels: int) -> None:
    axis.set(yscale="log", xlabel="level of the schedule", xlim=(1, n_levels))
    axis.minorticks_off()
    axis.yaxis.set_major_locator(LogLocator())
    axis.yaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    axis.grid(alpha=0.25)
    if axis.lines:
        axis.legend(fontsize=8, handlelength=3)
