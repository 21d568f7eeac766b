"""Tests of the features of random convolutions."""

import pytest
import torch
import torch.nn.functional as F

from scorelib.data import Photographs
from scorelib.errors import InputError
from scorelib.metrics import RandomConvFeatures, extract, frechet_distance, moments
from scorelib.testing import check_extractor

SPEC = RandomConvFeatures()


@pytest.mark.parametrize("shape", [(3, 16, 16), (1, 8, 8), (3, 40, 64)])
def test_it_is_an_extractor_of_images_of_any_size(shape):
    check_extractor(SPEC, SPEC.load_weights(), shape)


def test_the_seed_determines_the_weights_and_the_name():
    first, again = SPEC.load_weights(), RandomConvFeatures().load_weights()
    other = RandomConvFeatures(seed=2)
    assert first.keys() == again.keys()
    assert all(torch.equal(first[name], again[name]) for name in first)
    assert not any(torch.equal(first[k], other.load_weights()[k]) for k in first)
    assert SPEC.distance_name == "fd[random-conv]" and other.name == "random-conv-2"
    assert SPEC.key != other.key


def test_weights_keep_the_size_of_the_activations():
    for name, weights in SPEC.load_weights().items():
        wanted = (2 / weights[0].numel()) ** 0.5 if name.endswith("weight") else 0.5
        assert weights.std().item() == pytest.approx(wanted, rel=0.45), name


def test_features_are_means_and_deviations_of_each_layer_at_32_pixels():
    images = (torch.rand(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)) * 255).round()
    weights = SPEC.load_weights()
    x, expected = 2 * images / 255 - 1, []
    for i, stride in enumerate((1, 2, 2, 2)):
        padded = F.pad(x, (1, 1, 1, 1), mode="reflect")
        filters, biases = weights[f"layers.{i}.weight"], weights[f"layers.{i}.bias"]
        x = F.conv2d(padded, filters, biases, stride).clamp(min=0)
        expected += [x.mean(dim=(2, 3)), x.flatten(2).std(dim=2)]
    module = SPEC.build(weights)
    found, probabilities = extract(module, images / 255)
    assert torch.allclose(found, torch.cat(expected, dim=1), atol=1e-5)
    assert probabilities.shape == (2, 0)
    flat, small = torch.full((1, 3, 50, 70), 0.6), torch.full((1, 3, 8, 8), 0.6)
    assert torch.allclose(extract(module, flat)[0], extract(module, small)[0], atol=1e-5)


def test_a_grey_image_is_that_of_three_equal_channels():
    grey = torch.rand(3, 1, 16, 16, generator=torch.Generator().manual_seed(1))
    module = SPEC.build(SPEC.load_weights())
    assert torch.allclose(extract(module, grey)[0], extract(module, grey.expand(-1, 3, -1, -1))[0])


def test_points_are_refused():
    with pytest.raises(InputError, match=r"shape \(B, 3 or 1, H, W\), but got \(4, 2\)"):
        extract(SPEC.build(SPEC.load_weights()), torch.zeros(4, 2))


def test_distances_tell_noise_and_wrong_colours_from_real_pictures():
    module = SPEC.build(SPEC.load_weights())
    data = Photographs(n=600)
    train, held_out = data.load("train")[0][:300], data.load("train")[0][300:]
    of = moments(extract(module, train)[0])
    noise = torch.randn(train.shape, generator=torch.Generator().manual_seed(2))

    def distance(images):
        return float(frechet_distance(moments(extract(module, images)[0]), of))

    real = distance(held_out)
    assert distance(train) < 1e-6 < real
    assert distance(held_out + 0.1 * noise) > 2 * real
    assert distance(held_out.flip(1)) > 2 * real  # red and blue exchanged
