"""Tests of data sets: a contract for all, and tests of single ones. They use no network."""

import dataclasses
import hashlib
import pickle
import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
import torch
from sklearn.datasets import load_digits, load_sample_images
from torchvision.datasets import CIFAR10

from scorelib.data import (
    CelebA,
    Cifar10,
    Cifar100,
    DataSpec,
    Digits,
    Ffhq,
    Gaussians,
    IdxFiles,
    ImageFolder,
    Lsun,
    Mnist,
    Moons,
    OneClass,
    Perturbed,
    Photographs,
    Stacked,
    SwissRoll,
)
from scorelib.errors import InputError, MissingDataError
from scorelib.testing import check_data_set
from tests.components import components

EMBEDDED = [Digits(), Photographs(), Photographs(size=32, n=101)]
PER_BATCH = 20


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network\nin this test")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def cifar_root(tmp_path, monkeypatch):
    """Returns a folder with six small batches in the format of CIFAR-10.

    The checksums of these files replace the published ones.
    """
    folder = tmp_path / CIFAR10.base_folder
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    def batch(seed):
        g = np.random.default_rng(seed)
        pixels = g.integers(0, 256, (PER_BATCH, 3072), dtype=np.uint8)
        return {"data": pixels, "labels": (np.arange(PER_BATCH) % 10).tolist()}

    train = [[f"data_batch_{i}", write(f"data_batch_{i}", batch(i))] for i in range(1, 6)]
    monkeypatch.setattr(CIFAR10, "train_list", train)
    monkeypatch.setattr(CIFAR10, "test_list", [["test_batch", write("test_batch", batch(9))]])
    names = write("batches.meta", {"label_names": list("abcdefghij")})
    monkeypatch.setattr(CIFAR10, "meta", CIFAR10.meta | {"md5": names})
    return tmp_path


@pytest.mark.parametrize("data", EMBEDDED, ids=lambda d: d.name)
def test_contract(data, tmp_path):
    check_data_set(data, tmp_path / "ignored")
    assert list(tmp_path.iterdir()) == []
    for split in ("train", "test"):
        images, labels = data.load(split)
        assert images.std() > 0.1 and labels.unique().tolist() == list(range(data.n_classes))


def test_digits_are_all_there_once():
    data = Digits()
    assert (data.n_images("train"), data.n_images("test")) == (1198, 599)
    (a, i), (b, j) = data.load("train"), data.load("test")
    original = load_digits()
    rows = torch.cat([torch.cat([x.flatten(1) * 16, y[:, None]], dim=1)
                      for x, y in ((a, i), (b, j))])  # fmt: skip
    expected = np.column_stack([original.data, original.target])
    assert sorted(map(tuple, rows.tolist())) == sorted(map(tuple, expected.tolist()))
    assert torch.equal(b[1, 0] * 16, torch.tensor(original.images[5]).float())


def test_digits_splits_have_like_class_shares():
    shares = [Digits().load(s)[1].bincount() / Digits().n_images(s) for s in ("train", "test")]
    assert (shares[0] - shares[1]).abs().max() < 0.02


def test_photographs_splits_share_no_pixel():
    data = Photographs(size=16, n=600)
    assert data.n_images("test") == 300
    columns = {}
    for split in ("train", "test"):
        _, left = data._corners(split)
        columns[split] = {c for x in left.tolist() for c in range(x, x + data.size)}
    assert not columns["train"] & columns["test"]
    assert max(columns["train"] | columns["test"]) < 640


def test_photographs_patches_are_cut_from_their_photograph():
    data = Photographs(size=16, n=40)
    images, labels = data.load("train")
    rows, left = data._corners("train")
    photographs = load_sample_images().images
    for image, label, i, j in zip(images, labels, rows, left, strict=True):
        patch = photographs[label][i : i + 16, j : j + 16].transpose(2, 0, 1)
        np.testing.assert_array_equal((image * 255).round().numpy(), patch)
    assert len({(int(i), int(j)) for i, j in zip(rows, left, strict=True)}) > 35


@pytest.mark.parametrize("fields", [{"size": 3}, {"size": 65}, {"n": 3}])
def test_photographs_refuses(fields):
    with pytest.raises(InputError, match=str(next(iter(fields.values())))):
        Photographs(**fields)


@pytest.mark.parametrize("split", ["train", "test"])
def test_cifar_from_its_own_format(cifar_root, offline, split):
    images, labels = Cifar10().load(split, cifar_root)
    batches = range(1, 6) if split == "train" else [9]
    pixels = [
        np.random.default_rng(s).integers(0, 256, (PER_BATCH, 3072), np.uint8) for s in batches
    ]
    expected = np.concatenate(pixels).reshape(-1, 3, 32, 32)  # stored as planes: R, G, B
    assert images.dtype == torch.float32 and images.is_contiguous()
    np.testing.assert_array_equal((images * 255).round().numpy(), expected)
    assert labels.dtype == torch.int64 and labels[:12].tolist() == [*range(10), 0, 1]
    assert images.max() <= 1
    stored, same = Cifar10().pixels(split, cifar_root)
    assert stored.dtype == torch.uint8 and torch.equal(same, labels)
    np.testing.assert_array_equal(stored.numpy(), expected)


def test_contract_of_cifar(cifar_root, offline, monkeypatch):
    n = {"train": 5 * PER_BATCH, "test": PER_BATCH}
    monkeypatch.setattr(Cifar10, "n_images", lambda self, split: n[split])
    check_data_set(Cifar10(), cifar_root)


def test_every_data_set_is_checked():
    """Those of other files are checked there."""
    checked = {*map(type, EMBEDDED), Cifar10}
    checked |= {Gaussians, Moons, SwissRoll, OneClass, Perturbed}  # test_toys, test_derived
    checked |= {Cifar100, Mnist, CelebA, Lsun, Ffhq, Stacked, ImageFolder, IdxFiles}  # test_files
    assert checked >= components(DataSpec)


def test_cifar_facts_are_the_published_ones():
    data = Cifar10()
    assert (data.shape, data.n_classes) == ((3, 32, 32), 10)
    assert (data.n_images("train"), data.n_images("test")) == (50_000, 10_000)
    assert [len(CIFAR10.train_list), len(CIFAR10.test_list)] == [5, 1]


def test_cifar_missing_and_offline_is_one_line_that_teaches(tmp_path, offline):
    with pytest.raises(MissingDataError) as caught:
        Cifar10().load("train", tmp_path / "nowhere")
    message = str(caught.value)
    assert "\n" not in message
    for part in (str(tmp_path / "nowhere"), "cifar-10-python.tar.gz", "data.root", "no network"):
        assert part in message


def test_cifar_default_root_is_data_in_the_working_folder(tmp_path, offline, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(MissingDataError, match=str(tmp_path / "data")):
        Cifar10().load("test")


def test_cifar_never_opens_a_corrupt_batch(cifar_root, offline):
    class Bomb:
        def __reduce__(self):
            return (pytest.fail, ("unpickled a file of another MD5 sum",))

    (cifar_root / CIFAR10.base_folder / "data_batch_3").write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(MissingDataError, match="corrupt"):
        Cifar10().load("train", cifar_root)


def test_where_the_files_lie_is_in_no_key():
    assert dataclasses.fields(Cifar10) == ()
    assert len({d.key for d in (*EMBEDDED, Cifar10())}) == 4
