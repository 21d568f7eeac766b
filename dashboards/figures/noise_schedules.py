"""Noise schedules, and the coverage of each noise level by the previous level."""

import math
from collections.abc import Iterator, Mapping, Sequence

from dashboards.drawing.description import Axis, Figure, Line, Panel, colours
from scorelib.schedules import SCHEDULES, Schedule
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import TrainSpec
from tuning.store.store import Store
from tuning.study import Study

_WHOLE = (-0.03, 1.03)  # axis limits of shares, with a margin


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each pair of ends and number of levels.

    The figures have a file only if the study has several families of schedules.
    """
    schedules = schedules_of(scheduler.study)
    is_compared = len({type(schedule) for schedule, _ in schedules}) > 1
    alike: dict[tuple[float, float, int], list[tuple[Schedule, int]]] = {}
    for schedule, n_dimensions in schedules:
        ends = (schedule.sigma_1, schedule.sigma_L, schedule.n_levels)
        alike.setdefault(ends, []).append((schedule, n_dimensions))
    for own in alike.values():
        yield schedule_figure(own, "schedules.png" if is_compared else "")


def schedule_figure(schedules: Sequence[tuple[Schedule, int]], file: str) -> Figure:
    """Describes a figure with the levels on the left and the coverages on the right.

    Args:
        schedules: schedules with the same ends and number of levels, each with the number of
            dimensions of its data.
        file: name of the PNG file, or "" for none.
    """
    first, _ = schedules[0]
    colour = colours([*SCHEDULES, *(s.title for s, _ in schedules if s.name not in SCHEDULES)])
    about = f"{first.n_levels} levels from {first.sigma_1:g} to {first.sigma_L:g}"
    dimensions = ", ".join(sorted({f"{n:,}" for _, n in schedules}))
    x = Axis("level", limits=(0.5, first.n_levels + 0.5), format="")
    left, right = Axis("sigma", True), Axis("coverage by the level before", limits=_WHOLE)
    panels = [
        Panel([_line(s, 1, s.sigmas, colour) for s, _ in schedules], x, left, about),
        Panel(
            [_line(s, 2, s.coverages(n), colour) for s, n in schedules], x, right,
            f"coverage, {dimensions} dimensions",
        ),
    ]  # fmt: skip
    return Figure(f"Noise schedules, {about}", panels, file=file, panel_size=(5.8, 3.9))


def _line(
    schedule: Schedule, start: int, values: Sequence[float], colour: Mapping[str, str]
) -> Line:
    levels = list(range(start, schedule.n_levels + 1))
    name = schedule.name if schedule.name in SCHEDULES else schedule.title
    return Line(levels, list(values), colour[name], schedule.title)


def schedules_of(study: Study) -> list[tuple[Schedule, int]]:
    """Returns the noise schedules of a study's trainings, each once, with the data's dimensions."""
    roots = [search.space.template for search in study.searches]
    specs = [part for root in (*roots, *study.fixed_jobs) for part in root.parts()]
    trainings = [spec for spec in specs if isinstance(spec, TrainSpec)]
    return list(dict.fromkeys((t.schedule, math.prod(t.data.shape)) for t in trainings))
