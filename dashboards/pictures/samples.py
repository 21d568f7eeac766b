"""Pictures of a study's cells: raw and denoised samples, and frames along the sampling chain.

They correspond to the papers' figures of uncurated samples.
"""

from collections.abc import Sequence

from dashboards.results.cells import CellView, read_study
from dashboards.results.stored_pictures import frames_of, grids
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import OUTPUTS, Chunk, PictureChunk, RealFeatures
from tuning.store.documents import as_name
from tuning.store.store import Store


def sample_sheets(scheduler: Scheduler, store: Store) -> dict[str, bytes]:
    """Returns PNG files of the first images and the frames of every cell, by name.

    Cells that measure the same images in two ways share a sheet.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
    """
    drawn: dict[str, bytes] = {}
    cells = read_study(scheduler, store).cells
    for name, cell in by_sheet(cells).items():
        pictures = grids(cell, store)
        if pictures:
            drawn[f"samples_{as_name(name)}.png"] = _sheet(name, cell, pictures)
    for cell in cells:
        frames = filmstrip(cell, store)
        if frames:
            drawn[f"frames_{as_name(cell.cell.name)}.png"] = frames
    return drawn


def by_sheet(cells: Sequence[CellView]) -> dict[str, CellView]:
    """Returns the first cell of each sheet of images, by the name of the sheet.

    Cells with the same images share a sheet. The sheet is named after the column or row that its
    cells have in common, or after its first cell if that name is not unique.

    Args:
        cells: cells of a study.
    """
    shared: dict[Chunk | PictureChunk | RealFeatures, list[CellView]] = {}
    for cell in cells:
        if cell.first_images:
            shared.setdefault(cell.first_images, []).append(cell)
    common = [_common(of) for of in shared.values()]
    return {
        of[0].cell.name if common.count(name) > 1 else name: of[0]
        for name, of in zip(common, shared.values(), strict=True)
    }


def _common(cells: Sequence[CellView]) -> str:
    rows, columns = ({getattr(c.cell, of) for c in cells} for of in ("row", "column"))
    if (len(rows) == 1) == (len(columns) == 1):
        return cells[0].cell.name
    return cells[0].cell.row if len(rows) == 1 else cells[0].cell.column


def _sheet(name: str, cell: CellView, pictures: dict[str, bytes]) -> bytes:
    from dashboards.drawing.png import as_png, new_figure, read_png  # local: it is slow to import

    drawn = [which for which in OUTPUTS if f"samples/{which}.png" in pictures]
    size = 4.2 * len(drawn), 4.6
    figure = new_figure(size)
    axes = figure.subplots(1, len(drawn), squeeze=False)
    for axis, which in zip(axes[0], drawn, strict=True):
        axis.imshow(read_png(pictures[f"samples/{which}.png"]), cmap="gray")
        title: str = which
        if which in cell.measured and cell.cell.protocol:
            title += f": {cell.cell.protocol.name} {cell.measured[which].mean:.4g}"
        axis.set_title(title, fontsize=10)
        axis.axis("off")
    figure.suptitle(name, fontsize=11)
    return as_png(figure)


def filmstrip(cell: CellView, store: Store) -> bytes | None:
    """Draws a cell's frames, labelled by noise level, as a PNG file; None if there are none."""
    from dashboards.drawing.png import as_png, new_figure, read_png  # local: it is slow to import

    frames = frames_of(cell, store)
    if frames is None:
        return None
    data, sigmas = frames
    image = read_png(data)
    height, width = image.shape[:2]
    figure = new_figure((8.4, 8.4 * height / width + 0.9))
    axis = figure.subplots()
    axis.imshow(image, cmap="gray")
    axis.set_xticks(
        [(k + 0.5) * width / len(sigmas) for k in range(len(sigmas))],
        [f"{sigma:.2g}" for sigma in sigmas],
        fontsize=8,
    )
    axis.set_yticks([])
    axis.tick_params(length=0)
    for spine in axis.spines.values():
        spine.set_visible(False)
    axis.set_xlabel("sigma of the last update", fontsize=9)
    axis.set_title(f"{cell.cell.name}: along the sampling chain", fontsize=11)
    return as_png(figure)
