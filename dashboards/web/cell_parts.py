"""What a cell's page says of its pictures: noise levels, classes and distances."""

from dashboards.results.cells import CellView
from dashboards.results.stored_pictures import frames_of
from tuning.scheduling.scheduler import Scheduler
from tuning.stages.nearest import HELD_OUT, NEAREST
from tuning.store.store import Store


def steps_of(cell: CellView, store: Store) -> list[str]:
    """Returns what each of a cell's frames along the chain is; empty without stored frames."""
    frames = frames_of(cell, store)
    sigmas = frames[1] if frames else []
    return [f"{n} of {len(sigmas)}: sigma {sigma:.2g}" for n, sigma in enumerate(sigmas, start=1)]


def classes_of(cell: CellView) -> list[int]:
    """Returns the class of each column of a cell's pictures; empty if columns are no classes."""
    if cell.sample is None:
        return []
    n_columns = cell.sample.picture_columns
    labels = cell.sample.labels(n_columns**2)
    if labels is None:
        return []
    rows = labels.reshape(n_columns, n_columns)
    return rows[0].tolist() if (rows == rows[0]).all() else []


def neighbours_of(cell: CellView, scheduler: Scheduler) -> dict[str, float]:
    """Returns the median distances of a cell's images and of held-out ones; empty if unknown."""
    found = scheduler.lookup(cell.nearest) if cell.nearest else None
    known = found.numbers if found else {}
    return {name: known[name] for name in (NEAREST, HELD_OUT) if name in known}
