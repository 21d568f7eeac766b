"""Tests of the contract of data sets: each rule fails for a data set that breaks it."""

import pytest
import torch

from scorelib.data import Gaussians
from scorelib.testing import check_data_set
from tests.components import refused, wrong

LOAD = Gaussians.load


def changed(examples=lambda x: x, labels=lambda y: y):
    """Returns a method `load` with changed examples or labels."""

    def load(self, split, root=None):
        x, y = LOAD(self, split)
        return examples(x), labels(y)

    return load


def at_random(self, split, root=None):
    x, y = LOAD(self, split)
    order = torch.randperm(len(x))
    return x[order], y[order]


def in_turn(self, split, root=None):
    x, y = LOAD(self, split)
    shift = SHIFTS.pop()
    return x.roll(shift, 0), y.roll(shift)


SHIFTS = [1, 0]  # taken from the end


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"name": "two\nlines"}, r"^Wrong.name must be one line of text, but got 'two\\nlines'$"),
        ({"n_classes": 0}, "^Wrong.n_classes must be at least 1, but got 0$"),
        ({"shape": [2]}, r"^Wrong.shape must be a tuple \(C, H, W\) or \(D,\) .* but got \[2\]$"),
        ({"shape": (2, 1)}, r"^Wrong.shape must be a tuple"),
        ({"shape": (3,)}, r"^Wrong, train: examples must have the shape .* \(40, 3\), but got"),
        ({"load": changed(lambda x: x[1:])}, r"must have the shape .* \(40, 2\), but got \(39, 2"),
        ({"load": changed(torch.Tensor.double)}, "examples must be float32, but got torch.float64"),
        ({"load": changed(lambda x: x / 0)}, "every value of an example must be finite"),
        ({"load": changed(labels=torch.Tensor.int)}, "labels must be int64, but got torch.int32"),
        ({"load": changed(labels=lambda y: y[:, None])}, r"one label for each .* got \(40, 1\)"),
        ({"load": changed(labels=lambda y: y + 20)}, r"labels must be in 0 .. 24, but got 2"),
        ({"load": at_random}, "^Wrong, train: load must leave the global random generators alone"),
        ({"load": in_turn}, "^Wrong, train: load must return the same examples in the same order"),
        ({"stored": changed(lambda x: 255 * x)}, "stored must return the examples of load"),
        ({"load": lambda self, split, root=None: LOAD(self, "train"),
          "n_images": lambda self, split: 40}, "held-out split must have examples of its own"),
        ({"is_present": lambda self, root=None: False}, "is_present must be true"),
    ],
)  # fmt: skip
def test_a_broken_rule_is_named(members, message):
    refused(message, check_data_set, wrong(Gaussians, **members)(n=40))


def test_pixels_are_in_the_unit_interval():
    as_images = {
        "shape": (2, 1, 1), "load": changed(lambda x: x[:, :, None, None]),
    }  # fmt: skip
    refused(r"pixels must be in \[0, 1\], but got \[-1", check_data_set,
            wrong(Gaussians, **as_images)(n=40))  # fmt: skip
