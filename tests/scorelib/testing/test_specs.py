"""Tests of the contract of specs, and of the rules for their classes."""

import itertools
import random
from dataclasses import dataclass, field

import numpy as np
import pytest
import torch

from scorelib.errors import InputError
from scorelib.networks import NetworkSpec
from scorelib.spec import Spec, from_json
from scorelib.testing import check_spec
from scorelib.testing.specs import global_generators
from tests.components import refused

NUMBERS = itertools.count()


@dataclass(frozen=True, kw_only=True)
class Good(Spec):
    sizes: tuple[int, ...] = (1, 2)
    rate: float = 0.5
    inner: Spec | None = None


@dataclass(frozen=True, kw_only=True)
class Listed(Spec):
    sizes: list = field(default_factory=lambda: [1, 2])


@dataclass(frozen=True, kw_only=True)
class Bytes(Spec):
    text: bytes = b"a"


@dataclass(frozen=True, kw_only=True)
class Doubled(Spec):
    rate: float = 1.0

    def to_json(self):
        return super().to_json() | {"rate": 2 * self.rate}


@dataclass(frozen=True, kw_only=True)
class Numbered(Spec):
    @property
    def key(self):
        return str(next(NUMBERS))


@dataclass(frozen=True, kw_only=True)
class Drawn(Spec):
    seed: int = field(default_factory=lambda: next(NUMBERS))


def test_a_good_spec_passes():
    check_spec(Good(inner=Good(rate=1)))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (3, "^int must be a subclass of scorelib.spec.Spec$"),
        (Listed(), "^Listed: every field must be hashable, a tuple in place of a list"),
        (Bytes(), "^Bytes must come back from its JSON, but .*bytes is not JSON"),
        (Doubled(), r"^Doubled must come back from its JSON unchanged, but got .*rate=2.0\)"),
        (Numbered(), r"^Numbered must keep its key when it comes back from its JSON"),
        (Drawn(), r"^Drawn.seed must have the same default each time"),
    ],
)
def test_a_broken_rule_is_named(spec, message):
    refused(message, check_spec, spec)


def test_the_global_generators_are_set_watched_and_restored():
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    wanted = torch.rand(1).item(), np.random.rand(), random.random()
    torch.manual_seed(5), np.random.seed(5), random.seed(5)
    with global_generators(1, "it"):
        pass
    for draw in (lambda: torch.rand(1), np.random.rand):
        with (
            pytest.raises(AssertionError, match=r"^it must leave the global random generators"),
            global_generators(1, "it"),
        ):
            draw()
    assert (torch.rand(1).item(), np.random.rand(), random.random()) == wanted


@dataclass(frozen=True, kw_only=True)
class Half(NetworkSpec):
    width: int = 3

    def build(self, shape):
        return None


class Plain(Good):
    depth: int = 3


@dataclass(frozen=True)
class Positional(Good):
    depth: int = 3


@pytest.mark.parametrize(
    ("cls", "message"),
    [
        (Half, r"define the abstract methods .* but Half \({}\) lacks conditional$"),
        (Plain, r"frozen, keyword-only dataclass, but Plain \({}\) has no such decorator; write @"),
        (Positional, r"keyword-only dataclass, but Positional \({}\) takes fields without their"),
    ],
)
def test_a_class_that_cannot_be_used_is_refused_at_its_first_spec(cls, message):
    for make in (cls, lambda: cls(depth=4), lambda: from_json({"spec": cls.KIND, "depth": 4})):
        with pytest.raises(InputError, match=message.format(__file__)) as caught:
            make()
        assert "\n" not in str(caught.value)


def test_a_class_that_is_not_frozen_is_refused_when_it_is_defined():
    message = rf"keyword-only dataclass, but .*Loose \({__file__}\) is not frozen; write @dataclass"
    with pytest.raises(InputError, match=message):

        @dataclass(kw_only=True)
        class Loose(Good):
            depth: int = 3
