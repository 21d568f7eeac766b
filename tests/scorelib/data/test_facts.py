"""Tests of what is noted about data sets: digests, distinct examples, shared examples."""

from dataclasses import dataclass

import numpy as np
import pytest
import torch
from PIL import Image

from scorelib.data import DataSpec, Digits, own_data
from scorelib.data.facts import digest_of, facts_of
from scorelib.errors import InputError


def save(folder, seeds):
    folder.mkdir(parents=True)
    for i, seed in enumerate(seeds):
        pixels = np.random.default_rng(seed).integers(0, 256, (8, 8, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i:03}.png")


def facts(tmp_path, train, test):
    save(tmp_path / "pics" / "train", train)
    save(tmp_path / "pics" / "test", test)
    data = own_data(tmp_path / "pics", {"size": 8})
    return data, facts_of(data, tmp_path)


def test_the_digests_are_of_examples_and_labels():
    data = Digits()
    found = facts_of(data)
    assert found.digests == {split: digest_of(*data.load(split)) for split in ("train", "test")}
    assert found.n_distinct == {
        split: len({x.numpy().tobytes() for x in data.load(split)[0]})
        for split in ("train", "test")
    }
    assert found.n_shared == 0 and not found.notes(data)


def test_plain_data_has_no_notes(tmp_path):
    data, found = facts(tmp_path, range(6), range(10, 14))
    assert found.n_distinct == {"train": 6, "test": 4} and not found.warnings(data)
    assert found.notes(data) == ["data pics: 6 training and 4 held-out images of 1 class taken"]


def test_equal_images_are_said(tmp_path):
    data, found = facts(tmp_path, [1] * 6, range(10, 14))
    assert found.warnings(data) == ["all 6 training images of pics are equal"]


def test_repeated_images_are_said(tmp_path):
    data, found = facts(tmp_path, range(6), [10, 10, 11, 11])
    assert found.warnings(data) == ["of 4 held-out images of pics only 2 differ"]
    assert found.notes(data)[-1] == "warning: of 4 held-out images of pics only 2 differ"


@pytest.mark.parametrize(("test", "n"), [(range(4), 4), ([0, 10, 11, 12], 1)])
def test_held_out_images_that_are_training_images_are_said(tmp_path, test, n):
    data, found = facts(tmp_path, range(6), test)
    assert found.n_shared == n
    assert found.warnings(data) == [
        f"{n} of 4 distinct held-out images of pics are training images too, so held-out numbers "
        f"are too good"
    ]


def test_classes_without_images_are_said(tmp_path):
    for name, seeds in {"train/a": range(3), "train/b": range(3, 6), "test/b": range(6, 9)}.items():
        save(tmp_path / "pics" / name, seeds)
    data = own_data(tmp_path / "pics", {"size": 8})
    assert facts_of(data, tmp_path).remarks == (
        "6 training and 3 held-out images of 2 classes taken",
        "1 of 2 classes have no held-out images",
    )


@pytest.mark.parametrize(("highest", "said"), [(63, True), (64, False)])
def test_dark_images_are_said(tmp_path, highest, said):
    for split in ("train", "test"):
        (tmp_path / "pics" / split).mkdir(parents=True)
        for i in range(3):
            pixels = np.full((8, 8, 3), highest - i, dtype=np.uint8)
            Image.fromarray(pixels).save(tmp_path / "pics" / split / f"{i}.png")
    _, *found = facts_of(own_data(tmp_path / "pics", {"size": 8}), tmp_path).remarks
    assert [remark.partition(" (")[0] for remark in found] == [
        f"the {words} images are dark: their highest level is {highest} of 255"
        for words in ("training", "held-out")
        if said
    ]


def test_digests_tell_shapes_types_and_values_apart():
    one = torch.arange(6, dtype=torch.float32)
    different = {digest_of(t) for t in (one, one + 1, one.reshape(2, 3), one.double())}
    assert len(different) == 4 and digest_of(one) == digest_of(one.clone())
    assert digest_of(one, one) != digest_of(one)


@dataclass(frozen=True, kw_only=True)
class Declared(DataSpec):
    """Declares eight images of one pixel in two classes, and loads what it is told."""

    KIND = "test-declared"
    name, n_classes, shape = "declared", 2, (1, 1, 1)
    loads = None

    def n_images(self, split):
        return 8

    def load(self, split, root=None):
        return self.loads


IMAGES, LABELS = torch.arange(8.0).reshape(8, 1, 1, 1) / 8, torch.arange(8) % 2


@pytest.mark.parametrize(
    ("loads", "words"),
    [
        (IMAGES, "load must return two tensors, examples and labels, but returned Tensor"),
        ((IMAGES, LABELS, LABELS), "load must return two tensors"),
        ((IMAGES.numpy(), LABELS), "load must return two tensors"),
        ((IMAGES[:7], LABELS[:7]), r"float32 of shape \(8, 1, 1, 1\).*float32 of shape \(7, 1"),
        ((IMAGES[:, 0], LABELS), "examples must be float32"),
        ((IMAGES.double(), LABELS), "but are float64"),
        ((IMAGES, LABELS[:, None]), "labels must be int64"),
        ((IMAGES, LABELS.float()), "labels must be int64"),
        ((IMAGES, LABELS + 1), "labels must be finite and from 0 to 1, but reach from 1 to 2"),
        ((IMAGES * 3, LABELS), "examples must be finite and from 0 to 1, but reach .* to 2.625"),
        ((IMAGES - 1, LABELS), "examples must be finite and from 0 to 1"),
        ((IMAGES * float("nan"), LABELS), "examples must be finite"),
    ],
)
def test_examples_that_are_not_as_declared_are_refused(monkeypatch, loads, words):
    monkeypatch.setattr(Declared, "loads", (IMAGES, LABELS))
    assert facts_of(Declared()).n_distinct == {"train": 8, "test": 8}
    monkeypatch.setattr(Declared, "loads", loads)
    with pytest.raises(InputError, match=f"data declared, split train: .*{words}"):
        facts_of(Declared())
