"""Tests of the classifier trained on generated images: size, learning, exact resumption."""

import pytest
import torch

from scorelib.data import Digits
from scorelib.errors import InputError
from scorelib.metrics import Pixels, extract, quantize
from scorelib.metrics.accuracy import AccuracySpec, AccuracyTraining
from scorelib.networks import n_parameters
from scorelib.optim import AdamSpec
from scorelib.spec import from_json

SMALL = AccuracySpec(
    network="small", optimizer=AdamSpec(learning_rate=2e-3), batch_size=50, iterations=150
)


def taught(images, labels, spec=SMALL, until=None):
    training = AccuracyTraining(spec, images, labels, 10)
    for _ in training.steps(until or spec.iterations):
        pass
    return training


def test_the_papers_classifier_is_resnet_50():
    spec = AccuracySpec()
    assert (spec.batch_size, spec.iterations, spec.optimizer.learning_rate) == (150, 400_001, 2e-4)
    assert from_json(spec.to_json()) == spec
    network = spec.build((3, 32, 32), 10)
    assert n_parameters(network) == 23_508_032 + 2048 * 10 + 10  # body of He et al. and its head
    assert network.eval()(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    grey = spec.build((1, 8, 8), 10)
    assert n_parameters(network) - n_parameters(grey) == 2 * 64 * 7 * 7
    assert torch.equal(network.fc.weight, spec.build((3, 32, 32), 10).fc.weight)
    assert not torch.equal(network.fc.weight, spec.replace(seed=1).build((3, 32, 32), 10).fc.weight)


def test_real_digits_teach_digits_and_wrong_labels_do_not():
    images, labels = Digits().load("train")
    test = Digits().load("test")
    assert taught(images, labels).accuracy(*test) > 0.9
    wrong = taught(images, (labels + 1) % 10)
    assert wrong.accuracy(*test) < 0.05 and wrong.accuracy(test[0], (test[1] + 1) % 10) > 0.9


def test_images_of_8_bits_teach_the_same_to_the_bit():
    images, labels = quantize(Digits().load("train")[0]), Digits().load("train")[1]
    bits = (images * 255).round().to(torch.uint8)
    ours, theirs = (taught(x, labels, until=5).state() for x in (bits, images))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)


@pytest.mark.parametrize("network", ["small", "resnet50"])
def test_a_training_goes_on_as_if_it_had_never_stopped(network):
    images, labels = Digits().load("train")
    spec = SMALL.replace(network=network, batch_size=4)
    whole, first = (taught(images[:30], labels[:30], spec, until=i) for i in (4, 2))
    second = AccuracyTraining(spec, images[:30], labels[:30], 10)
    second.restore(first.state())
    for _ in second.steps(4):
        pass
    ours, theirs = second.state(), whole.state()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[k], theirs[k]) for k in ours)


def test_a_normalising_classifier_is_tested_in_evaluation_mode():
    images, labels = Digits().load("train")
    training = taught(images[:20], labels[:20], SMALL.replace(network="resnet50", batch_size=10), 2)
    before = {k: v.clone() for k, v in training.network.state_dict().items()}
    share = training.accuracy(images[:3], labels[:3])
    alone = [training.accuracy(images[i : i + 1], labels[i : i + 1]) for i in range(3)]
    assert share == pytest.approx(sum(alone) / 3) and training.network.training
    assert all(torch.equal(before[k], v) for k, v in training.network.state_dict().items())


def test_pixels_come_back_as_they_were_written():
    spec = Pixels(shape=(3, 4, 5))
    images = torch.rand(7, 3, 4, 5, generator=torch.Generator().manual_seed(0)) * 1.2 - 0.1
    features, probabilities = extract(spec.build({}), images, batch_size=3)
    assert features.shape == (7, spec.n_features) == (7, 60) and probabilities.shape == (7, 0)
    written = (images.clamp(0, 1) * 255).round().to(torch.uint8)
    assert torch.equal(spec.images(features), written) and from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: SMALL.replace(batch_size=1), "batch_size at least 2"),
        (lambda: SMALL.replace(iterations=0), "iterations must be at least 1"),
        (lambda: SMALL.build((2,), 2), r"shape \(C, H, W\), but got shape \(2,\)"),
        (lambda: taught(torch.rand(9, 1, 8, 8), torch.zeros(9).long()), "at least 50 images"),
        (lambda: taught(torch.rand(60, 1, 8, 8), torch.zeros(9).long()), r"of shape \(9,\)"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        change()
