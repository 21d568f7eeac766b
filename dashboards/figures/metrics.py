"""The values of each metric, as bars: one panel for each column of the table, one bar per row."""

from collections.abc import Iterator

from dashboards.drawing.description import BLUE, GREY, Axis, Bars, Figure, Panel
from dashboards.results.cells import CellView, read_study
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import RealScore
from tuning.store.store import Store


def figures(scheduler: Scheduler, store: Store) -> Iterator[Figure]:
    """Yields one figure of all metrics; bars of real images are grey."""
    columns: dict[str, list[CellView]] = {}
    for cell in read_study(scheduler, store).cells:
        if "raw" in cell.measured:
            columns.setdefault(cell.cell.column, []).append(cell)
    if columns:
        panels = [_panel(name, cells) for name, cells in columns.items()]
        yield Figure(
            "Metrics by row", panels, file="metrics.png", heading=scheduler.study.title,
            panel_size=(4.4, 3.4),
        )  # fmt: skip


def _panel(column: str, cells: list[CellView]) -> Panel:
    rows = tuple(cell.cell.row for cell in cells)
    colours = [GREY if isinstance(cell.cell.job, RealScore) else BLUE for cell in cells]
    bars = Bars(rows, [cell.measured["raw"].mean for cell in cells], colours)
    measure = cells[0].cell.protocol.name if cells[0].cell.protocol else column
    return Panel([bars], Axis(names=rows, format=""), Axis(measure), column)
