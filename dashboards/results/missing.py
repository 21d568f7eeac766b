"""What a study still lacks, and what that would cost."""

from dashboards.results.cells import StudyView
from dashboards.results.plan import size
from tuning.execution.resources import likely_device
from tuning.scheduling.forecast import forecast
from tuning.scheduling.progress import duration
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store


def what_is_missing(view: StudyView, scheduler: Scheduler, store: Store) -> list[str]:
    """Lines for people; none if nothing is missing. Nothing is proposed or written by asking.

    Args:
        view: what is known of the study.
        scheduler: its scheduler.
        store: its store, for measured rates.
    """
    device = likely_device(scheduler.study)
    rows = [row for row in forecast(scheduler, store, device) if row.n_to_run]
    if not rows:
        return []
    cells = [cell for cell in view.cells if cell.cell.is_measured]
    n_open = sum(not cell.is_done for cell in cells)
    n_jobs, evaluations = sum(r.n_to_run for r in rows), sum(r.work.evaluations for r in rows)
    mark = "est. " if any(row.is_estimate for row in rows) else ""
    return [
        f"missing: {n_open} of {len(cells)} cells; {n_jobs:,} jobs, {evaluations:,} network "
        f"evaluations, {mark}{duration(sum(r.hours for r in rows) * 3600)} on one {device}, "
        f"{size(sum(row.work.n_bytes for row in rows))}"
    ]
