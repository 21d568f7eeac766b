"""Pictures that jobs left in the store: a cell's first images, and its frames along the chain."""

from dashboards.results.cells import CellView
from tuning.stages.frames import FRAMES_FILE, SIGMAS
from tuning.store.store import Store


def grids(cell: CellView, store: Store) -> dict[str, bytes]:
    """Pictures of the cell's first images, raw and denoised; none if it has none."""
    job = cell.first_images
    if job is None:
        return {}
    manifest = store.manifest(job.stage, job.key)
    names = [n for n in (manifest.files if manifest else ()) if n.endswith(".png")]
    return {f"samples/{name}": store.read(job.stage, job.key, name) for name in names}


def frames_of(cell: CellView, store: Store) -> tuple[bytes, list[float]] | None:
    """A cell's frames along the chain as a PNG file, and the noise level of each; None for none."""
    manifest = store.manifest(cell.frames.stage, cell.frames.key) if cell.frames else None
    if cell.frames is None or manifest is None or not manifest.files:
        return None
    data = store.read(cell.frames.stage, cell.frames.key, FRAMES_FILE)
    return data, list(manifest.result[SIGMAS])
