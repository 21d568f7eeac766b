"""Reads stored pictures: a cell's first images, and its frames along the sampling chain."""

from dashboards.results.cells import CellView
from tuning.stages.frames import FRAMES_FILE, SIGMAS
from tuning.store.store import Store


def grids(cell: CellView, store: Store) -> dict[str, bytes]:
    """Returns PNG files of the cell's first images, raw and denoised, by name; may be empty."""
    job = cell.first_images
    if job is None:
        return {}
    manifest = store.manifest(job.stage, job.key)
    names = [n for n in (manifest.files if manifest else ()) if n.endswith(".png")]
    return {f"samples/{name}": store.read(job.stage, job.key, name) for name in names}


def frames_of(cell: CellView, store: Store) -> tuple[bytes, list[float]] | None:
    """Returns a cell's frames as one PNG file with the noise level of each; None without frames."""
    manifest = store.manifest(cell.frames.stage, cell.frames.key) if cell.frames else None
    if cell.frames is None or manifest is None or not manifest.files:
        return None
    data = store.read(cell.frames.stage, cell.frames.key, FRAMES_FILE)
    return data, list(manifest.result[SIGMAS])
