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
from dashboards.searches import alike_runs, findings, parts
from studies.command import Arguments, add_study_arguments, open_study, run_command

FORMATS = ("rich", "markdown", "csv")


def frame(shown: StudyView) -> pd.DataFrame:
    """The table as data: a row per cell and quantity, everything that is known of it."""
    rows = [_row(shown, cell, name) for cell in shown.cells for name in cell.cell.quantities]
    return pd.DataFrame(rows)


def _row(shown: StudyView, cell: CellView, quantity: str) -> dict[str, object]:
    measured, reported = cell.measured.get(quantity), cell.cell.reported.get(quantity)
    protocol = cell.cell.protocol if cell.cell.is_measured else None
    reported_r, sample = cell.cell.reported_r, cell.sample
    return {
        "paper": shown.study.paper,
        "exhibit": shown.study.exhibit,
        "scale": shown.study.scale,
        "row": cell.cell.row,
        "column": cell.cell.column,
        "quantity": quantity,
        "measure": protocol.name if protocol else None,
        "value": measured.mean if measured else None,
        "spread": measured.spread if measured else None,
        "n_seeds": measured.n_seeds if measured else None,
        "n_images": protocol.n_images if protocol else None,
        "epsilon": sample.epsilon if sample else None,
        "r": None if cell.r is None else round(cell.r, 3),
        "failed": cell.failed,
        "reported": reported.value if reported else None,
        "reported_protocol": reported.protocol.describe()
        if reported and reported.protocol
        else None,
        "reported_epsilon": cell.cell.reported_epsilon,
        "reported_r": None if reported_r is None else round(reported_r, 3),
        "difference": cell.difference(quantity),
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
    layout = grid(shown)
    below = parts(shown.runs, [cell.cell for cell in shown.cells])
    if style == "markdown":
        lines = [f"**{title(shown)}**", "", heading(shown), "", *_markdown(layout), ""]
        for about, data in below:
            lines += [about, "", *_markdown(data), ""]
        return "\n".join([*lines, *(f"- {line}" for line in foot(shown))]) + "\n"
    out = io.StringIO()
    console = Console(file=out, force_terminal=sys.stdout.isatty(), width=width)
    console.print(Text(title(shown), style="bold"))
    console.print(Text(heading(shown)))
    console.print(_beside(layout))
    for about, data in below:
        console.print(Text(about))
        console.print(_rich(data))
    for line in foot(shown):
        console.print(Text(line), soft_wrap=True)
    return out.getvalue()


def heading(shown: StudyView) -> str:
    """What our numbers are: measure, data, number of images; and what stands in a cell."""
    own = [c.cell for c in shown.cells if c.cell.is_measured]
    jobs = dict.fromkeys(c.job.summary() for c in own if c.job and not c.protocol)
    seeds = max((cell.n_seeds for cell in own), default=1)
    measures = [
        f"{p.summary()} x {max(c.n_seeds for c in own if c.protocol == p)} fresh seeds"
        for p in shown.protocols
    ]
    quantities = {c.cell.quantities for c in shown.cells if len(c.cell.quantities) > 1}
    meaning = [" / ".join(names) for names in sorted(quantities)]
    spread = ["± over seeds"] if seeds > 1 else []
    return "ours: " + "; ".join([*measures, *jobs, *meaning, *spread])


def grid(shown: StudyView) -> pd.DataFrame:
    """The paper's layout: a row per sampler, ours and the paper's for each column."""
    rows: dict[str, dict[str, str]] = {}
    for cell in shown.cells:
        own = cell.cell
        row = rows.setdefault(own.row, {"": own.row})
        row[f"{own.column}: ours"] = _ours(cell)
        if own.reported:
            row[f"{own.column}: paper"] = " / ".join(
                f"{own.reported[name].value:g}" for name in own.quantities if name in own.reported
            )
        differences = [cell.difference(name) for name in own.quantities]
        known = [f"{d:+.3g}" for d in differences if d is not None]
        if known:
            row[f"{own.column}: difference"] = " / ".join(known)
    return pd.DataFrame(list(rows.values())).fillna("")


def _ours(cell: CellView) -> str:
    if not cell.cell.is_measured:
        return "-"
    if cell.failed:
        return f"failed: {cell.failed}"
    if cell.measured:
        names = cell.cell.quantities
        return " / ".join(_value(cell.measured[n]) if n in cell.measured else "-" for n in names)
    if cell.winner or cell.cell.search is None:
        return f"measuring, {cell.n_missing} of {cell.cell.n_seeds} seeds missing"
    best = cell.best_so_far
    if best and best.result and (value := best.result.of("denoised")) is not None:
        return f"searching, best denoised so far {value:.4g}"
    return "missing"


def _value(measured: Measured) -> str:
    if measured.spread is None:
        return f"{measured.mean:.4g}"
    return f"{measured.mean:.4g} ±{measured.spread:.2g}"


def title(shown: StudyView) -> str:
    """What the table is."""
    study = shown.study
    return f"{study.name} ({study.scale}): {study.exhibit}. {study.title}"


def _beside(grid: pd.DataFrame) -> Table:
    """The grid in half its width: the paper's numbers on a line of their own, below ours."""
    ours = [str(name) for name in grid.columns if str(name).endswith(": ours")]
    lines = []
    for _, row in grid.iterrows():
        lines.append([row[""], *(row[name] for name in ours)])
        papers = [row.get(name.replace(": ours", ": paper"), "") for name in ours]
        if any(papers):
            lines.append(["  paper", *papers])
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


def foot(shown: StudyView) -> list[str]:
    """What has to be said below the table, a line each."""
    lines = [
        f"{yardstick.name} = "
        + ("missing" if yardstick.distance is None else f"{yardstick.distance:.4g}")
        + (f" ({yardstick.n_images:,} images)" if yardstick.n_images else "")
        for yardstick in shown.yardsticks
    ]
    reported = [r for cell in shown.cells for r in cell.cell.reported.values()]
    papers = dict.fromkeys(r.protocol.describe() for r in reported if r.protocol)
    lines += [f"paper: {described}" for described in papers]
    alike = alike_runs(shown.runs)
    for run in shown.runs.values():
        lines += findings(run) if run not in alike else []
    same = any(c.difference(name) is not None for c in shown.cells for name in c.cell.quantities)
    if papers and not same:
        lines.append("no differences are shown: ours and the paper's protocols differ")
    return [*lines, *shown.study.notes]


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
