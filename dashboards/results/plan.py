"""Prints a study's plan: what is stored, what would run, and what that costs."""

from rich import box
from rich.console import Console
from rich.table import Table

from tuning.scheduling.forecast import StageForecast
from tuning.scheduling.progress import duration
from tuning.scheduling.scheduler import Scheduler
from tuning.spaces import Rung
from tuning.study import Study


def print_plan(
    study: Study,
    scheduler: Scheduler,
    rows: list[StageForecast],
    device: str,
    console: Console,
) -> None:
    """Prints the job graph by stage, and each search and cell.

    Args:
        study: the study.
        scheduler: its scheduler.
        rows: its forecast.
        device: class of device the dear jobs would run on.
        console: where to print.
    """
    title = f"{study.name} ({study.scale}) on {device}"
    table = Table(
        "stage", "stored", "to run", "images", "evaluations", "time", "disk",
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for row in rows:
        table.add_row(*_row(row))
    console.print(table)
    total = sum(row.hours for row in rows)
    evaluations = sum(row.work.evaluations for row in rows)
    n_bytes = sum(row.work.n_bytes for row in rows)
    mark = "est. " if any(row.is_estimate for row in rows if row.n_to_run) else ""
    console.print(
        f"left: {sum(r.n_to_run for r in rows):,} jobs, {evaluations:,} network evaluations, "
        f"{mark}{total:,.2f} hours on one {device}, {size(n_bytes)}",
        highlight=False, soft_wrap=True,
    )  # fmt: skip
    for name, run in scheduler.searches.items():
        after = f", starts from {run.search.after.name}" if run.search.after else ""
        tried = sum(t.result is not None for t in run.trials)
        rungs = "".join(f"; {_rung(rung)}" for rung in run.search.ladder)
        console.print(
            f"  search {name}: {tried} of {run.search.n_trials} trials on "
            f"{run.search.space.protocol.n_images:,} images{rungs}{after}",
            highlight=False, soft_wrap=True,
        )  # fmt: skip


def _rung(rung: Rung) -> str:
    longer = f" of {rung.iteration:,} iterations" if rung.iteration else ""
    return f"best {rung.keep} on {rung.n_images:,}{longer}"


def _row(row: StageForecast) -> tuple[str, ...]:
    mark = "est. " if row.is_estimate and row.n_to_run else ""
    return (
        row.stage,
        f"{row.n_stored:,}",
        f"{row.n_to_run:,}",
        f"{row.work.images:,}",
        f"{row.work.evaluations:,}",
        f"{mark}{duration(row.hours * 3600)}" if row.n_to_run else "",
        size(row.work.n_bytes),
    )


def size(n_bytes: float) -> str:
    """Bytes as people say them: "71 GB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if n_bytes < 1000:
            return f"{n_bytes:.3g} {unit}"
        n_bytes /= 1000
    return f"{n_bytes:.3g} TB"
