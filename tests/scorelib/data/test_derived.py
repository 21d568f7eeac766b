"""Tests of data derived from other data: one class, added noise, the same noise for all classes."""

import pytest
import scipy.stats
import torch

from scorelib.data import Digits, Gaussians, Moons, OneClass, Perturbed
from scorelib.errors import InputError
from scorelib.testing import check_data_set

MOONS = Moons(n=4000)
UPPER, LOWER = (OneClass(of=MOONS, label=label) for label in (0, 1))


@pytest.mark.parametrize(
    "data", [UPPER, LOWER, OneClass(of=Gaussians(n=999), label=24), Perturbed(of=MOONS, sigma=2)]
)
def test_they_are_data_sets_like_any_other(data):
    check_data_set(data)
    for split in ("train", "test"):
        assert data.load(split)[1].unique().tolist() == list(range(data.n_classes))


@pytest.mark.parametrize("split", ["train", "test"])
def test_the_classes_together_are_the_whole_set(split):
    points, labels = MOONS.load(split)
    assert torch.equal(UPPER.load(split)[0], points[labels == 0])
    assert torch.equal(LOWER.load(split)[0], points[labels == 1])
    assert UPPER.n_images(split) + LOWER.n_images(split) == MOONS.n_images(split)


def test_noise_is_normal_of_its_level_and_new_for_each_split_and_seed():
    blurred = Perturbed(of=MOONS, sigma=7.5)
    noise = {s: (blurred.load(s)[0] - MOONS.load(s)[0]) / 7.5 for s in ("train", "test")}
    for drawn in noise.values():
        assert scipy.stats.kstest(drawn.flatten().numpy(), "norm").pvalue > 1e-3
    assert torch.equal(blurred.load("train")[1], MOONS.load("train")[1])
    assert not torch.allclose(noise["train"][: len(noise["test"])], noise["test"], atol=0.1)
    other = (blurred.replace(seed=1).load("train")[0] - MOONS.load("train")[0]) / 7.5
    assert abs(torch.corrcoef(torch.stack([other.flatten(), noise["train"].flatten()]))[0, 1]) < 0.1


def test_every_class_gets_the_same_noise():
    noise = [
        Perturbed(of=c, sigma=7.5).load("train")[0] - c.load("train")[0] for c in (UPPER, LOWER)
    ]
    torch.testing.assert_close(*noise, rtol=0, atol=1e-5)


def test_names_say_what_was_done():
    assert Perturbed(of=UPPER, sigma=7.5).name == "moons-class-0-sigma-7.5"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda: OneClass(of=MOONS, label=2), r"in \[0, 1\], a class of moons; got 2"),
        (lambda: OneClass(of=MOONS, label=-1), "got -1"),
        (lambda: OneClass(of=Digits(), label=1), "OneClass.of must be Toy"),
        (lambda: Perturbed(of=MOONS, sigma=0), "sigma must be positive, but got 0"),
        (lambda: Perturbed(of=Digits(), sigma=1), r"vectors of shape \(D,\), but digits has"),
    ],
)
def test_what_makes_no_sense_is_refused(change, message):
    with pytest.raises(InputError, match=message):
        change()
