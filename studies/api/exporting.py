"""Takes the network of a cell out of a store, with a model card and images.

The folder needs neither this program's store nor Ray: `scorelib.load` gives the network back, and
the folder, or the file in an authors' layout, can be given to a study as its model again.
"""

import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from PIL import Image
from torch import Tensor

from dashboards.results.cells import CellView
from scorelib.errors import InputError
from scorelib.weights import FORMATS, as_published, require_new_folder, save
from scorelib.weights.layouts import PublishedFormat
from studies.api.cell import CellResult, known
from studies.opening.cli_common import UNREADABLE
from tuning.stages import ImportedWeights, SampleSpec, Snapshot
from tuning.stages.first_images import require_count
from tuning.store.provenance import launches
from tuning.store.store import Store
from tuning.study import Study

ImagesAs = Literal["png", "npz"]

CHECKPOINT = "checkpoint.pth"
"""Name of the file in an authors' layout, in the folder."""


def export(
    view: CellView,
    study: Study,
    store: Store,
    folder: Path,
    *,
    n_images: int = 0,
    images_as: ImagesAs = "png",
    layout: PublishedFormat | None = None,
) -> str:
    """Writes the folder, all of it or nothing.

    Args:
        view: results of the cell.
        study: study of the cell.
        store: store of the study.
        folder: new or empty folder.
        n_images: number of denoised images to write, 0 to 1,000,000, the first of the first
            measured seed.
        images_as: ``png`` for one file for each image in ``images/``; ``npz`` for one file
            ``images.npz`` with ``arr_0``: uint8 (N, H, W, C) images, or float32 (N, D) points.
        layout: authors' layout of a further file ``checkpoint.pth``; None for no such file.

    Returns:
        SHA-256 of the file of weights.

    Raises:
        InputError: an argument is wrong, the folder has content or cannot be written, the cell has
            no network (yet), the network does not fit the layout, or points are to be written as
            PNG.
    """
    require_count(n_images, least=0)
    known("format of the images", images_as, get_args(ImagesAs))
    if layout is not None:
        known("layout", layout, LAYOUTS)
    require_new_folder(folder)
    cell = CellResult(view, study, store)
    spec = cell.sampled
    shape, levels = spec.model.target.shape, spec.model.levels
    if n_images and images_as == "png" and len(shape) != 3:
        raise InputError(f"points of shape {shape} have no picture: write them as npz", "images_as")
    try:
        network, state = spec.model.exported(cell.context(), spec.ema)
    except UNREADABLE as error:
        raise cell.lost(error) from error
    origin, files = spec.model.exported_as, dict[str, bytes]()
    origin = replace(origin, ema=origin.ema if spec.ema is None else spec.ema)
    if layout is not None:
        step = spec.model.iteration if isinstance(spec.model, Snapshot) else 0
        files[CHECKPOINT] = as_published(
            layout,
            network,
            levels,
            state,
            decay=spec.ema or 0.0,
            step=step,
            origin=origin,
        )
    if n_images:
        files |= _image_files(cell.samples(n_images), images_as)
    card = model_card(view, study, store, spec)
    return save(folder, network, levels, state, shape=shape, card=card, files=files, origin=origin)


def _image_files(images: Tensor, images_as: ImagesAs) -> dict[str, bytes]:
    is_image = images.ndim == 4
    pixels = images.permute(0, 2, 3, 1).mul(255).round().byte().numpy() if is_image else None
    if images_as == "npz":
        out = io.BytesIO()
        np.savez_compressed(out, arr_0=images.numpy() if pixels is None else pixels)
        return {"images.npz": out.getvalue()}
    assert pixels is not None
    return {f"images/{i:06d}.png": _png(each) for i, each in enumerate(pixels)}


def _png(pixels: "np.ndarray[tuple[int, ...], np.dtype[np.uint8]]") -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels).save(out, format="PNG")
    return out.getvalue()


def model_card(view: CellView, study: Study, store: Store, spec: SampleSpec) -> str:
    """Returns the model card: protocol, numbers, seeds, origin and commit, in Markdown.

    Args:
        view: results of the cell.
        study: study of the cell.
        store: store of the study.
        spec: the images that the cell measures, with the first seed.
    """
    own = view.cell
    facts = [*_numbers(view), *_sampling(view, spec), *_origin(spec), *_launch(study, store)]
    rows = "\n".join(f"- {name}: {value}" for name, value in facts)
    return (
        f"# {study.name} ({study.scale}): {own.name}\n\n"
        f"Weights of a score network, `model.safetensors`, with its architecture and noise levels "
        f"in `config.json`. The network maps noised data and the noise level sigma to sigma times "
        f"the score.\n\n{rows}\n\n"
        "Load the network, without a store and without Ray:\n\n"
        "    network, schedule = scorelib.load(FOLDER)\n\n"
        "Search a step size for the network again, on images of your own:\n\n"
        "    python -m studies.run sampling_eps --set model=FOLDER --set images=IMAGES\n"
    )


def _numbers(view: CellView) -> Iterator[tuple[str, str]]:
    own = view.cell
    if own.protocol:
        yield "protocol", own.protocol.describe()
    for name, measured in view.measured.items():
        values = ", ".join(f"{value:.6g}" for value in measured.values)
        yield name, f"{measured} (seeds: {values})"
    if view.cell.job is not None and not view.measured:
        yield "job", view.cell.job.summary()


def _sampling(view: CellView, spec: SampleSpec) -> Iterator[tuple[str, str]]:
    yield "sampler", f"{spec.sampler.title()}, from {spec.start}"
    if spec.epsilon is not None:
        yield "step size epsilon", f"{spec.epsilon:g}"
    seeds = [score.sample.seed for score in view.scores] or [spec.seed]
    yield "sampling seeds", ", ".join(map(str, seeds))
    yield "noise levels", json.dumps(spec.model.levels.to_json())
    yield "data set", f"{spec.model.target.name} (key {spec.model.target.key})"


def _origin(spec: SampleSpec) -> Iterator[tuple[str, str]]:
    model = spec.model
    yield "model", f"{model.origin} (key {model.key})"
    if isinstance(model, Snapshot):
        yield "training", f"{model.iteration:,} iterations, seed {model.train.seed}"
        yield "EMA decay", f"{spec.ema:g}"
    if isinstance(model, ImportedWeights):
        yield "imported file, SHA-256", model.weights.sha256


def _launch(study: Study, store: Store) -> Iterator[tuple[str, str]]:
    known = launches(store, study.id)
    if known:
        last = known[-1]
        yield "commit", last.commit or "installed package, no checkout"
        yield "last launch", f"{last.date}, Python {last.python}"
        packages = ", ".join(f"{name} {version}" for name, version in last.packages.items())
        yield "packages", packages


LAYOUTS = tuple(f for f in FORMATS if f in get_args(PublishedFormat))
"""The authors' layouts."""
