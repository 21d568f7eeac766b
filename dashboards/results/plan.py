"""Prints a study's plan: stored jobs, jobs to run, and their cost."""

from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table

from tuning.scheduling.amounts import size
from tuning.scheduling.forecast import StageForecast, total
from tuning.scheduling.scheduler import Scheduler
from tuning.search.search import SearchRun
from tuning.spaces import Rung
from tuning.stages import Score
from tuning.study import Study


def print_plan(
    study: Study,
    scheduler: Scheduler,
    rows: list[StageForecast],
    device: str,
    notes: Sequence[str],
    console: Console,
) -> None:
    """Prints the jobs of a study by stage, their total cost, and each search.

    Args:
        study: the study.
        scheduler: scheduler of the study.
        rows: forecast of the study, by stage.
        device: class of the device that runs the expensive jobs.
        notes: what the user should know of the data sets, one line each.
        console: console to print to.
    """
    title = f"{study.name} ({study.scale}) on {device}"
    table = Table(
        "stage", "stored", "to run", "images", "evaluations", "time", "disk",
        title=title, title_justify="left", box=box.SIMPLE_HEAD, pad_edge=False,
    )  # fmt: skip
    for row in rows:
        table.add_row(*_row(row))
    console.print(table)
    left = total(rows)
    _print_line(
        f"left: {left.n_to_run:,} jobs, {left.work.evaluations:,} network evaluations, "
        f"{left.mark}{left.hours:,.2f} hours on one {device}, {size(left.work.n_bytes)}",
        console,
    )
    for name, run in scheduler.searches.items():
        after = f", starts from {run.search.after.name}" if run.search.after else ""
        tried = sum(t.result is not None for t in run.trials)
        rungs = "".join(f"; {_rung(rung)}" for rung in run.search.ladder)
        trials = f"{tried} trials" if run.is_spent else f"{tried} of {run.search.budget} trials"
        ending = f"; ended: {run.ending}" if run.is_spent and run.search.ends_early else ""
        _print_line(f"  search {name}: {trials}{_images(run)}{rungs}{after}{ending}", console)
    for note in notes:
        _print_line(note, console)


def _print_line(line: str, console: Console) -> None:
    console.print(line, highlight=False, soft_wrap=True)


def _images(run: SearchRun) -> str:
    job = run.search.space.template
    return f" on {job.protocol.n_images:,} images" if isinstance(job, Score) else ""


def _rung(rung: Rung) -> str:
    longer = f" after {rung.iteration:,} iterations" if rung.iteration else ""
    return f"then the best {rung.keep} on {rung.n_images:,} images{longer}"


def _row(row: StageForecast) -> tuple[str, ...]:
    return (
        row.stage,
        f"{row.n_stored:,}",
        f"{row.n_to_run:,}",
        f"{row.work.images:,}",
        f"{row.work.evaluations:,}",
        row.time_left,
        size(row.work.n_bytes),
    )
