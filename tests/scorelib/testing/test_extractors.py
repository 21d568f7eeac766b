"""Tests of the contract of feature extractors: each rule fails where it is broken."""

import itertools
from dataclasses import dataclass

import pytest
import torch
from torch import nn

from scorelib.metrics import features
from scorelib.metrics.features import Extractor
from scorelib.testing import check_extractor
from tests.components import refused

NUMBERS = itertools.count()
SHAPE = (1, 4, 4)


class Mean(nn.Module):
    """Two features and three probabilities of an image; `how` names the broken rule."""

    def __init__(self, how, weight):
        super().__init__()
        self.how, self.scale = how, nn.Parameter(weight)

    def forward(self, images):
        if self.how == "in place":
            images += 1
        flat = images.flatten(1)
        found = self.scale * torch.stack([flat.mean(1), flat.std(1)], dim=1)
        changes = {
            "wide": lambda: found[:, :1],
            "infinite": lambda: found / 0,
            "number": lambda: found + next(NUMBERS),
            "global": lambda: found + torch.rand(()),
            "batch": lambda: found - found.mean(0),
        }
        high = 2.0 if self.how == "probable" else 1.0
        return changes.get(self.how, lambda: found)(), torch.full((len(images), 3), high)


@dataclass(frozen=True, kw_only=True)
class Moments(Extractor):
    """A spec of `Mean`."""

    how: str = ""
    n_features: int = 2
    n_classes: int = 3

    @property
    def name(self):
        return "" if self.how == "name" else "moments"

    def build(self, weights):
        if self.how == "no module":
            return lambda images: images
        made = Mean(self.how, weights["scale"])
        if self.how == "unloaded":
            made.scale.data = torch.full((), next(NUMBERS) + 1.0)
        if self.how == "drawn":
            made.scale.data = torch.rand(())
        return made if self.how == "training" else made.eval()


WEIGHTS = {"scale": torch.tensor(2.0)}


def test_a_good_extractor_passes():
    check_extractor(Moments(), WEIGHTS, SHAPE)


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ("name", "^Moments.name must be one line of text, but got ''$"),
        ("no module", "^Moments.build must return a torch.nn.Module$"),
        ("drawn", "^Moments: the weights must determine the features, but two modules"),
        ("training", "^Moments.build must return a module in eval mode: end with .eval"),
        ("wide", r"^Moments: features must be of shape \(3, 2\), but got \(3, 1\)$"),
        ("infinite", "^Moments: features must be finite$"),
        ("probable", r"^Moments: probabilities must be in \[0, 1\]$"),
        ("number", "^Moments: the same images must give the same features each time$"),
        ("global", "^Moments: the module must leave the global random generators alone"),
        ("unloaded", "^Moments: the weights must determine the features, but two modules"),
        ("batch", "^Moments: features must not depend on the batch size$"),
    ],
)
def test_a_broken_rule_is_named(how, message):
    refused(message, check_extractor, Moments(how=how), WEIGHTS, SHAPE)


def test_a_module_that_writes_to_points_is_named():
    # Images are copied when they are rounded; points are not.
    message = "^Moments: the module must not write to the images$"
    refused(message, check_extractor, Moments(how="in place"), WEIGHTS, (4,))


def test_images_that_are_not_rounded_to_8_bits_are_named(monkeypatch):
    monkeypatch.setattr(features, "quantize", lambda images: images)
    message = r"images must be clamped to \[0, 1\] and rounded to 8 bits"
    refused(message, check_extractor, Moments(), WEIGHTS, SHAPE)
