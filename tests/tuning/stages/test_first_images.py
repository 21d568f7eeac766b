"""Tests of the first images of a stream: those that were measured, read or sampled again."""

import shutil

import pytest
import torch

from scorelib.errors import InputError
from scorelib.metrics.features import Pixels
from tests.tuning.miniature import first_score, miniature_study
from tests.tuning.stages.test_noise_classifier import guided_digits
from tuning.jobs import ExecutionContext, MissingInputError
from tuning.stages import Chunk
from tuning.stages.first_images import first_images
from tuning.testing import finish


def measured(sample, n_chunks, which, place):
    """Returns the images that jobs measure, as their pixels."""
    shape = sample.model.train.data.shape
    chunks = [Chunk(sample=sample, index=i, extractor=Pixels(shape=shape)) for i in range(n_chunks)]
    for chunk in chunks:
        finish(chunk, place)
    return torch.cat([chunk.features(place)[f"{which}.features"] for chunk in chunks])


@pytest.mark.parametrize("which", ["raw", "denoised"])
def test_images_sampled_again_are_those_that_were_measured(store, which):
    place = ExecutionContext(store=store)
    sample = first_score(miniature_study()).sample
    assert not sample.keeps_pixels and sample.chunk_images == 20
    expected = measured(sample, 2, which, place)
    again = first_images(sample, 30, which, place)
    assert again.shape == (30, 1, 8, 8) and again.dtype == torch.float32
    assert torch.equal(again.flatten(1), expected[:30])
    assert 0 <= again.min() < again.max() <= 1
    assert torch.equal(again, first_images(sample, 40, which, place)[:30])
    assert not torch.equal(again, first_images(sample.replace(seed=9), 30, which, place))


def test_images_that_were_kept_need_no_network(store):
    place = ExecutionContext(store=store)
    sample, _ = guided_digits()
    expected = measured(sample, 1, "raw", place)
    shutil.rmtree(store.folder / "objects" / "train")
    assert torch.equal(first_images(sample, 5, "raw", place).flatten(1), expected[:5])
    with pytest.raises(MissingInputError):
        first_images(sample, 8, "raw", place)  # the second chunk was not made


@pytest.mark.parametrize("n_images", [0, -1, 2.5, "x", 1_000_001])
def test_there_must_be_a_number_of_images(store, n_images):
    sample = first_score(miniature_study()).sample
    with pytest.raises(InputError, match=f"from 1 to 1,000,000, but got {n_images!r}"):
        first_images(sample, n_images, "raw", ExecutionContext(store=store))
