"""Samples of a study's cells, raw and denoised side by side: the papers' uncurated figures."""

import io

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot as plt

from dashboards.cells import CellView, view
from dashboards.evidence import grids
from tuning.scheduler import Scheduler
from tuning.stages import OBJECTIVES, Chunk
from tuning.store import Store, as_name


def sample_sheets(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """A PNG file for the first images of every cell that has any, by name.

    Cells that measure the same images in two ways share a sheet.

    Args:
        scheduler: the study's scheduler.
        store: its store.
    """
    drawn: dict[str, bytes] = {}
    seen: set[Chunk] = set()
    for cell in view(scheduler, store).cells:
        chunk = cell.scores[0].chunks()[0] if cell.scores else None
        pictures = grids(cell, store) if chunk and chunk not in seen else {}
        if chunk and pictures:
            seen.add(chunk)
            drawn[f"samples_{as_name(cell.cell.name)}.png"] = _sheet(cell, pictures)
    return drawn


def _sheet(cell: CellView, pictures: dict[str, bytes]) -> bytes:
    figure, axes = plt.subplots(1, len(OBJECTIVES), figsize=(8.4, 4.6), dpi=120)
    for axis, which in zip(axes, OBJECTIVES, strict=True):
        axis.imshow(plt.imread(io.BytesIO(pictures[f"samples/{which}.png"])), cmap="gray")
        title: str = which
        if which in cell.measured and cell.cell.protocol:
            title += f": {cell.cell.protocol.name} {cell.measured[which].mean:.4g}"
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    figure.suptitle(cell.cell.name, fontsize=11)
    figure.tight_layout()
    file = io.BytesIO()
    # No version and date in the file: equal results are equal files.
    figure.savefig(file, format="png", metadata={"Software": None})
    plt.close(figure)
    return file.getvalue()
