"""Tests of NCSN++: published sizes, resampling by scipy, gradients by finite differences."""

import numpy as np
import pytest
import torch
from scipy.signal import upfirdn

from scorelib.errors import InputError
from scorelib.networks import NcsnPp, n_parameters
from scorelib.networks.layers.resampling import Downsample, Smooth, Upsample

TINY = NcsnPp(width=8, n_blocks=1)


@pytest.mark.parametrize(("n_blocks", "count"), [(4, 62_758_787), (8, 107_586_947)])
def test_it_has_the_published_number_of_parameters(n_blocks, count):
    with torch.device("meta"):
        network = NcsnPp(n_blocks=n_blocks).build((3, 32, 32))
    assert n_parameters(network) == count


TAPS = np.array([1, 3, 3, 1]) / 8


def along_both(image, up, down, gain):
    once = upfirdn(gain * TAPS, image, up, down, axis=0)
    return upfirdn(gain * TAPS, once, up, down, axis=1)


def test_images_shrink_by_the_filter():
    x = torch.randn(2, 3, 8, 12, dtype=torch.float64)
    for ours, image in zip(Downsample().double()(x).flatten(0, 1), x.flatten(0, 1), strict=True):
        # The part of scipy's full result whose window is centred between pixels 2 i and 2 i + 1.
        whole = along_both(image.numpy(), 1, 1, 1.0)[2:, 2:][: image.shape[0] : 2]
        np.testing.assert_allclose(ours, whole[:, : image.shape[1] : 2], atol=1e-12)


def test_images_grow_by_the_filter():
    x = torch.randn(2, 3, 4, 6, dtype=torch.float64)
    for ours, image in zip(Upsample().double()(x).flatten(0, 1), x.flatten(0, 1), strict=True):
        whole = along_both(image.numpy(), 2, 1, 2.0)
        rows, columns = ours.shape
        np.testing.assert_allclose(ours, whole[1 : rows + 1, 1 : columns + 1], atol=1e-12)


def test_images_are_smoothed_by_the_filter():
    x = torch.randn(2, 3, 5, 6, dtype=torch.float64)
    for ours, image in zip(Smooth().double()(x).flatten(0, 1), x.flatten(0, 1), strict=True):
        whole = along_both(image.numpy(), 1, 1, 1.0)
        np.testing.assert_allclose(ours, whole[1:-1, 1:-1], atol=1e-12)


def test_no_checkpoint_holds_the_filter():
    assert not [name for name in TINY.build((1, 8, 8)).state_dict() if "taps" in name]


def test_an_even_image_stays_even_away_from_its_edges():
    x = torch.full((1, 2, 8, 8), 0.7)
    torch.testing.assert_close(Downsample()(x)[:, :, 1:-1, 1:-1], torch.full((1, 2, 2, 2), 0.7))
    torch.testing.assert_close(Upsample()(x)[:, :, 2:-2, 2:-2], torch.full((1, 2, 12, 12), 0.7))


def test_it_starts_as_nearly_nothing_and_drops_features_in_training_only():
    network = TINY.build((1, 8, 8))
    x, sigma = torch.rand(2, 1, 8, 8), torch.ones(())
    assert network(x, sigma).abs().amax() < 1e-3
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(0, 0.2)
    assert not torch.equal(network(x, sigma), network(x, sigma))
    network.eval()
    torch.testing.assert_close(network(x, sigma), network(x, sigma))


def test_its_gradients_by_finite_differences():
    network = NcsnPp(width=4, multipliers=(1, 2), n_blocks=1, attention_levels=(1,)).build(
        (1, 4, 4)
    )
    network = network.double().eval()
    with torch.no_grad():
        for p in network.parameters():
            p.normal_(0, 0.3)
    x = torch.rand(1, 1, 4, 4, dtype=torch.float64, requires_grad=True)
    sigma = torch.tensor(0.5, dtype=torch.float64)
    assert torch.autograd.gradcheck(lambda at: network(at, sigma), x)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"width": 6}, "multiple of 4"),
        ({"n_blocks": 0}, "n_blocks >= 1"),
        ({"attention_levels": (4,)}, "attention_levels"),
        ({"dropout": 1.0}, "dropout"),
    ],
)
def test_what_cannot_be_built_is_refused(changes, message):
    with pytest.raises(InputError, match=message):
        TINY.replace(**changes)


def test_images_that_cannot_be_halved_are_refused():
    with pytest.raises(InputError, match="multiples of 8 pixels"):
        TINY.build((3, 28, 28))
