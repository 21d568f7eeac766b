"""Tests of points in the plane that are their own features."""

import math

import pytest
import torch

from scorelib.errors import InputError
from scorelib.metrics import (
    ClassifierFeatures,
    Coordinates,
    InceptionFeatures,
    RandomConvFeatures,
    StackedClassifierFeatures,
    extract,
)
from scorelib.metrics.features import Extractor, Pixels
from scorelib.testing import check_extractor
from tests.components import components


def test_points_are_measured_as_they_are():
    points = torch.tensor([[-1.7, 0.123456], [2.5, 1e-9], [300.0, 0.5]])
    features, probabilities = extract(Coordinates().build({}), points, batch_size=2)
    assert torch.equal(features, points)
    assert probabilities.shape == (3, 0)
    assert (Coordinates().n_features, Coordinates().n_classes) == (2, 0)
    check_extractor(Coordinates(), {}, (2,))


def test_every_extractor_is_checked():
    """Those with weights are checked in the files of their networks."""
    checked = {Coordinates, Pixels, ClassifierFeatures, StackedClassifierFeatures}
    assert checked | {InceptionFeatures, RandomConvFeatures} >= components(Extractor)


def test_points_that_are_not_finite_are_refused():
    with pytest.raises(InputError, match="1 of 4 values"):
        extract(Coordinates().build({}), torch.tensor([[0.0, math.nan], [1.0, 2.0]]))


def test_images_are_no_points():
    with pytest.raises(InputError, match=r"\(2, 3, 8, 8\)"):
        extract(Coordinates().build({}), torch.zeros(2, 3, 8, 8))


def test_scores_are_called_by_their_classes():
    other = InceptionFeatures(weights_sha256="0" * 64)
    assert (InceptionFeatures().score_name, other.score_name) == ("is", "is[inception-00000000]")
