"""Missing results of a study and their cost."""

from dashboards.results.cells import StudyView
from tuning.execution.resources import likely_device
from tuning.scheduling.amounts import size
from tuning.scheduling.forecast import forecast, total
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


def what_is_missing(view: StudyView, scheduler: Scheduler, store: Store) -> list[str]:
    """Returns the notes on missing results; empty if nothing is missing. Writes nothing.

    Args:
        view: results of the study so far.
        scheduler: scheduler of the study.
        store: store of the study, which holds the measured rates.
    """
    device = likely_device(scheduler.study)
    left = total(forecast(scheduler, store, device))
    if not left.n_to_run:
        return []
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    n_open = sum(not cell.is_done for cell in cells)
    return [
        f"missing: {n_open} of {len(cells)} cells; {left.n_to_run:,} jobs, "
        f"{left.work.evaluations:,} network evaluations, {left.time_left} on one {device}, "
        f"{size(left.work.n_bytes)}"
    ]
