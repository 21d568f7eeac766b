"""Prints a study's table: ours beside the paper's, for the terminal, Markdown or CSV.

    python -m dashboards.table NAME [--scale demo|paper] [--format rich|markdown|csv] [--store URL]

Works at any time, also while the study runs: what is missing is shown as missing. Numbers are
headed by what they are; a difference is shown only where protocols are equal. The CSV holds no
times and no paths, so equal results are equal files.
"""

import argparse
import io
import sys

import pandas as pd
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from dashboards.cells import CellView, Measured, StudyView, view
from studies.command import Arguments, add_study_arguments, open_study, run_command
from tuning.stages import OBJECTIVES, Objective

FORMATS = ("rich", "markdown", "csv")


def frame(shown: StudyView) -> pd.DataFrame:
    """The table as data: a row per cell and distance, everything that is known of it."""
    rows = [_row(shown, cell, which) for cell in shown.cells for which in OBJECTIVES]
    return pd.DataFrame(rows)


def _row(shown: StudyView, cell: CellView, which: Objective) -> dict[str, object]:
    measured, reported = cell.measured.get(which), cell.cell.reported[which]
    own = cell.cell.search is not None
    return {
        "paper": shown.study.paper,
        "table": shown.study.table,
        "scale": shown.study.scale,
        "row": cell.cell.row,
        "column": cell.cell.column,
        "images": which,
        "distance": cell.cell.protocol.distance_name if own else None,
        "value": measured.mean if measured else None,
        "spread": measured.spread if measured else None,
        "n_seeds": measured.n_seeds if measured else None,
        "n_images": cell.cell.protocol.n_images if own else None,
        "epsilon": cell.winner.epsilon if cell.winner else None,
        "r": round(cell.winner.r, 3) if cell.winner else None,
        "failed": cell.failed,
        "reported": reported.value,
        "reported_protocol": reported.protocol.describe(),
        "reported_epsilon": cell.cell.reported_epsilon,
        "reported_r": round(cell.cell.reported_r, 3),
        "difference": cell.difference(which),
    }


def render(shown: StudyView, style: str, width: int | None = None) -> str:
    """The table as text.

    Args:
        shown: what is known of the study.
        style: one of `FORMATS`.
        width: columns of the terminal, for "rich"; None for the terminal's own.
    """
    if style == "csv":
        return str(frame(shown).to_csv(index=False, lineterminator="\n"))
    grid, steps = _grid(shown), _steps(shown)
    ours = f"ours: {heading(shown)}; raw / denoised, ± over seeds"
    if style == "markdown":
        parts = [f"**{_title(shown)}**", "", ours, "", *_markdown(grid), "", _STEPS_TITLE, ""]
        return "\n".join([*parts, *_markdown(steps), "", *_listed(_foot(shown))]) + "\n"
    out = io.StringIO()
    console = Console(file=out, force_terminal=sys.stdout.isatty(), width=width)
    console.print(Text(_title(shown), style="bold"))
    console.print(Text(ours))
    console.print(_beside(grid))
    console.print(Text(_STEPS_TITLE))
    console.print(_rich(steps))
    for line in _foot(shown):
        console.print(Text(line), soft_wrap=True)
    return out.getvalue()


def _listed(lines: list[str]) -> list[str]:
    return [f"- {line}" for line in lines]


def heading(shown: StudyView) -> str:
    """What our numbers are: distance, data, number of images."""
    protocol = shown.protocol
    seeds = max((c.cell.n_seeds for c in shown.cells if c.cell.search), default=1)
    return (
        f"{protocol.distance_name}, {protocol.data.name} {protocol.split}, "
        f"{protocol.n_images:,} images x {seeds} fresh seeds"
    )


def _grid(shown: StudyView) -> pd.DataFrame:
    """The paper's layout: a row per sampler, ours and the paper's for each way of training."""
    rows: dict[str, dict[str, str]] = {}
    for cell in shown.cells:
        own = cell.cell
        row = rows.setdefault(own.row, {"sampling": own.row})
        row[f"{own.column}: ours"] = _ours(cell)
        row[f"{own.column}: paper"] = " / ".join(
            f"{own.reported[which].value:g}" for which in OBJECTIVES
        )
        known = [f"{d:+.3g}" for which in OBJECTIVES if (d := cell.difference(which)) is not None]
        if known:
            row[f"{own.column}: difference"] = " / ".join(known)
    return pd.DataFrame(list(rows.values())).fillna("")


def _steps(shown: StudyView) -> pd.DataFrame:
    """The step sizes behind the cells, comparable by r only."""
    return pd.DataFrame(
        {
            "sampling": cell.cell.row,
            "epsilon": f"{cell.winner.epsilon:.2g}" if cell.winner else "",
            "r": f"{cell.winner.r:.2f}" if cell.winner else "",
            "paper's epsilon": f"{cell.cell.reported_epsilon:g}",
            "paper's r": f"{cell.cell.reported_r:.2f}",
            "trials": f"{sum(t.result is not None for t in cell.trials)}",
        }
        for cell in shown.cells
        if cell.cell.search
    )


def _ours(cell: CellView) -> str:
    if cell.cell.search is None:
        return "-"
    if cell.failed:
        return f"failed: {cell.failed}"
    if cell.measured:
        return " / ".join(_value(cell.measured[which]) for which in OBJECTIVES)
    if cell.winner:
        return f"measuring, {cell.n_missing} of {cell.cell.n_seeds} seeds missing"
    best = cell.best_so_far
    if best and best.result and best.result.denoised is not None:
        return f"searching, best denoised so far {best.result.denoised:.4g}"
    return "missing"


def _value(measured: Measured) -> str:
    if measured.spread is None:
        return f"{measured.mean:.4g}"
    return f"{measured.mean:.4g} ±{measured.spread:.2g}"


def _title(shown: StudyView) -> str:
    study = shown.study
    return f"{study.name} ({study.scale}): Table {study.table}. {study.title}"


_STEPS_TITLE = "Step sizes (r = epsilon / the step that just follows the schedule; Table 5)"


def _beside(grid: pd.DataFrame) -> Table:
    """The grid in half its width: the paper's numbers on a line of their own, below ours."""
    ours = [str(name) for name in grid.columns if str(name).endswith(": ours")]
    lines = []
    for _, row in grid.iterrows():
        lines.append([row["sampling"], *(row[name] for name in ours)])
        lines.append(["  paper", *(row[name.replace("ours", "paper")] for name in ours)])
    return _rich(pd.DataFrame(lines, columns=["", *(n.removesuffix(": ours") for n in ours)]))


def _rich(data: pd.DataFrame) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for name in data.columns:
        table.add_column(Text(str(name)))
    for row in data.itertuples(index=False):
        table.add_row(*(Text(str(value)) for value in row))
    return table


def _markdown(data: pd.DataFrame) -> list[str]:
    rows = [" | ".join(map(str, row)) for row in [data.columns, *data.itertuples(index=False)]]
    rows.insert(1, " | ".join("---" for _ in data.columns))
    return [f"| {row} |" for row in rows]


def _foot(shown: StudyView) -> list[str]:
    name = shown.protocol.metric_name
    lines = []
    for yardstick in shown.yardsticks:
        value = "missing" if yardstick.distance is None else f"{yardstick.distance:.4g}"
        count = f" ({yardstick.n_images:,} images)" if yardstick.n_images else ""
        lines.append(f"{name}({yardstick.name}) = {value}{count}")
    papers = next(iter(shown.cells)).cell.reported["raw"].protocol.describe()
    lines.append(f"paper: {papers}; its epsilon belongs to another schedule, so r is compared")
    lines += [
        f"{cell.cell.row}: the best epsilon is at the {cell.edge} edge of those tried"
        for cell in shown.cells
        if cell.edge
    ]
    lines += [line for cell in shown.cells if (line := _carried_over(cell))]
    same = any(c.difference(which) is not None for c in shown.cells for which in OBJECTIVES)
    if not same:
        lines.append("no differences are shown: ours and the paper's protocols differ")
    return lines


def _carried_over(cell: CellView) -> str | None:
    """How good the step size carried over from another search was, as the first trial."""
    search = cell.cell.search
    if cell.winner is None or search is None or search.after is None:
        return None
    objective = search.space.objective
    values = [t.result.of(objective) if t.result else None for t in cell.trials]
    known = [value for value in values if value is not None]
    if not known or values[0] is None or min(known) <= 0:
        return None
    excess = values[0] / min(known) - 1
    return (
        f"{cell.cell.row}: carried over from {search.after.name}, the first step size was within "
        f"{excess:.0%} of the best of {len(known)} trials"
    )


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Arguments(prog="python -m dashboards.table", description=__doc__.split("\n\n")[0])
    add_study_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="rich", help="default: rich")

    def command(args: argparse.Namespace) -> int:
        scheduler, store = open_study(args)
        print(render(view(scheduler, store), args.format), end="")
        return 0

    return run_command(parser, command, argv)


if __name__ == "__main__":
    sys.exit(main())
