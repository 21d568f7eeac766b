"""Tests of a user's data: seeded splits, IDX files, what decoding needed, and refusals."""

import gzip
import struct

import numpy as np
import pytest
import torch
from PIL import Image

from scorelib.data import (
    CelebA,
    Cifar10,
    Cifar100,
    Digits,
    Ffhq,
    IdxFiles,
    ImageFolder,
    Lsun,
    Mnist,
    Photographs,
    Stacked,
    own_data,
)
from scorelib.data.own.splitting import chosen, n_held_out
from scorelib.errors import InputError, MissingDataError
from scorelib.testing import check_data_set


def save(folder, n, *, first=0, mode="RGB", size=(12, 10)):
    folder.mkdir(parents=True, exist_ok=True)
    for i in range(first, first + n):
        pixels = np.random.default_rng(i).integers(0, 256, (*size, 3), dtype=np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / f"{i:03}.png")


def idx(values):
    header = struct.pack(f">BBBB{values.ndim}I", 0, 0, 8, values.ndim, *values.shape)
    return header + values.astype(np.uint8).tobytes()


def write_idx(folder, part, images, labels, suffix=""):
    folder.mkdir(parents=True, exist_ok=True)
    packed = gzip.compress if suffix else bytes
    (folder / f"{part}-images-idx3-ubyte{suffix}").write_bytes(packed(idx(images)))
    (folder / f"{part}-labels-idx1-ubyte{suffix}").write_bytes(packed(idx(labels)))


def pictures(n, seed=0, size=(9, 7)):
    return np.random.default_rng(seed).integers(0, 256, (n, *size))


@pytest.mark.parametrize(("n", "n_test"), [(4, 2), (17, 3), (400, 80), (401, 399)])
def test_a_split_holds_every_example_once_and_each_class_by_its_share(n, n_test):
    labels = torch.arange(n) % 3
    train, test = (chosen(split, labels, n_test, 0) for split in ("train", "test"))
    assert torch.equal(torch.cat([train, test]).sort().values, torch.arange(n))
    assert len(test) == n_test and torch.equal(train, train.sort().values)
    for label in range(3):
        share = n_test * int((labels == label).sum()) / n
        assert abs(int((labels[test] == label).sum()) - share) <= 1
    if n == 400:
        assert not torch.equal(test, chosen("test", labels, n_test, 1))


def test_by_default_a_fifth_is_held_out():
    assert [n_held_out(n) for n in (4, 9, 10, 400)] == [2, 2, 2, 80]


def test_a_flat_folder_is_split_by_a_seed(tmp_path):
    save(tmp_path / "pics", 20)
    data = own_data(tmp_path / "pics", {"size": 8})
    assert isinstance(data, ImageFolder)
    assert (data.n_train, data.n_test, data.n_classes, data.split_seed) == (16, 4, 1, 0)
    train, test = (data.load(split, tmp_path)[0] for split in ("train", "test"))
    every = {image.numpy().tobytes() for image in torch.cat([train, test])}
    assert len(every) == 20 and train.shape == (16, 3, 8, 8)
    other = own_data(tmp_path / "pics", {"size": 8, "split_seed": 1})
    assert other.digest == data.digest and other.key != data.key
    assert not torch.equal(other.load("test", tmp_path)[0], test)
    assert own_data(tmp_path / "pics", {"size": 8, "n_test": 7}).n_images("train") == 13


def test_grey_images_can_stay_grey(tmp_path):
    save(tmp_path / "pics", 6, mode="L", size=(8, 8))
    data = own_data(tmp_path / "pics", {"size": 8, "channels": 1})
    images, _ = data.load("train", tmp_path)
    assert images.shape == (4, 1, 8, 8) and data.shape == (1, 8, 8)


def test_what_decoding_needed_and_what_was_left_out_is_said(tmp_path):
    save(tmp_path / "pics", 4, size=(20, 20))
    save(tmp_path / "pics", 2, first=4, mode="RGBA", size=(6, 6))
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (30, 20)).save(tmp_path / "pics" / "turned.jpg", exif=exif)
    (tmp_path / "pics" / "notes.txt").write_text("")
    assert own_data(tmp_path / "pics", {"size": 8}).remarks(tmp_path) == [
        "5 training and 2 held-out images of 1 class taken",
        "left out: 1 .txt files",
        "1 of 7 images turned as their EXIF orientation says",
        "2 of 7 images with transparency, composed on white",
        "2 of 7 images enlarged to 8 pixels",
    ]


def test_nothing_usable_says_what_was_left_out(tmp_path):
    (tmp_path / "pics").mkdir()
    for name in ("a.psd", "b.psd", "c.png"):
        (tmp_path / "pics" / name).write_bytes(b"")
    with pytest.raises(MissingDataError, match=r"but 1 were found \(left out: 2 \.psd files\)"):
        own_data(tmp_path / "pics")


@pytest.mark.parametrize("n_test", [1, 5, 100, 0])
def test_a_split_that_leaves_too_few_is_refused(tmp_path, n_test):
    save(tmp_path / "pics", 6)
    with pytest.raises(InputError, match="2 <= n_test <= 4 must hold for 6 images"):
        own_data(tmp_path / "pics", {"n_test": n_test})


def test_n_test_of_a_folder_with_its_own_split_is_refused(tmp_path):
    save(tmp_path / "pics" / "train", 3)
    save(tmp_path / "pics" / "test", 3, first=5)
    with pytest.raises(InputError, match="n_test must not be given"):
        own_data(tmp_path / "pics", {"n_test": 2})


@pytest.mark.parametrize("suffix", ["", ".gz"])
def test_idx_files_of_any_number_and_size(tmp_path, suffix):
    train, test = pictures(23), pictures(5, seed=1)
    write_idx(tmp_path / "few", "train", train, np.arange(23) % 4, suffix)
    write_idx(tmp_path / "few", "t10k", test, np.arange(5), suffix)
    data = own_data(tmp_path / "few")
    assert isinstance(data, IdxFiles) and data.name == "few" and data.split_seed is None
    assert (data.shape, data.n_train, data.n_test, data.n_classes) == ((1, 9, 7), 23, 5, 5)
    check_data_set(data, tmp_path)
    images, labels = data.pixels("train", tmp_path)
    np.testing.assert_array_equal(images[:, 0], train)
    assert torch.equal(labels, torch.arange(23) % 4)
    np.testing.assert_array_equal(data.pixels("test", tmp_path)[0][:, 0], test)
    assert Stacked(of=data, n=50).load("train", tmp_path)[0].shape == (50, 3, 9, 7)


def test_idx_files_without_a_test_part_are_split_by_a_seed(tmp_path):
    write_idx(tmp_path / "few", "train", pictures(20), np.arange(20) % 2)
    data = own_data(tmp_path / "few", {"n_test": 6})
    train, test = (data.load(split, tmp_path) for split in ("train", "test"))
    check_data_set(data, tmp_path)
    assert len(train[0]) == 14 and len(test[0]) == 6 and int(test[1].sum()) == 3


def test_idx_files_say_what_was_taken_and_left_alone(tmp_path):
    write_idx(tmp_path / "few", "train", pictures(20), np.arange(20) % 2)
    write_idx(tmp_path / "few", "train", pictures(20, seed=2), np.arange(20) % 2, ".gz")
    (tmp_path / "few" / "1.png").write_bytes(b"")
    assert own_data(tmp_path / "few").remarks(tmp_path) == [
        "16 training and 4 held-out images of 2 classes taken",
        "left out: 2 .gz files, 1 .png files",
    ]
    write_idx(tmp_path / "one", "train", pictures(5), np.zeros(5))
    write_idx(tmp_path / "one", "t10k", pictures(3), np.zeros(3))
    assert own_data(tmp_path / "one").remarks(tmp_path) == [
        "5 training and 3 held-out images of 1 class taken"
    ]


@pytest.mark.parametrize("part", ["train-labels-idx1", "t10k-images-idx3", "t10k-labels-idx1"])
def test_one_idx_file_of_a_pair_alone_is_refused(tmp_path, part):
    for name in ("train", "t10k"):
        write_idx(tmp_path / "few", name, pictures(6), np.arange(6) % 2)
    (tmp_path / "few" / f"{part}-ubyte").rename(tmp_path / "few" / f"{part}.ubyte")
    with pytest.raises(MissingDataError, match=f"{part}-ubyte must be readable"):
        own_data(tmp_path / "few")


def test_idx_files_of_other_content_are_refused(tmp_path):
    write_idx(tmp_path / "few", "train", pictures(20), np.arange(20) % 2)
    data = own_data(tmp_path / "few")
    write_idx(tmp_path / "few", "train", pictures(20, seed=3), np.arange(20) % 2)
    with pytest.raises(
        MissingDataError, match=f"digest {data.digest[:12]}.*put the old files back"
    ):
        data.load("train", tmp_path)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda c: c[:-1], "bytes instead of"),
        (lambda c: b"\0\0\x0d\x03" + c[4:], "another header"),
        (lambda c: b"", "another header"),
        (lambda c: c[:4] + b"\xff\xff\xff\xff" + c[8:], "bytes instead of"),
    ],
)
def test_damaged_idx_files_are_refused_by_name(tmp_path, change, words):
    write_idx(tmp_path / "few", "train", pictures(20), np.arange(20) % 2)
    path = tmp_path / "few" / "train-images-idx3-ubyte"
    path.write_bytes(change(path.read_bytes()))
    with pytest.raises(MissingDataError, match=f"{path} must hold unsigned bytes.*{words}"):
        own_data(tmp_path / "few")


def test_idx_files_that_do_not_fit_each_other_are_refused(tmp_path):
    write_idx(tmp_path / "few", "train", pictures(20), np.arange(19) % 2)
    with pytest.raises(MissingDataError, match="20 images and 19 labels"):
        own_data(tmp_path / "few")
    write_idx(tmp_path / "few", "train", pictures(20), np.arange(20) % 2)
    write_idx(tmp_path / "few", "t10k", pictures(4, size=(8, 8)), np.arange(4) % 2)
    with pytest.raises(MissingDataError, match="must have one size"):
        own_data(tmp_path / "few")


PUBLISHED = [
    Mnist(), Cifar10(), Cifar100(), CelebA(), Lsun(), Lsun(category="tower"), Ffhq(size=64),
    Digits(), Photographs(), Stacked(of=Digits()),
]  # fmt: skip


@pytest.mark.parametrize("published", PUBLISHED, ids=lambda data: data.name)
def test_a_folder_never_has_the_name_of_a_published_data_set(tmp_path, published):
    for name in (published.name, f"my-{published.name}", published.name.upper()):
        save(tmp_path / name, 4)
        found = own_data(tmp_path / name, {"size": 8}).name
        assert found == (name if name.startswith("my-") else f"own-{name}")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(MissingDataError, match="must be a folder"):
        own_data(tmp_path / "nowhere")
