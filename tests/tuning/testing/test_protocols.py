"""Tests of the contract of protocols, on every protocol and on protocols that break a rule."""

import itertools
import math

import pytest
import torch

from scorelib.data import Gaussians
from tests.components import refused, wrong
from tests.tuning.stages.protocols.test_neighbours import BY_CLASS, DIGITS
from tests.tuning.stages.protocols.test_protocols import EVERY
from tuning.jobs import ExecutionContext
from tuning.stages import DistanceProtocol
from tuning.stages.protocols.base import Measurement
from tuning.testing import check_protocol

NUMBERS = itertools.count()
IN_TURN = [i % 10 for i in range(BY_CLASS.n_images)]
CASES = [(protocol, None) for protocol in (*EVERY, DIGITS)] + [(BY_CLASS, IN_TURN)]


@pytest.fixture
def at(store):
    return ExecutionContext(store=store)


@pytest.mark.parametrize(("protocol", "labels"), CASES, ids=lambda case: getattr(case, "name", ""))
def test_contract(protocol, labels, at):
    check_protocol(protocol, at, labels)


def measures(value=1.0, by_class=()):
    return {"measure": lambda self, images, at: Measurement(value, dict(by_class))}


def written(self, images, at):
    images.values.zero_()
    return Measurement(1.0)


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": "a\nb"}, "^Wrong.name must be one line of text"),
        ({"describe": lambda self: ""}, r"^Wrong.describe\(\) must be one line of text, but got"),
        ({"metric_name": "fd[plane]"}, r"must be a name for MLflow, .* but got 'fd\[plane\]'$"),
        ({"lower_is_better": None}, "^Wrong.lower_is_better must be a bool, but got None$"),
        ({"reads": "pixels"}, "reads must be one of 'features', 'probabilities', but got 'pixels'"),
        ({"is_comparable": lambda self, other: False}, "must be true of equal protocols"),
        ({"is_comparable": lambda self, other: True}, "must be false of other fields, but is true"),
        ({"inputs": lambda self: [1]}, r"^Wrong.inputs\(\) must return a tuple of jobs, but got"),
        ({"measure": lambda self, images, at: 1.0}, "must return a Measurement, but got float$"),
        (measures(math.nan), "^Wrong.measure must give a finite float, but got nan$"),
        (measures(1), "^Wrong.measure must give a finite float, but got 1$"),
        ({"measure": written}, "^Wrong.measure must not write to the images$"),
        (
            {"measure": lambda self, images, at: Measurement(float(next(NUMBERS)))},
            "the same images the same value each time, but gave 1 after 0$",
        ),
        (
            {"measure": lambda self, images, at: Measurement(torch.rand(()).item())},
            "^Wrong.measure must leave the global random generators alone",
        ),
        (measures(1.0, {0: 1.0, 1: 2.0}), "must be the mean of the classes, 1.5, but got 1$"),
    ],
)
def test_a_broken_rule_is_named(members, message, at):
    protocol = wrong(DistanceProtocol, **members)(data=Gaussians(n=100), n_images=20)
    refused(message, check_protocol, protocol, at)
