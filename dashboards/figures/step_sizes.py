"""Distance against step size, for every search over the step size: the paper's Figure 3.

The layout is that of the paper's figure: both samplers, raw and denoised, on a logarithmic axis,
with every measured point. A band marks the step sizes whose results are within noise of the best.
Unlike the paper, which fits a second axis by hand, both samplers share one axis.
"""

import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from dashboards.drawing.description import Axis, Figure, Line, Panel, Span, colours
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces import EPSILON, StepSizeSpace
from tuning.store.store import Store

_STYLES: dict[str, Any] = {
    "raw": {"dash": "dash", "marker": "open"}, "denoised": {"marker": "filled"},
}  # fmt: skip
_SHOWN_TIMES_BEST = 6.0
_TITLE_CHARACTERS = 70


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each group of `comparable_runs`; equal measures have equal limits."""
    study, groups = scheduler.study, comparable_runs(scheduler.searches.values())
    own = colours(sorted(_name(run) for group in groups for run in group.runs))
    for group in groups:
        alike = [run for other in groups if other.label == group.label for run in other.runs]
        y = _axis(group.label, alike)
        spans = [Span(run.within_noise, own[_name(run)]) for run in group.runs if run.within_noise]
        lines = [line for run in group.runs for line in _lines(run, own[_name(run)])]
        title = textwrap.fill(group.title, _TITLE_CHARACTERS)
        yield Figure(
            f"Distance against step size: {group.title}",
            [Panel([*spans, *lines], _step_axis(group.runs[0]), y, title)],
            file=f"{_step_size(group.runs[0])}_curve.png",
            heading=f"{study.name} ({study.scale}): distance against step size",
        )


def _step_axis(run: SearchRun) -> Axis:
    name = _step_size(run)
    return Axis(name, is_log=True, format=".2g" if name == EPSILON else ".3g")


def _axis(label: str, alike: Sequence[SearchRun]) -> Axis:
    """Returns the axis of results; logarithmic, up to some times the best, for distances alone."""
    best = min(v for run in alike for which in _STYLES for v in _points(run, which)[1])
    is_distance = best > 0 and all(run.search.space.lower_is_better[0] for run in alike)
    limits = (0.85 * best, _SHOWN_TIMES_BEST * best) if is_distance else (None, None)
    return Axis(label, is_log=is_distance, limits=limits)


def _lines(run: SearchRun, colour: str) -> Iterator[Line]:
    for which, how in _STYLES.items():
        x, y = _points(run, which)
        if x:
            yield Line(x, y, colour, f"{_name(run)}, {which}", **how)


def _points(run: SearchRun, which: str) -> tuple[list[float], list[float]]:
    """Returns the tried step sizes in ascending order, and their results."""
    tried = [(float(t.values[_step_size(run)]), t.result.of(which)) for t in run.trials if t.result]
    pairs = sorted((epsilon, value) for epsilon, value in tried if value is not None)
    return [epsilon for epsilon, _ in pairs], [value for _, value in pairs]


def _step_size(run: SearchRun) -> str:
    space = run.search.space
    assert isinstance(space, StepSizeSpace)
    return space.step_size


def _sampler(run: SearchRun) -> Any:
    return run.search.space.sample.sampler


def _name(run: SearchRun) -> str:
    return str(_sampler(run).label)


@dataclass(frozen=True)
class Group:
    """Searches with comparable results, drawn in one figure.

    Attributes:
        title: settings that distinguish the group from other groups.
        label: name of the measure and number of images.
        runs: the searches.
    """

    title: str
    label: str
    runs: tuple[SearchRun, ...]


def comparable_runs(runs: Iterable[SearchRun]) -> list[Group]:
    """Groups the searches by training objective, n_sigma and all other settings that differ.

    The other settings are the data, the network, the schedule and the measure. Of one objective,
    groups with fewer steps (n_sigma) come first.

    Searches over epsilon and over r are never in one group.

    Args:
        runs: searches; only searches over the step size with a finished trial are grouped.
    """
    told = {
        run: _told(run)
        for run in runs
        if run.best_so_far and isinstance(run.search.space, StepSizeSpace)
    }
    differ = [len(set(texts)) > 1 for texts in zip(*told.values(), strict=True)]
    shared: dict[tuple[str, int, tuple[str, ...], str, str], list[SearchRun]] = {}
    for run, texts in told.items():
        way = run.search.space.sample.model.origin
        more = tuple(text for text, is_told in zip(texts, differ, strict=True) if is_told)
        by = (way, -_sampler(run).n_sigma, more, texts[-1], _step_size(run))
        shared.setdefault(by, []).append(run)
    return [
        Group(_title(f"n_sigma = {-steps}", way, *more, unit), label, tuple(alike))
        for (way, steps, more, label, unit), alike in sorted(
            shared.items(), key=lambda item: item[0][:2], reverse=True
        )
    ]


def _title(*settings: str) -> str:
    """Joins settings; the last, the name of the step size, is left out for the usual epsilon."""
    *others, unit = settings
    return ", ".join(others if unit == EPSILON else [*others, f"steps in {unit}"])


def _told(run: SearchRun) -> tuple[str, str, str, str]:
    """Returns the settings that can distinguish groups: data, network, schedule and measure."""
    model, protocol = run.search.space.sample.model, run.search.space.protocol
    levels = model.levels
    return (
        model.target.name,
        model.architecture.rpartition(":")[2],
        f"{levels.title} from {levels.sigma_1:g} to {levels.sigma_L:g} in {levels.n_levels} levels",
        f"{protocol.name}, {protocol.n_images:,} {protocol.unit}",
    )
