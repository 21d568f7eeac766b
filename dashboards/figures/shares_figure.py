"""Shares of the classes as bars with confidence intervals, beside the equal share."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib import pyplot as plt

from dashboards.figures.png import as_png

_REACHES, _MISSES = "#1f5fa8", "#d9a441"


@dataclass(frozen=True)
class Bars:
    """What a panel shows, each of one number per class.

    Attributes:
        shares: in [0, 1].
        lower: lower ends of their intervals.
        upper: upper ends.
    """

    shares: Sequence[float]
    lower: Sequence[float]
    upper: Sequence[float]


def shares_figure(panels: Mapping[str, Bars], title: str) -> bytes:
    """A panel of bars for each set of images; darker are the classes that reach the equal share.

    Args:
        panels: the bars, by title.
        title: above all.

    Returns:
        A PNG file.
    """
    figure, axes = plt.subplots(
        1, len(panels), figsize=(4.4 * len(panels), 3.8), squeeze=False, sharey=True, dpi=120
    )
    for axis, (name, bars) in zip(axes.flat, panels.items(), strict=True):
        _draw(axis, name, bars)
    axes[0, 0].set_ylabel("share of the images")
    figure.suptitle(title, fontsize=11)
    return as_png(figure)


def _draw(axis: Any, name: str, bars: Bars) -> None:
    equal = 1 / len(bars.shares)
    triples = list(zip(bars.shares, bars.lower, bars.upper, strict=True))
    reaches = [low <= equal <= high for _, low, high in triples]
    errors = [[s - low for s, low, _ in triples], [high - s for s, _, high in triples]]
    axis.bar(
        range(len(triples)), bars.shares, yerr=errors, capsize=3, width=0.75,
        color=[_REACHES if r else _MISSES for r in reaches], error_kw={"linewidth": 1.0},
    )  # fmt: skip
    axis.axhline(equal, color="black", linewidth=0.9, linestyle="--")
    axis.set(xlabel="class", title=f"{name}: {sum(reaches)} of {len(triples)} reach {equal:.0%}")
    axis.title.set_fontsize(10)
    axis.set_xticks(range(len(triples)))
    axis.grid(axis="y", alpha=0.25)
    axis.set_axisbelow(True)
