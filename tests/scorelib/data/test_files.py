"""Tests of data sets read from files, on small files in the published format, created here.

The tests have no published images, so the published counts and MD5 sums are replaced by those of
the created files. Images are compared with those that torchvision reads and transforms.
"""

import errno
import hashlib
import io
import json
import os
import pickle
import shutil
from pathlib import Path

import lmdb
import numpy as np
import pytest
import torch
from PIL import Image, PngImagePlugin
from torchvision import datasets as published
from torchvision import transforms

from scorelib.data import (
    CelebA,
    Cifar100,
    Digits,
    Ffhq,
    ImageFolder,
    Lsun,
    Mnist,
    Photographs,
    Stacked,
    celeba,
    lsun,
    mnist,
)
from scorelib.data.own import own_data
from scorelib.data.reading import checks
from scorelib.data.reading.decoding import to_8_bits
from scorelib.errors import InputError, MissingDataError
from scorelib.spec import from_json
from scorelib.testing import check_data_set
from tests.scorelib.data import conftest, files
from tests.scorelib.data.files import encoded, idx, picture

pytestmark = pytest.mark.usefixtures("offline", "workplace")


class Bomb:
    def __reduce__(self):
        return (pytest.fail, ("unpickled a foreign file",))


def one_line(caught, *parts):
    message = str(caught.value)
    assert "\n" not in message
    for part in parts:
        assert str(part) in message, message


def pixels_of(loaded):
    images, labels = loaded
    assert images.dtype == torch.float32 and labels.dtype == torch.int64
    assert images.is_contiguous() and len(images) == len(labels)
    levels = images * 255
    assert (levels - levels.round()).abs().max() < 1e-4
    return levels.round().to(torch.uint8)


# CIFAR-100


@pytest.mark.parametrize(("split", "seed", "n"), [("train", 1, 120), ("test", 2, 100)])
def test_cifar100_from_its_own_format(cifar100_root, split, seed, n):
    loaded = Cifar100().load(split, cifar100_root)
    expected = np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)
    np.testing.assert_array_equal(pixels_of(loaded), expected.reshape(n, 3, 32, 32))
    assert torch.equal(loaded[1], torch.arange(n) % 100)


def test_cifar100_never_opens_a_corrupt_file(cifar100_root):
    path = cifar100_root / published.CIFAR100.base_folder / "train"
    path.write_bytes(pickle.dumps(Bomb()))
    with pytest.raises(MissingDataError, match="corrupt"):
        Cifar100().load("train", cifar100_root)


def test_cifar100_missing_names_the_archive_and_its_place(tmp_path):
    with pytest.raises(MissingDataError) as caught:
        Cifar100().load("test", tmp_path / "nowhere")
    one_line(
        caught,
        tmp_path / "nowhere",
        "https://www.cs.toronto.edu/~kriz/cifar-100-python.tar.gz",
        "data.root",
        "no network",
    )


# MNIST


@pytest.mark.parametrize(("split", "n"), [("train", 30), ("test", 12)])
def test_mnist_from_its_own_format(mnist_root, split, n):
    loaded = Mnist().load(split, mnist_root)
    expected = np.random.default_rng(n).integers(0, 256, (n, 1, 28, 28))
    np.testing.assert_array_equal(pixels_of(loaded), expected)
    assert torch.equal(loaded[1], torch.arange(n) % 10)


def test_mnist_cut_short_is_refused(mnist_root):
    path = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(path.read_bytes()[:-100])
    with pytest.raises(MissingDataError) as caught:
        Mnist().load("train", mnist_root)
    one_line(caught, path.parent, "train-images-idx3-ubyte.gz", "s3.amazonaws.com/mnist")


@pytest.mark.parametrize("content", [b"<html>Not found</html>", b"", b"\0\0\x08\x03\0"])
@pytest.mark.parametrize("name", ["train-images-idx3-ubyte", "train-labels-idx1-ubyte"])
def test_mnist_of_another_format_is_refused(mnist_root, name, content):
    path = mnist_root / "MNIST" / "raw" / name
    path.write_bytes(content)
    with pytest.raises(MissingDataError, match="neither read nor"):
        Mnist().load("train", mnist_root)


def test_mnist_of_too_few_images_is_refused(mnist_root):
    path = mnist_root / "MNIST" / "raw" / "train-images-idx3-ubyte"
    path.write_bytes(idx(np.zeros((29, 28, 28))))
    with pytest.raises(MissingDataError, match="30 images, but 29"):
        Mnist().load("train", mnist_root)


@pytest.mark.parametrize("change", ["noise", "zeros", "half zeros", "one pixel", "labels"])
def test_mnist_of_other_content_is_refused_with_both_sums(mnist_root, change):
    what = "labels-idx1" if change == "labels" else "images-idx3"
    path = mnist_root / "MNIST" / "raw" / f"t10k-{what}-ubyte"
    content = bytearray(path.read_bytes())
    known = hashlib.md5(content).hexdigest()
    if change == "noise":
        content[16:] = np.random.default_rng(0).bytes(len(content) - 16)
    elif change == "zeros":
        content[16:] = bytes(len(content) - 16)
    elif change == "half zeros":
        content[len(content) // 2 :] = bytes(len(content) - len(content) // 2)
    elif change == "one pixel":
        content[400] ^= 1
    else:
        content[8], content[9] = content[9], content[8]
    path.write_bytes(content)
    Mnist().load("train", mnist_root)  # the other split is as published
    with pytest.raises(MissingDataError) as caught:
        Mnist().load("test", mnist_root)
    one_line(caught, path, known, hashlib.md5(content).hexdigest(), "docs/your_data.md")


def test_mnists_published_sums_are_of_files_with_the_published_lengths():
    assert [len(md5) for md5 in mnist._MD5.values()] == [32] * 4
    assert {name[:5] for name in mnist._MD5} == {"train", "t10k-"}


def test_mnist_missing_names_its_files_and_their_place(tmp_path):
    with pytest.raises(MissingDataError) as caught:
        Mnist().load("train", tmp_path / "nowhere")
    place = tmp_path / "nowhere" / "MNIST" / "raw"
    one_line(caught, place, "t10k-labels-idx1-ubyte.gz", "data.root")


# CelebA


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("size", [64, 32])
def test_celeba_is_what_torchvision_reads_crops_and_resizes(celeba_root, split, size):
    steps = [transforms.CenterCrop(140), transforms.Resize(size), transforms.PILToTensor()]
    theirs = published.CelebA(celeba_root, split, transform=transforms.Compose(steps))
    loaded = CelebA(size=size).load(split, celeba_root)
    assert torch.equal(pixels_of(loaded), torch.stack([image for image, _ in theirs]))
    assert loaded[0].shape == (CelebA().n_images(split), 3, size, size)
    assert not loaded[1].any()


def test_celeba_of_another_size_is_refused_and_never_padded(celeba_root):
    path = celeba_root / "celeba" / "img_align_celeba" / "000001.jpg"
    picture(1, 128, 128).save(path)
    with pytest.raises(MissingDataError) as caught:
        CelebA().load("train", celeba_root)
    one_line(caught, path, "178 x 218 pixels", "128 x 128")


def test_celeba_missing_names_each_piece_and_its_place(celeba_root):
    folder = celeba_root / "celeba"
    (folder / "list_bbox_celeba.txt").unlink()
    (folder / "identity_CelebA.txt").write_text("other\n")
    with pytest.raises(MissingDataError) as caught:
        CelebA().load("train", celeba_root)
    bad = "missing or corrupt: identity_CelebA.txt, list_bbox_celeba.txt:"
    one_line(caught, folder, bad, "http://mmlab.ie.cuhk.edu.hk/projects/CelebA.html", "data.root")
    with pytest.raises(MissingDataError, match=r"list_eval_partition\.txt, img_align_celeba:"):
        CelebA().load("train", celeba_root / "nowhere")


def test_celeba_names_the_first_missing_and_the_broken_image(celeba_root):
    images = celeba_root / "celeba" / "img_align_celeba"
    (images / "000002.jpg").write_bytes(b"no image")
    with pytest.raises(MissingDataError) as caught:
        CelebA().load("train", celeba_root)
    one_line(caught, images / "000002.jpg", "must be an image")
    (images / "000004.jpg").unlink()
    (images / "000006.jpg").unlink()
    with pytest.raises(MissingDataError) as caught:
        CelebA().load("train", celeba_root)
    one_line(caught, images / "000004.jpg", "1 other", "img_align_celeba.zip")


def test_celeba_with_another_number_of_images_is_refused(celeba_root, monkeypatch):
    monkeypatch.setattr(celeba, "_N_IMAGES", {"train": 5, "test": 2})
    with pytest.raises(MissingDataError, match="5 images, but 4"):
        CelebA().load("train", celeba_root)


# LSUN


@pytest.mark.parametrize(("split", "part", "n"), [("train", "train", 9), ("test", "val", 3)])
@pytest.mark.parametrize("size", [64, 48])
def test_lsun_is_what_torchvision_reads_resizes_and_crops(lsun_root, split, part, n, size):
    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
    theirs = published.LSUN(
        str(lsun_root), [f"church_outdoor_{part}"], transform=transforms.Compose(steps)
    )
    expected = torch.stack([image for image, _ in theirs])
    theirs.dbs[0].env.close()
    for _ in range(2):  # a database left open could not be opened again
        loaded = Lsun(size=size).load(split, lsun_root)
        assert torch.equal(pixels_of(loaded), expected)
    assert loaded[0].shape == (n, 3, size, size) == (Lsun().n_images(split), 3, size, size)
    assert not loaded[1].any()


def test_lsun_of_another_size_is_refused_and_never_enlarged(tmp_path, monkeypatch):
    database = lmdb.open(str(tmp_path / "church_outdoor_val_lmdb"), map_size=1 << 24)
    with database.begin(write=True) as transaction:
        transaction.put(b"0", encoded(picture(0, 40, 50), "WEBP"))
    database.close()
    monkeypatch.setattr(lsun, "_HELD_OUT_IMAGES", 1)
    with pytest.raises(MissingDataError, match=r"shorter side of 256 pixels.*50 x 40"):
        Lsun().load("test", tmp_path)


def test_lsun_up_to_a_stated_number_is_the_first_ones(lsun_root):
    every, _ = Lsun().load("train", lsun_root)
    few = Lsun(most_images=4)
    assert few.n_images("train") == 4 and few.n_images("test") == 3
    assert torch.equal(few.load("train", lsun_root)[0], every[:4])


def test_lsun_neither_reads_nor_writes_a_pickled_list_of_keys(lsun_root, workplace):
    # The path and the name at which torchvision looks for a file: see the last assertion.
    folder = lsun_root / "church_outdoor_train_lmdb"
    cache = workplace / ("_cache_" + "".join(c for c in str(folder) if c.isalpha()))
    cache.write_bytes(pickle.dumps(Bomb()))
    Lsun().load("train", lsun_root)
    assert [p.name for p in workplace.iterdir()] == [cache.name]
    with pytest.raises(pytest.fail.Exception, match="unpickled"):
        published.LSUN(str(lsun_root), ["church_outdoor_train"])


def test_lsun_cut_short_is_refused_before_it_kills_the_process(lsun_root):
    path = lsun_root / "church_outdoor_train_lmdb" / "data.mdb"
    os.truncate(path, path.stat().st_size - 4096)
    with pytest.raises(MissingDataError) as caught:
        Lsun().load("train", lsun_root)
    one_line(caught, path, "must have", "church_outdoor_train_lmdb.zip")


def test_lsun_of_too_few_images_is_refused(lsun_root, monkeypatch):
    monkeypatch.setattr(lsun, "_TRAINING_IMAGES", {"church_outdoor": 126_227})
    with pytest.raises(MissingDataError, match="126,227 images, but 9"):
        Lsun(most_images=5).load("train", lsun_root)


def test_lsun_missing_names_the_folder_and_the_archive(tmp_path, workplace):
    with pytest.raises(MissingDataError) as caught:
        Lsun().load("test", tmp_path / "nowhere")
    archive = "http://dl.yf.io/lsun/scenes/church_outdoor_val_lmdb.zip"
    one_line(caught, tmp_path / "nowhere" / "church_outdoor_val_lmdb", archive, "data.root")
    folder = tmp_path / "church_outdoor_val_lmdb"
    folder.mkdir()
    (folder / "data.mdb").write_bytes(b"no database" * 1000)
    with pytest.raises(MissingDataError, match="cannot be opened"):
        Lsun().load("test", tmp_path)


def test_lsun_names_the_image_that_is_none_and_lets_go_of_the_database(lsun_root):
    path = str(lsun_root / "church_outdoor_val_lmdb")
    database = lmdb.open(path)
    with database.begin(write=True) as transaction:
        key = next(transaction.cursor().iternext(values=False))
        transaction.put(key, b"no image")
    database.close()
    with pytest.raises(MissingDataError, match=f"{key.decode()}.*must be an image") as caught:
        Lsun().load("test", lsun_root)
    # The error keeps everything that was in use; an open database cannot be opened again.
    lmdb.open(path, readonly=True).close()
    assert caught.tb is not None


# A folder of images


@pytest.mark.parametrize("size", [16, 40])
@pytest.mark.parametrize("split", ["train", "test"])
def test_a_folder_is_what_torchvision_reads_resizes_and_crops(cats, split, size):
    data = ImageFolder.of(cats, size=size)
    steps = [transforms.Resize(size), transforms.CenterCrop(size), transforms.PILToTensor()]
    theirs = published.ImageFolder(cats / split, transforms.Compose(steps))
    loaded = data.load(split, cats.parent)
    ours = zip(pixels_of(loaded), loaded[1].tolist(), strict=True)
    found = sorted((label, image.flatten().tolist()) for image, label in ours)
    assert found == sorted((label, image.flatten().tolist()) for image, label in theirs)
    assert (data.name, data.n_classes, data.shape) == ("cats", 2, (3, size, size))
    assert len(found) == data.n_images(split) == 6
    assert from_json(json.loads(json.dumps(data.to_json()))) == data


def test_a_folder_elsewhere_is_the_same_data(cats, tmp_path):
    before = ImageFolder.of(cats, size=16)
    images, _ = before.load("train", cats.parent)
    moved = tmp_path / "elsewhere" / "cats"
    moved.parent.mkdir()
    cats.rename(moved)
    (moved / "train" / "tabby" / "readme.txt").write_text("no part of the data")
    assert ImageFolder.of(moved, size=16).key == before.key
    assert torch.equal(before.load("train", moved.parent)[0], images)


@pytest.mark.parametrize("change", ["content", "name", "fewer", "class"])
def test_a_changed_folder_is_refused(cats, change):
    data = ImageFolder.of(cats, size=16)
    path = cats / "train" / "tabby" / "0.png"
    if change == "content":
        picture(77, 50, 90).save(path)
    elif change == "name":
        path.rename(path.with_name("9.png"))
    elif change == "fewer":
        path.unlink()
    else:
        path.rename(cats / "train" / "black" / "9.png")
    assert ImageFolder.of(cats, size=16).key != data.key
    with pytest.raises(MissingDataError) as caught:
        data.load("test", cats.parent)
    one_line(caught, cats, data.digest[:12], "put the old images back")


def test_a_folder_without_its_parts_is_refused(cats, tmp_path):
    with pytest.raises(MissingDataError) as caught:
        ImageFolder.of(tmp_path / "nowhere")
    one_line(caught, tmp_path / "nowhere", "there is none", "data.root")
    (cats / "test" / "black").rename(cats / "test" / "white")
    with pytest.raises(MissingDataError, match="train must have a folder white"):
        ImageFolder.of(cats)


def test_an_empty_folder_is_refused(tmp_path):
    for split in ("train", "test"):
        (tmp_path / "cats" / split).mkdir(parents=True)
    with pytest.raises(InputError, match=r"at least 2 images.*0 in train and 0 in test were found"):
        ImageFolder.of(tmp_path / "cats")


@pytest.mark.parametrize(
    ("field", "value"), [("folder", "../cats"), ("folder", ".."), ("digest", "0"), ("size", 3)]
)
def test_a_folder_that_cannot_be_is_refused(field, value):
    facts = {"folder": "cats", "digest": "0" * 64, "n_train": 5, "n_test": 5, "n_classes": 1}
    assert ImageFolder(**facts).name == "cats"
    with pytest.raises(InputError, match=field):
        ImageFolder(**facts | {field: value})


# Stacked images


@pytest.mark.parametrize("split", ["train", "test"])
def test_stacks_are_triples_of_single_images_with_their_labels(split):
    data = Stacked(of=Digits(), n=1500)
    images, labels = data.load(split)
    assert images.shape == (data.n_images(split), *data.shape) and data.shape == (3, 8, 8)
    assert images.dtype == torch.float32 and images.min() == 0 and images.max() == 1
    assert data.n_classes == 1000 and labels.dtype == torch.int64
    singles, digits = Digits().load(split)
    known = {x.numpy().tobytes(): y for x, y in zip(singles[:, 0], digits.tolist(), strict=True)}
    for stack, label in zip(images[:200], labels[:200].tolist(), strict=True):
        a, b, c = (known[channel.contiguous().numpy().tobytes()] for channel in stack)
        assert label == 100 * a + 10 * b + c


def test_known_shares_are_those_of_the_training_labels():
    _, labels = Digits().load("train")
    counts = labels.bincount()
    assert Digits().class_shares == pytest.approx((counts / 1198).tolist())
    stacks = Stacked(of=Digits()).class_shares
    assert len(stacks) == 1000 and sum(stacks) == pytest.approx(1)
    assert stacks[314] == pytest.approx(float(counts[3] * counts[1] * counts[4]) / 1198**3)
    mnist = Mnist().class_shares
    assert sum(mnist) == pytest.approx(1) and (60_000 * mnist[0], 60_000 * mnist[9]) == (
        pytest.approx(5923), pytest.approx(5949),
    )  # fmt: skip
    assert Photographs().class_shares is None


def test_stacks_use_every_image_equally_often_and_channels_differ():
    data = Stacked(of=Digits(), n=2 * 1198)
    triples = data._triples("train", 1198)
    for channel in triples.T:
        assert (channel.bincount(minlength=1198) == 2).all()
    assert all((triples[:, i] == triples[:, j]).float().mean() < 0.01 for i, j in ((0, 1), (1, 2)))


def test_stacks_follow_from_the_spec_alone():
    data = Stacked(of=Digits(), n=1500)
    images, labels = data.load("train")
    torch.manual_seed(5)
    again, same = data.load("train")
    assert torch.equal(images, again) and torch.equal(labels, same)
    more, _ = data.replace(n=4000).load("train")
    assert torch.equal(more[:1500], images)
    other, _ = data.replace(seed=1).load("train")
    assert not torch.equal(other, images)
    assert from_json(data.to_json()) == data and data.key != data.replace(seed=1).key


def test_stacks_of_mnist_are_the_three_channel_digits_of_the_literature(mnist_root, monkeypatch):
    data = Stacked(of=Mnist(), n=60)
    images, labels = data.load("train", mnist_root)
    assert images.shape == (60, 3, 28, 28) and len(labels) == 60
    assert data.name == "stacked-mnist" and data.n_images("test") == 24
    monkeypatch.undo()
    full = Stacked(of=Mnist())
    assert [full.n_images(split) for split in ("train", "test")] == [60_000, 10_000]


def test_stacks_of_colour_images_or_of_too_few_are_refused():
    with pytest.raises(InputError, match=r"\(1, H, W\)"):
        Stacked(of=Photographs())
    with pytest.raises(InputError, match="n must be"):
        Stacked(of=Digits(), n=3)


# All data sets


def test_facts_are_the_published_ones():
    published_facts = {
        Cifar100(): ((3, 32, 32), 50_000, 10_000, 100),
        Mnist(): ((1, 28, 28), 60_000, 10_000, 10),
        CelebA(): ((3, 64, 64), 162_770, 19_962, 1),
        Lsun(): ((3, 64, 64), 126_227, 300, 1),
        Lsun(category="bedroom"): ((3, 64, 64), 200_000, 300, 1),
        Lsun(category="tower", size=128): ((3, 128, 128), 200_000, 300, 1),
    }
    for data, facts in published_facts.items():
        counts = data.n_images("train"), data.n_images("test")
        assert (data.shape, *counts, data.n_classes) == facts
    assert len({data.key for data in published_facts}) == len(published_facts)
    assert {data.name for data in published_facts} >= {"lsun-church_outdoor", "lsun-tower"}


IN_FILES = [
    (Cifar100(), "cifar100_root"), (Mnist(), "mnist_root"), (CelebA(), "celeba_root"),
    (Lsun(), "lsun_root"), (Ffhq(size=16, most_images=3), "ffhq_root"),
]  # fmt: skip


@pytest.mark.parametrize(("data", "root"), IN_FILES, ids=lambda case: getattr(case, "name", ""))
def test_contract(data, root, request, monkeypatch):
    folder = request.getfixturevalue(root)
    n = {split: len(data.load(split, folder)[0]) for split in ("train", "test")}
    monkeypatch.setattr(type(data), "n_images", lambda self, split: n[split])  # of the few files
    check_data_set(data, folder)


def test_contract_of_stacks_and_folders(cats):
    check_data_set(Stacked(of=Digits(), n=400))
    check_data_set(ImageFolder.of(cats, size=16), cats.parent)


def test_pixels_are_what_load_divides(mnist_root):
    pixels, labels = Mnist().pixels("train", mnist_root)
    images, same = Mnist().load("train", mnist_root)
    assert pixels.dtype == torch.uint8 and torch.equal(labels, same)
    assert torch.equal(pixels.float() / 255, images)


@pytest.mark.parametrize("data", [Cifar100(), Mnist(), CelebA(), Lsun()], ids=lambda d: d.name)
def test_the_default_folder_is_data_in_the_working_folder(data, workplace):
    with pytest.raises(MissingDataError, match=str(workplace / "data")):
        data.load("train")


@pytest.mark.parametrize("kind", [CelebA, Lsun])
def test_images_of_no_size_are_refused(kind):
    with pytest.raises(InputError, match="at least 4 pixels"):
        kind(size=0)
    with pytest.raises(InputError, match="most_images"):
        Lsun(most_images=1)


# FFHQ


@pytest.mark.parametrize(("split", "first"), [("train", 0), ("test", 60_000)])
def test_ffhq_is_read_by_number_and_resized(ffhq_root, split, first):
    images, labels = Ffhq(size=16, most_images=3).load(split, ffhq_root)
    folder = ffhq_root / "ffhq" / "images1024x1024" / f"{first:05d}"
    theirs = transforms.Compose(
        [transforms.Resize(16), transforms.CenterCrop(16), transforms.ToTensor()]
    )
    expected = [theirs(Image.open(folder / f"{first + i:05d}.png")) for i in range(3)]
    assert torch.equal(images, torch.stack(expected)) and labels.tolist() == [0, 0, 0]
    assert (Ffhq().n_images("train"), Ffhq().n_images("test")) == (60_000, 10_000)


def test_ffhq_thumbnails_are_refused(ffhq_root, monkeypatch):
    monkeypatch.undo()
    with pytest.raises(MissingDataError, match="1024 x 1024 pixels, as published, but has 96 x 96"):
        Ffhq(size=16, most_images=3).load("train", ffhq_root)


@pytest.mark.parametrize(
    ("data", "root"),
    [
        (CelebA(size=32), "celeba_root"),
        (Lsun(size=32), "lsun_root"),
        (Ffhq(size=32, most_images=3), "ffhq_root"),
    ],
)
def test_noise_of_the_published_sizes_and_numbers_is_refused(data, root, request, monkeypatch):
    def noise(seed, height, width):
        pixels = np.random.default_rng(seed).integers(0, 256, (height, width, 3), dtype=np.uint8)
        return Image.fromarray(pixels)

    for module in (conftest, files):
        monkeypatch.setattr(module, "picture", noise)
    folder = request.getfixturevalue(root)
    with pytest.raises(MissingDataError, match="neighbouring pixels of 100% of the images are unc"):
        data.load("train", folder)


def test_celeba_of_other_colours_is_refused(celeba_root, monkeypatch):
    monkeypatch.setattr(celeba, "_MEAN", (0.1, 0.1, 0.1))
    with pytest.raises(MissingDataError, match="the channels have the means"):
        CelebA(size=32).load("train", celeba_root)


def test_ffhq_missing_names_the_first_piece_and_its_place(ffhq_root):
    missing = ffhq_root / "ffhq" / "images1024x1024" / "00000" / "00003.png"
    with pytest.raises(MissingDataError, match=rf"{missing} and 1 other.*download_ffhq"):
        Ffhq(size=16, most_images=5).load("train", ffhq_root)


# -- errors of reading -----------------------------------------------------------------------------


@pytest.fixture
def failing_disk(monkeypatch):
    """Makes reading the content of any image fail as a broken disk does, without a file name."""
    known = Path.read_bytes

    def read(path):
        if path.suffix in (".jpg", ".png"):
            raise OSError(errno.EIO, "Input/output error")
        return known(path)

    return lambda: monkeypatch.setattr(Path, "read_bytes", read)


def test_an_error_of_reading_names_the_file_of_a_folder(cats, failing_disk):
    data = ImageFolder.of(cats, size=8)
    failing_disk()
    for read in (lambda: data.load("train", cats.parent), lambda: ImageFolder.of(cats, size=8)):
        with pytest.raises(MissingDataError, match=r"must be readable.*Input/output error") as at:
            read()
        one_line(at, cats)


def test_a_folder_that_must_not_be_entered_is_named(cats, monkeypatch):
    def closed(path, **_):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, "stat", closed)
    with pytest.raises(MissingDataError, match=r"must be readable.*Permission denied") as at:
        own_data(cats)
    one_line(at, cats)


def test_an_error_of_reading_names_the_file_of_celeba(celeba_root, failing_disk):
    failing_disk()
    with pytest.raises(MissingDataError, match=r"\.jpg must be readable.*Input/output error"):
        CelebA().load("train", celeba_root)


def test_a_damaged_page_of_lsun_names_the_database(lsun_root):
    path = lsun_root / "church_outdoor_val_lmdb" / "data.mdb"
    data = bytearray(path.read_bytes())
    page = 4096
    for start in range(2 * page, len(data), page):  # all pages but the two of the head
        data[start : start + 16] = b"\xff" * 16
    path.write_bytes(data)
    with pytest.raises(MissingDataError, match="must be a sound database, but reading") as caught:
        Lsun().load("test", lsun_root)
    one_line(caught, path)


def test_a_good_image_over_a_limit_of_the_decoder_is_called_so():
    texts = PngImagePlugin.PngInfo()
    texts.add_text("history", "x" * (PngImagePlugin.MAX_TEXT_CHUNK + 1), zip=True)
    content = encoded(picture(0, 8, 8), "png", pnginfo=texts)
    with pytest.raises(MissingDataError, match="the file may be good; save the image without"):
        to_8_bits("a.png", content)
    Image.open(io.BytesIO(encoded(picture(0, 8, 8), "png"))).load()


def test_a_message_never_shows_an_object_of_the_program():
    assert checks.one_line(OSError(f"cannot read {io.BytesIO()}")) == "cannot read the file"
    with pytest.raises(MissingDataError) as caught:
        to_8_bits("a.png", b"no image")
    assert "object at 0x" not in str(caught.value)


def test_classes_of_the_same_letters_in_two_unicode_forms_are_refused(tmp_path):
    for name in ("caf\u00e9", "cafe", "cafe\u0301"):
        (tmp_path / name).mkdir()
        for i in range(3):
            picture(i, 8, 8).save(tmp_path / name / f"{i}.png")
    with pytest.raises(MissingDataError, match="two Unicode forms") as caught:
        ImageFolder.of(tmp_path, size=8)
    one_line(caught, r"'caf\xe9'", r"'cafe\u0301'")
    shutil.rmtree(tmp_path / "cafe\u0301")
    assert ImageFolder.of(tmp_path, size=8).n_classes == 2
