"""Renders a study's table, our numbers beside the paper's: terminal, Markdown, CSV or LaTeX.

The heading states measure, data and number of images. A difference and a verdict
(`dashboards.results.verdicts`) are shown only if our protocol and the paper's are equal. The CSV
contains no times and no paths, so equal results give equal files; its columns `within_noise_from`
and `within_noise_to` hold the step sizes within noise of the best, in the unit that was searched
(epsilon, or r). The LaTeX needs booktabs.
"""

from collections.abc import Sequence

import pandas as pd

from dashboards.results.cells import BaselineView, CellView, StudyView
from dashboards.results.claims import claim_numbers
from dashboards.results.pareto_fronts import multi_objective_runs, pareto_table
from dashboards.results.searches import alike_runs, search_notes, search_tables
from dashboards.results.verdicts import verdict
from dashboards.text.certainty import certainty_notes
from dashboards.text.claims import TITLE as CLAIMS
from dashboards.text.claims import claims_table
from dashboards.text.formats import Document, as_latex, as_markdown, as_rich
from dashboards.text.reported_notes import reported_notes
from dashboards.text.rounding import rounded
from tuning.cells import Cell

_SPREAD = "± std over seeds", "13.4(2): std 0.2 over seeds"
"""How a heading explains the spread: in tables for reading, and in the terminal."""

FORMATS = ("rich", "markdown", "latex", "csv")


def table_data(view: StudyView) -> pd.DataFrame:
    """Returns the table as data: one row for each cell and quantity, with all known numbers."""
    rows = [_row(view, cell, name) for cell in view.cells for name in cell.cell.quantities]
    return pd.DataFrame(rows)


def _row(view: StudyView, cell: CellView, quantity: str) -> dict[str, object]:
    measured, reported = cell.measured.get(quantity), cell.cell.reported.get(quantity)
    protocol = cell.cell.protocol if cell.cell.is_measured else None
    reported_r, sample = cell.cell.reported_r, cell.sample
    lowest, highest = cell.within_noise or (None, None)
    return {
        "paper": view.study.paper,
        "exhibit": view.study.exhibit,
        "scale": view.study.scale,
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
        "within_noise_from": lowest,
        "within_noise_to": highest,
        "failed": cell.failed,
        "reported": reported.value if reported else None,
        "reported_protocol": (reported.described or cell.cell.papers_samples(quantity) or None)
        if reported
        else None,
        "reported_epsilon": cell.cell.reported_epsilon,
        "reported_r": None if reported_r is None else round(reported_r, 3),
        "difference": cell.difference(quantity),
        "verdict": verdict(cell, quantity),
    }


def render(
    view: StudyView, style: str, width: int | None = None, missing: Sequence[str] = ()
) -> str:
    """Renders the table as text.

    Args:
        view: results of the study so far.
        style: one of `FORMATS`.
        width: width of "rich" output in characters; None for the width of the terminal.
        missing: notes on missing results, one line each.
    """
    if style == "csv":
        return str(table_data(view).to_csv(index=False, lineterminator="\n"))
    content = document(view, stacked=style == "rich", missing=missing)
    if style == "markdown":
        return as_markdown(content)
    return as_latex(content) if style == "latex" else as_rich(content, width)


def document(view: StudyView, *, stacked: bool = False, missing: Sequence[str] = ()) -> Document:
    """Returns the table with its title, heading, further tables and notes.

    Args:
        view: results of the study so far.
        stacked: whether the grid is narrow; see `grid`.
        missing: notes on missing results, one line each.
    """
    below = search_tables(view.runs, [cell.cell for cell in view.cells])
    for run in multi_objective_runs(list(view.runs.values())):
        about = f"Search {run.search.name}: Pareto front (trials that no other trial dominates)"
        below.append((about, pareto_table(run)))
    judged = claims_table(claim_numbers(view), stacked=stacked)
    claims = [] if judged.empty else [(CLAIMS, judged)]
    failed = [f"{c.cell.name} failed: {c.failed}" for c in view.cells if stacked and c.failed]
    return Document(
        title(view),
        heading(view).replace(*_SPREAD) if stacked else heading(view),
        [("", grid(view, stacked=stacked)), *claims, *below],
        [*failed, *foot(view), *missing],
    )


def heading(view: StudyView) -> str:
    """Returns the line that explains our numbers: measures, data, images, seeds, quantities."""
    own = [c.cell for c in view.cells if c.cell.is_measured]
    alone = [(c.search.space.template if c.search else c.job, c) for c in own if not c.protocol]
    jobs = dict.fromkeys(
        job.summary() + (f" x {cell.n_seeds} seeds" if cell.repeats else "")
        for job, cell in alone
        if job
    )
    seeds = max((cell.n_seeds for cell in own), default=1)
    measures = [
        p.summary()
        if p.seeds == "unstated"  # of pictures that were made elsewhere
        else f"{p.summary()} x {_seeds_in_words([c for c in own if c.protocol == p])}"
        for p in view.protocols
    ]
    quantities = {c.cell.quantities for c in view.cells if len(c.cell.quantities) > 1}
    meaning = [" / ".join(names) for names in sorted(quantities)]
    spread = ["± std over seeds"] if seeds > 1 else []
    return "ours: " + "; ".join([*measures, *jobs, *meaning, *spread])


def _seeds_in_words(cells: list[Cell]) -> str:
    """Returns the number and kind of seeds: "fresh" (of images) or "training" (repeated jobs)."""
    kind = "training" if any(cell.repeats for cell in cells) else "fresh"
    return f"{max(cell.n_seeds for cell in cells)} {kind} seeds"


def grid(view: StudyView, *, stacked: bool = False) -> pd.DataFrame:
    """Returns the table in the paper's layout, as text, with our numbers beside the paper's.

    The difference and its verdict are added if the protocols are equal. A paper's number that was
    measured on another number of samples than ours stands under a label that says so. The column
    "samples" gives the number of measured images or points, times the number of seeds.

    Args:
        view: results of the study so far.
        stacked: whether the table is for the terminal: our numbers are rounded to their spread, and
            the paper's number, difference and verdict are rows under them, not columns beside.
    """
    rows: dict[str, dict[str, dict[str, str]]] = {}
    samples: dict[str, dict[str, None]] = {}
    for cell in view.cells:
        own = cell.cell
        rows.setdefault(own.row, {})[own.column] = _texts(cell, is_short=stacked)
        if own.protocol and own.is_measured:
            samples.setdefault(own.row, {})[f"{own.protocol.n_images:,} x {own.n_seeds}"] = None
    ends = {name: {"samples": " / ".join(counts)} for name, counts in samples.items()}
    if not stacked:
        wide = (
            {"": name}
            | {f"{c}: {kind}": text for c, texts in row.items() for kind, text in texts.items()}
            | ends.get(name, {})
            for name, row in rows.items()
        )
        return pd.DataFrame(wide).fillna("")
    if len({of["samples"] for of in ends.values()}) == 1:
        ends = {}  # the heading says the one number
    lines = []
    for name, row in rows.items():
        lines.append(
            {"": name} | {c: texts["ours"] for c, texts in row.items()} | ends.get(name, {})
        )
        for kind in dict.fromkeys(k for texts in row.values() for k in texts if k != "ours"):
            beside = {column: texts[kind] for column, texts in row.items() if kind in texts}
            lines += [{"": f"  {kind}"} | beside] if any(beside.values()) else []
    columns = dict.fromkeys(["", *(c for row in rows.values() for c in row)])
    return pd.DataFrame(lines, columns=[*columns, *(["samples"] if ends else [])]).fillna("")


def _texts(cell: CellView, *, is_short: bool) -> dict[str, str]:
    """Returns the texts of a cell: "ours" and, if known, "paper", "difference" and "verdict".

    Short texts have our numbers rounded to their spread. If the paper's number was measured on
    another number of samples than ours, the number stands under that number instead of "paper".
    """
    own = cell.cell
    texts = {"ours": _ours_in_short(cell) if is_short else _ours(cell)}
    known = [name for name in own.quantities if name in own.reported]
    if known:
        samples = dict.fromkeys(own.papers_samples(name) for name in known)
        kind = ", ".join(["paper", *filter(None, samples)])
        texts[kind] = " / ".join(f"{own.reported[name].value:g}" for name in known)
    differences = {name: cell.difference(name) for name in own.quantities}
    if any(d is not None for d in differences.values()):
        texts["difference"] = " / ".join(
            "-" if d is None else f"{d:+.3g}" for d in differences.values()
        )
        texts["verdict"] = " / ".join(
            "-" if d is None else verdict(cell, name) or "one seed"
            for name, d in differences.items()
        )
    return texts


def _ours(cell: CellView) -> str:
    if not cell.cell.is_measured:
        return "-"
    if cell.failed:
        return f"failed: {cell.failed}"
    if cell.measured:
        names = cell.cell.quantities
        return " / ".join(str(cell.measured[n]) if n in cell.measured else "-" for n in names)
    if cell.winner or cell.cell.search is None:
        return f"measuring, {cell.n_missing} of {cell.cell.n_seeds} seeds missing"
    if cell.best_so_far:
        space = cell.cell.search.space
        output = space.output if cell.cell.protocol else space.number_names[0]
        return f"searching, best {output} so far {cell.best_so_far.value:.4g}"
    return "missing"


def _ours_in_short(cell: CellView) -> str:
    """Returns our numbers, or what is known so far, in about 16 characters."""
    own = cell.cell
    if not own.is_measured:
        return "-"
    if cell.failed:
        return "failed"
    if cell.measured:
        return " / ".join(
            rounded(cell.measured[n]) if n in cell.measured else "-" for n in own.quantities
        )
    if cell.winner or own.search is None:
        return f"{own.n_seeds - cell.n_missing} of {own.n_seeds} seeds"
    if cell.best_so_far and cell.best_so_far.value is not None:
        return f"best {cell.best_so_far.value:.4g}"
    return "missing"


def title(view: StudyView) -> str:
    """Returns the title of the table."""
    study = view.study
    return f"{study.name} ({study.scale}): {study.exhibit}. {study.title}"


def _baseline(baseline: BaselineView) -> str:
    distance = "missing" if baseline.distance is None else f"{baseline.distance:.4g}"
    distinct = f", {baseline.n_distinct:,} distinct" if baseline.n_distinct else ""
    images = f" ({baseline.n_images:,} images{distinct})" if baseline.n_images else ""
    return f"{baseline.name} = {distance}{images}"


def foot(view: StudyView) -> list[str]:
    """Returns the notes under the table, one line each."""
    lines = [_baseline(baseline) for baseline in view.baselines]
    reported = [r for cell in view.cells for r in cell.cell.reported.values()]
    papers = dict.fromkeys(r.protocol.describe() for r in reported if r.protocol)
    lines += [f"the paper's protocol: {described}" for described in papers]
    alike = alike_runs(view.runs)
    for run in view.runs.values():
        lines += search_notes(run) if run not in alike else []
    same = any(c.difference(name) is not None for c in view.cells for name in c.cell.quantities)
    if papers and not same:
        lines.append("no differences are shown because our protocol and the paper's differ")
    return [
        *lines,
        *reported_notes(view),
        *certainty_notes(view),
        *view.code_notes,
        *view.data_notes,
        *view.study.notes,
    ]
