"""A study's table: ours beside the paper's, for the terminal, Markdown, CSV or LaTeX.

Numbers are headed by what they are; a difference and a verdict (`dashboards.results.verdicts`) are
shown only where protocols are equal. The CSV holds no times and no paths, so equal results are
equal files. LaTeX is for documents that load booktabs.
"""

from collections.abc import Sequence

import pandas as pd

from dashboards.results.cells import CellView, StudyView
from dashboards.results.fronts import multi_objective_runs, pareto_table
from dashboards.results.method_pairs import BASE, OURS, difference_table, pairs
from dashboards.results.searches import alike_runs, findings, parts
from dashboards.results.verdicts import verdict
from dashboards.text.formats import Document, as_latex, as_markdown, as_rich
from tuning.study import Cell

FORMATS = ("rich", "markdown", "latex", "csv")


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
        "verdict": verdict(cell, quantity),
    }


def render(
    shown: StudyView, style: str, width: int | None = None, missing: Sequence[str] = ()
) -> str:
    """The table as text.

    Args:
        shown: what is known of the study.
        style: one of `FORMATS`.
        width: columns of the terminal, for "rich"; None for the terminal's own.
        missing: what is not known yet, lines for the foot.
    """
    if style == "csv":
        return str(frame(shown).to_csv(index=False, lineterminator="\n"))
    content = document(shown, stacked=style == "rich", missing=missing)
    if style == "markdown":
        return as_markdown(content)
    return as_latex(content) if style == "latex" else as_rich(content, width)


def document(shown: StudyView, *, stacked: bool = False, missing: Sequence[str] = ()) -> Document:
    """The table with all that stands above and below it.

    Args:
        shown: what is known of the study.
        stacked: whether the grid is to be narrow: what stands beside ours on lines below.
        missing: what is not known yet, lines for the foot.
    """
    layout = grid(shown)
    below = parts(shown.runs, [cell.cell for cell in shown.cells])
    for run in multi_objective_runs(list(shown.runs.values())):
        about = f"Search {run.search.name}: the trials that no other beats in all numbers"
        below.append((about, pareto_table(run)))
    differences = difference_table(pairs([cell for cell in shown.cells if cell.measured]))
    if not differences.empty:
        below.append((f"{OURS} minus {BASE}, seed by seed: the mean difference", differences))
    return Document(
        title(shown),
        heading(shown),
        [("", _stacked(layout) if stacked else layout), *below],
        [*foot(shown), *missing],
    )


def heading(shown: StudyView) -> str:
    """What our numbers are: measure, data, number of images; and what stands in a cell."""
    own = [c.cell for c in shown.cells if c.cell.is_measured]
    jobs = dict.fromkeys(c.job.summary() for c in own if c.job and not c.protocol)
    seeds = max((cell.n_seeds for cell in own), default=1)
    measures = [
        f"{p.summary()} x {_seeds_in_words([c for c in own if c.protocol == p])}"
        for p in shown.protocols
    ]
    quantities = {c.cell.quantities for c in shown.cells if len(c.cell.quantities) > 1}
    meaning = [" / ".join(names) for names in sorted(quantities)]
    spread = ["± over seeds"] if seeds > 1 else []
    return "ours: " + "; ".join([*measures, *jobs, *meaning, *spread])


def _seeds_in_words(cells: list[Cell]) -> str:
    """How many seeds, and of what: fresh images, or trainings that jobs are repeated for."""
    kind = "training" if any(cell.repeats for cell in cells) else "fresh"
    return f"{max(cell.n_seeds for cell in cells)} {kind} seeds"


def grid(shown: StudyView) -> pd.DataFrame:
    """The paper's layout, as text: a row per sampler; for each column ours and the paper's.

    Where protocols are equal, the difference and the verdict on it too; where images or points
    are measured, how many, times seeds.
    """
    rows: dict[str, dict[str, str]] = {}
    samples: dict[str, dict[str, None]] = {}
    for cell in shown.cells:
        own = cell.cell
        row = rows.setdefault(own.row, {"": own.row})
        row[f"{own.column}: ours"] = _ours(cell)
        if own.reported:
            row[f"{own.column}: paper"] = " / ".join(
                f"{own.reported[name].value:g}" for name in own.quantities if name in own.reported
            )
        differences = [cell.difference(name) for name in own.quantities]
        if any(d is not None for d in differences):
            row[f"{own.column}: difference"] = " / ".join(
                "-" if d is None else f"{d:+.3g}" for d in differences
            )
            verdicts = [
                "-" if d is None else verdict(cell, name) or "one seed"
                for name, d in zip(own.quantities, differences, strict=True)
            ]
            row[f"{own.column}: verdict"] = " / ".join(verdicts)
        if own.protocol and own.is_measured:
            samples.setdefault(own.row, {})[f"{own.protocol.n_images:,} x {own.n_seeds}"] = None
    for name, numbers in samples.items():
        rows[name]["samples"] = " / ".join(numbers)
    return pd.DataFrame(list(rows.values())).fillna("")


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
    best, objective = cell.best_so_far, cell.cell.search.space.output
    if best and best.result and (value := best.result.of(objective)) is not None:
        return f"searching, best {objective} so far {value:.4g}"
    return "missing"


def title(shown: StudyView) -> str:
    """What the table is."""
    study = shown.study
    return f"{study.name} ({study.scale}): {study.exhibit}. {study.title}"


_BELOW = ("paper", "difference", "verdict")


def _stacked(layout: pd.DataFrame) -> pd.DataFrame:
    """The grid in a fraction of its width: what stands beside ours on lines of its own, below."""
    ours = [str(name) for name in layout.columns if str(name).endswith(": ours")]
    has_samples = "samples" in layout
    lines = []
    for _, row in layout.iterrows():
        end = [row["samples"]] if has_samples else []
        lines.append([row[""], *(row[name] for name in ours), *end])
        for kind in _BELOW:
            beside = [row.get(name.replace(": ours", f": {kind}"), "") for name in ours]
            if any(beside):
                lines.append([f"  {kind}", *beside, *("" for _ in end)])
    names = [name.removesuffix(": ours") for name in ours]
    return pd.DataFrame(lines, columns=["", *names, *(["samples"] if has_samples else [])])


def foot(shown: StudyView) -> list[str]:
    """What has to be said below the table, a line each."""
    lines = [
        f"{baseline.name} = "
        + ("missing" if baseline.distance is None else f"{baseline.distance:.4g}")
        + (f" ({baseline.n_images:,} images)" if baseline.n_images else "")
        for baseline in shown.baselines
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
