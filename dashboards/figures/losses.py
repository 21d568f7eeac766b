"""Losses of every training run so far; shown on pages only, without a file."""

import json
from collections.abc import Iterator

from dashboards.drawing.description import Axis, Figure, Line, Panel, colours
from tuning.scheduling.forecast import stored_jobs
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import TrainedWeights
from tuning.stages.training.snapshots import LOSSES_FILE
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields a figure for each loss, with one line for each training run."""
    for loss, lines in losses_of(scheduler, store).items():
        own, title = colours(lines), f"{loss} loss"
        marks = [
            Line([i for i, _ in pairs], [value for _, value in pairs], own[label], label, width=1)
            for label, pairs in lines.items()
        ]
        panel = Panel(marks, Axis("iteration", format=","), Axis(title))
        yield Figure(title, [panel], about="Training")


def losses_of(scheduler: Scheduler, store: Store) -> dict[str, dict[str, list[tuple[int, float]]]]:
    """Returns (iteration, value) pairs so far, by name of the loss and label of the training."""
    longest: dict[str, TrainedWeights] = {}
    for job in stored_jobs(scheduler):
        if isinstance(job, TrainedWeights):
            known = longest.get(job.train.key)
            if known is None or job.iteration > known.iteration:
                longest[job.train.key] = job
    losses: dict[str, dict[str, list[tuple[int, float]]]] = {}
    for number, job in enumerate(longest.values(), start=1):
        manifest = store.manifest(job.stage, job.key)
        if manifest is None or LOSSES_FILE not in manifest.files:
            continue
        label = f"{number}: {job.train.method}, {job.train.data.name}, seed {job.train.seed}"
        for name, pairs in json.loads(store.read(job.stage, job.key, LOSSES_FILE)).items():
            losses.setdefault(name, {})[label] = [(int(i), v) for i, v in pairs]
    return losses
