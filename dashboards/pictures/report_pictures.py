"""A report's pictures: frames along the chain, and samples of every cell.

All of them together must fit a budget, so that a page of many cells can still be sent by mail: a
sheet of samples too large for its share shows fewer of its rows.
"""

import base64
import io
from dataclasses import dataclass, replace

from PIL import Image

from dashboards.pictures.samples import by_sheet
from dashboards.results.cells import CellView, StudyView, read_study
from dashboards.results.stored_pictures import frames_of, grids
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import OUTPUTS
from tuning.store.store import Store

_ENLARGED_SIDE = 32
"""Sheets of images up to this size are stored enlarged at least twice: shown at half, two go side
by side, and a pixel of an image is still a whole number of the page's."""


@dataclass
class Budget:
    """Bytes that pictures may still take.

    Attributes:
        n_bytes: what is left.
    """

    n_bytes: int

    def take(self, data: bytes) -> None:
        """Counts a picture."""
        self.n_bytes -= len(data)


@dataclass(frozen=True)
class Picture:
    """A picture on the page.

    Attributes:
        title: what it shows.
        data: a data URI; "" if the picture is left out.
        width: px on the page.
        height: px.
    """

    title: str
    data: str
    width: int
    height: int


@dataclass(frozen=True)
class Samples:
    """The samples of a cell: raw and denoised images of the same chains."""

    title: str
    images: tuple[Picture, ...]


def pictures(scheduler: Scheduler, store: Store, budget: Budget) -> list[Picture]:
    """Frames along the chain.

    A picture that is too large for the page is there by its title alone, which says where it is.

    Args:
        scheduler: the study's scheduler.
        store: its store.
        budget: what they may take.
    """
    found = []
    for cell in read_study(scheduler, store).cells:
        frames = frames_of(cell, store)
        if frames:
            data, sigmas = frames
            levels = ", ".join(f"{sigma:.2g}" for sigma in sigmas)
            title = f"{cell.cell.name}: along the chain, after the updates at sigma {levels}"
            picture = _picture(title, data, _scale(cell))
            if len(data) <= budget.n_bytes:
                budget.take(data)
            else:
                place = f"pictures/{scheduler.study.id} of the store"
                title += f" (left out, for the page's size: see {place})"
                picture = replace(picture, title=title, data="")
            found.append(picture)
    return found


def samples(shown: StudyView, store: Store, budget: Budget) -> list[Samples]:
    """The first images of every cell that has any; cells of the same images share them.

    Args:
        shown: what is known of the study.
        store: its store.
        budget: what they may take.
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
                title = which if data == whole else f"{which}, its upper part"
                if which in cell.measured and cell.cell.protocol:
                    title += f": {cell.cell.protocol.name} {cell.measured[which].mean:.4g}"
                images.append(_picture(title, data, _scale(cell)))
        if images:
            found.append(Samples(name, tuple(images)))
    return found


def _within(data: bytes, most: int) -> bytes:
    """A sheet with only so many of its rows, from the top, that it takes at most so many bytes."""
    while len(data) > most:
        image = Image.open(io.BytesIO(data))
        if image.height < 16:
            break
        out = io.BytesIO()
        image.crop((0, 0, image.width, image.height // 2)).save(out, "PNG")
        data = out.getvalue()
    return data


def _scale(cell: CellView) -> float:
    """Of a cell's sheet."""
    assert cell.first_images is not None
    shape = cell.first_images.data.shape
    return 0.5 if len(shape) == 1 or shape[-1] <= _ENLARGED_SIDE else 1


def _picture(title: str, data: bytes, scale: float) -> Picture:
    width, height = Image.open(io.BytesIO(data)).size
    encoded = base64.b64encode(data).decode()
    uri = f"data:image/png;base64,{encoded}"
    return Picture(title, uri, int(scale * width), int(scale * height))
