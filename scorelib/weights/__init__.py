"""Reads weights that were trained elsewhere, and writes weights that were trained here.

`read` opens a published file (`opening`), finds the weights in the authors' layout (`layouts`),
identifies the network (`architectures`) and its noise levels (`levels`), and gives every tensor our
name (`refinenet`, `unet`, `ncsnpp`), or reads a folder of diffusers (`pipelines`). `save` and
`load` write and read a folder with a network, and `to_published` writes the authors' layouts.
`denoises` checks that weights are used as they were trained, and `PUBLISHED` lists published
models.
"""

from scorelib.weights.checkpoint import Checkpoint
from scorelib.weights.folder import load, require_new_folder, save
from scorelib.weights.layouts import FORMATS, Origin
from scorelib.weights.published import PUBLISHED, PublishedModel, Reported, published_model
from scorelib.weights.publishing import as_published, to_published
from scorelib.weights.reading import read
from scorelib.weights.spot_check import SpotCheck, Used, denoises

__all__ = [
    "FORMATS",
    "PUBLISHED",
    "Checkpoint",
    "Origin",
    "PublishedModel",
    "Reported",
    "SpotCheck",
    "Used",
    "as_published",
    "denoises",
    "load",
    "published_model",
    "read",
    "require_new_folder",
    "save",
    "to_published",
]
