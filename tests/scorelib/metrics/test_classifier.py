"""Tests of the classifier whose features measure the demo data, and of feature extraction."""

import math
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from scorelib.data import Digits, Photographs
from scorelib.errors import InputError
from scorelib.metrics import (
    ClassifierFeatures,
    ClassifierSpec,
    InceptionFeatures,
    extract,
    frechet_distance,
    moments,
    quantize,
)
from scorelib.metrics.classifier import accuracy, train_classifier
from scorelib.metrics.features import Pixels
from scorelib.testing import check_extractor

SPEC = ClassifierSpec(data=Digits())
TINY = ClassifierSpec(data=Digits(), width=4, n_features=8, iterations=12, batch_size=16)


@dataclass(frozen=True)
class Trained:
    """The default classifier after its training."""

    losses: list
    weights: dict
    module: nn.Module

    def distance(self, x, y):
        return frechet_distance(*(moments(extract(self.module, z)[0]) for z in (x, y)))


def train(spec):
    classifier = spec.build()
    losses = list(train_classifier(spec, classifier, *spec.data.load("train")))
    return losses, classifier.state_dict()


@pytest.fixture(scope="module")
def trained():
    losses, weights = train(SPEC)
    return Trained(losses, weights, ClassifierFeatures(classifier=SPEC).build(weights))


def test_learns_the_digits(trained):
    assert len(trained.losses) == SPEC.iterations
    assert trained.losses[0] == pytest.approx(math.log(10), abs=0.2)
    assert accuracy(trained.module, *Digits().load("test")) >= 0.975


def test_distance_tells_good_from_bad(trained):
    """Held-out digits have a small distance, the Gaussian baseline a large one.

    Noisy digits lie in between.
    """
    real, held_out = (Digits().load(split)[0] for split in ("train", "test"))
    g = torch.Generator().manual_seed(5)
    flat = real.flatten(1).double()
    jitter = 1e-9 * torch.eye(64, dtype=torch.float64)  # some border pixels are always 0
    root = torch.linalg.cholesky(torch.cov(flat.T) + jitter)
    draws = flat.mean(0) + torch.randn(2000, 64, generator=g, dtype=torch.float64) @ root.T
    near = trained.distance(real, held_out)
    far = trained.distance(real, draws.float().view(-1, 1, 8, 8))
    assert far > 8 * near > 0
    unit = torch.randn(real.shape, generator=g)
    noisy = [trained.distance(real, real + std * unit) for std in (0, 0.02, 0.05, 0.1, 0.2)]
    assert noisy == sorted(noisy) and noisy[0] < 1e-9 * far
    assert noisy[2] > 0.1 * near and noisy[4] > near
    no_ones = real[Digits().load("train")[1] != 1]
    assert trained.distance(real, no_ones) > near


def test_training_is_deterministic_and_leaves_the_global_generator_alone():
    torch.manual_seed(1)
    expected = torch.rand(3)
    torch.manual_seed(1)
    losses, weights = train(TINY)
    assert torch.equal(torch.rand(3), expected)
    torch.manual_seed(2)
    again, same = train(TINY)
    assert losses == again
    assert all(torch.equal(weights[name], same[name]) for name in weights)


def test_seed_sets_weights_and_batches():
    other = TINY.replace(seed=1)
    assert not torch.equal(other.build().head.weight, TINY.build().head.weight)
    losses = [
        next(train_classifier(spec, TINY.build(), *Digits().load("train")))
        for spec in (TINY, TINY, other)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_training_can_be_left_at_any_step():
    steps = train_classifier(TINY, TINY.build(), *Digits().load("train"))
    assert next(steps) > 0 and next(steps) > 0


@pytest.mark.parametrize("size", [8, 12, 32])
def test_fits_other_shapes(size):
    spec = TINY.replace(data=Photographs(size=size, n=50), iterations=2)
    losses, weights = train(spec)
    extractor = ClassifierFeatures(classifier=spec)
    features, probabilities = extract(extractor.build(weights), spec.data.load("test")[0])
    assert features.shape == (25, extractor.n_features)
    assert probabilities.shape == (25, extractor.n_classes) and len(losses) == 2
    assert extractor.distance_name == "fd[photographs-cnn]"


def test_accuracy_counts_hits(trained):
    images, labels = Digits().load("test")
    n_right = round(accuracy(trained.module, images, labels) * len(labels))
    _, probabilities = extract(trained.module, images)
    wrong = (probabilities.argmax(1) != labels).sum().item()
    assert n_right == len(labels) - wrong
    others = (labels + 1) % 10
    assert accuracy(trained.module, images, others) <= wrong / len(labels)


def test_contract(trained):
    check_extractor(ClassifierFeatures(classifier=SPEC), trained.weights, (1, 8, 8))
    check_extractor(Pixels(shape=(3, 4, 4)), {}, (3, 4, 4))


def test_probabilities_are_those_of_the_features(trained):
    features, probabilities = extract(trained.module, Digits().load("test")[0][:70])
    assert (features.shape, probabilities.shape) == ((70, 64), (70, 10))
    torch.testing.assert_close(probabilities.sum(1), torch.ones(70))
    logits = trained.module.head(features)
    torch.testing.assert_close(logits.softmax(1), probabilities)
    assert not features.requires_grad


def test_quantize():
    x = torch.tensor([-0.2, 0.0, 0.4 / 255, 0.6 / 255, 0.5, 254.6 / 255, 1.0, 7.0])
    levels = torch.tensor([0, 0, 0, 1, 128, 255, 255, 255])
    assert torch.equal(quantize(x), levels / 255)
    assert torch.equal(quantize(quantize(x)), quantize(x))
    every = torch.arange(256) / 255
    assert torch.equal(quantize(every), every)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_values_that_are_not_finite_are_refused(trained, value):
    images = torch.zeros(4, 1, 8, 8)
    images[2, 0, 3, 3] = value
    with pytest.raises(InputError, match="1 of 256"):
        quantize(images)
    with pytest.raises(InputError, match="epsilon"):
        extract(trained.module, images, batch_size=4)
    with pytest.raises(InputError, match="none"):
        extract(trained.module, images[:0])


def test_specs():
    extractor = ClassifierFeatures(classifier=SPEC)
    assert (extractor.name, extractor.distance_name) == ("digits-cnn", "fd[digits-cnn]")
    assert extractor.key != ClassifierFeatures(classifier=SPEC.replace(seed=1)).key
    assert InceptionFeatures().distance_name == "fid"
    with pytest.raises(InputError, match="n_features must be positive, but got 0"):
        SPEC.replace(n_features=0)
