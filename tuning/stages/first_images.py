"""The first images of a `SampleSpec`, read from the store or sampled again from their seeds.

Most chunks store features only. All random numbers of a chunk come from the chunk's own seed, so
its images can be sampled again at any time, equal up to rounding.
"""

import math
from typing import Any

import torch
from torch import Tensor

from scorelib.errors import InputError, require_input
from scorelib.limits import largest, shown
from scorelib.metrics.features import Pixels, quantize
from tuning.jobs import ExecutionContext, MissingInputError
from tuning.stages.sample import Chunk, SampleSpec, walk_chunk
from tuning.stages.score import Output


def require_count(n_images: Any, *, least: int) -> None:
    """Raises InputError unless a number of images is whole, large enough and within its limit."""
    most = largest("n_images")
    require_input(
        type(n_images) is int and least <= n_images <= most,
        f"the number of images must be a whole number from {least} to {most:,}, but got "
        f"{shown(n_images)}",
    )


def first_images(spec: SampleSpec, n_images: int, which: Output, at: ExecutionContext) -> Tensor:
    """Returns the first images of a stream as they are measured: clamped and rounded to 8 bits.

    Args:
        spec: stream of images.
        n_images: number of images, 1 to 1,000,000. Whole chunks are sampled, so that the time is
            that of the next multiple of `spec.chunk_images`.
        which: "raw" images, which still contain a little noise, or "denoised" images.
        at: execution context that holds the weights.

    Returns:
        Images, (n_images, C, H, W), multiples of 1 / 255 in [0, 1]; points, (n_images, D), are
        returned as they are. The tensor is float32 on the CPU.

    Raises:
        InputError: `n_images` is no whole number from 1 to a million, or the sampler yields values
            that are not finite.
        MissingInputError: weights are not stored, or were found corrupt.
    """
    require_count(n_images, least=1)
    n_chunks = math.ceil(n_images / spec.chunk_images)
    chunks = [_images(spec, index, which, at) for index in range(n_chunks)]
    return torch.cat(chunks)[:n_images]


def _images(spec: SampleSpec, index: int, which: Output, at: ExecutionContext) -> Tensor:
    shape = spec.model.target.shape
    kept = Chunk(sample=spec, index=index, extractor=Pixels(shape=shape))
    if spec.keeps_pixels and at.store.has(kept.stage, kept.key):
        try:
            return kept.features(at)[f"{which}.features"].reshape(-1, *shape)
        except (MissingInputError, KeyError):  # corrupt, or the stored result is a failure
            pass
    state = None
    for state in walk_chunk(spec, index, at):
        if not torch.isfinite(state.x).all():
            raise InputError(f"images must be finite, but are not after step {state.step}")
    assert state is not None and state.denoised is not None
    images = (state.denoised if which == "denoised" else state.x).float().cpu()
    return quantize(images) if images.ndim == 4 else images
