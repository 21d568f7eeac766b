"""Pictures of a report: frames along the sampling chain, and samples of every cell.

All pictures together must fit a budget, so that a page with many cells can still be sent by mail.
A sheet of samples that exceeds its share of the budget shows fewer rows.
"""

import base64
import io
from dataclasses import dataclass, replace

from PIL import Image

from dashboards.pictures.samples import by_sheet
from dashboards.results.cells import CellView, StudyView, read_study
from dashboards.results.stored_pictures import frames_of, grids
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import OUTPUTS, PictureChunk
from tuning.store.store import Store

_ENLARGED_SIDE = 32
"""Largest image side, in pixels, of sheets that are shown at half size.

The store enlarges images up to this size at least twice. At half size, two sheets fit side by side,
and an image pixel is still a whole number of page pixels."""


@dataclass
class Budget:
    """The remaining size of all pictures of a page.

    Attributes:
        n_bytes: bytes left.
    """

    n_bytes: int

    def take(self, data: bytes) -> None:
        """Subtracts the size of a picture."""
        self.n_bytes -= len(data)


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: caption of the picture.
        data: data URI; "" if the picture is left out.
        width: width on the page, in px.
        height: height on the page, in px.
    """

    title: str
    data: str
    width: int
    height: int


@dataclass(frozen=True)
class Samples:
    """The samples of a cell: raw and denoised images of the same chains.

    Attributes:
        title: names of the cells that share the images.
        images: one sheet for each kind of images.
    """

    title: str
    images: tuple[Picture, ...]


def pictures(scheduler: Scheduler, store: Store, budget: Budget) -> list[Picture]:
    """Returns the frames along the sampling chain of each cell that has frames.

    A picture that exceeds the budget is left out; its title says where to find the picture.

    Args:
        scheduler: scheduler of the study.
        store: store of the study.
        budget: size budget, reduced by the pictures.
    """
    found = []
    for cell in read_study(scheduler, store).cells:
        frames = frames_of(cell, store)
        if frames:
            data, sigmas = frames
            levels = ", ".join(f"{sigma:.2g}" for sigma in sigmas)
            title = f"{cell.cell.name}: samples after the updates at noise levels sigma = {levels}"
            picture = _picture(title, data, _scale(cell))
            if len(data) <= budget.n_bytes:
                budget.take(data)
            else:
                place = f"pictures/{scheduler.study.id} of the store"
                title += f" (left out to limit the size of the page: see {place})"
                picture = replace(picture, title=title, data="")
            found.append(picture)
    return found


def samples(shown: StudyView, store: Store, budget: Budget) -> list[Samples]:
    """Returns the first images of every cell with images; cells with equal images share a sheet.

    Args:
        shown: results of the study so far.
        store: store of the study.
        budget: size budget, divided equally between the pictures.
    """
    sheets = {n: (cell, grids(cell, store)) for n, cell in by_sheet(shown.cells).items()}
    n_pictures = sum(len(of) for _, of in sheets.values())
    found = []
    for name, (cell, of) in sheets.items():
        images = []
        for which in OUTPUTS:
            data = of.get(f"samples/{which}.png")
            if data is not None:
                whole, data = data, _within(data, budget.n_bytes // n_pictures)
                title = which if data == whole else f"{which}, upper part only"
                if which in cell.measured and cell.cell.protocol:
                    title += f": {cell.cell.protocol.name} {cell.measured[which].mean:.4g}"
                images.append(_picture(title, data, _scale(cell)))
        if images:
            found.append(Samples(name, tuple(images)))
    return found


def _within(data: bytes, most: int) -> bytes:
    """Halves a sheet, keeping the top rows, until it has at most `most` bytes or is too small."""
    while len(data) > most:
        image = Image.open(io.BytesIO(data))
        if image.height < 16:
            break
        out = io.BytesIO()
        image.crop((0, 0, image.width, image.height // 2)).save(out, "PNG")
        data = out.getvalue()
    return data


def _scale(cell: CellView) -> float:
    """Returns the scale at which a cell's sheet is shown on the page."""
    job = cell.first_images
    assert job is not None
    shape = job.shape if isinstance(job, PictureChunk) else job.data.shape
    return 0.5 if len(shape) == 1 or shape[-1] <= _ENLARGED_SIDE else 1


def _picture(title: str, data: bytes, scale: float) -> Picture:
    width, height = Image.open(io.BytesIO(data)).size
    encoded = base64.b64encode(data).decode()
    uri = f"data:image/png;base64,{encoded}"
    return Picture(title, uri, int(scale * width), int(scale * height))
