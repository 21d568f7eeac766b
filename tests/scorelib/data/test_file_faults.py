"""Tests of files that cannot be read: every reader of data gives one line with the file's name.

Devices fail, folders are closed and files are cut short for real (`tests.disks`).
"""

import io
import os
import struct
import zlib
from contextlib import nullcontext

import numpy as np
import pytest
from PIL import Image
from torchvision import datasets as published

from scorelib.data import CelebA, Cifar10, Cifar100, Ffhq, ImageFolder, Lsun, Mnist, lsun
from scorelib.data.own import own_data
from scorelib.data.reading.decoding import to_8_bits
from scorelib.errors import InputError, MissingDataError
from scorelib.metrics.inception import InceptionFeatures
from scorelib.weights import read
from tests.disks import closed, fail
from tests.scorelib.data.files import idx

pytestmark = pytest.mark.usefixtures("offline", "workplace")


@pytest.fixture
def cifar10_root(cifar100_root, monkeypatch):
    """Returns the small files of CIFAR-100 under the names of CIFAR-10's first files."""
    base, other = published.CIFAR10, published.CIFAR100
    (cifar100_root / other.base_folder).rename(cifar100_root / base.base_folder)
    monkeypatch.setattr(base, "train_list", other.train_list)
    monkeypatch.setattr(base, "test_list", other.test_list)
    names = {"filename": "meta", "key": "fine_label_names", "md5": other.meta["md5"]}
    monkeypatch.setattr(base, "meta", names)
    return cifar100_root


@pytest.fixture
def idx_root(tmp_path):
    folder = tmp_path / "idx" / "digits"
    folder.mkdir(parents=True)
    (folder / "train-images-idx3-ubyte").write_bytes(idx(np.zeros((9, 8, 8))))
    (folder / "train-labels-idx1-ubyte").write_bytes(idx(np.arange(9) % 3))
    return folder.parent


@pytest.fixture
def own_root(cats):
    return cats.parent


READERS = {
    "cifar10_root": (lambda root: Cifar10().load("train", root), "cifar-10-batches-py/train"),
    "cifar100_root": (lambda root: Cifar100().load("train", root), "cifar-100-python/train"),
    "mnist_root": (lambda root: Mnist().load("train", root), "MNIST/raw/train-images-idx3-ubyte"),
    "celeba_root": (
        lambda root: CelebA().load("train", root), "celeba/img_align_celeba/000001.jpg",
    ),
    "ffhq_root": (
        lambda root: Ffhq(size=16, most_images=3).load("train", root),
        "ffhq/images1024x1024/00000/00001.png",
    ),
    "lsun_root": (lambda root: Lsun().load("test", root), "church_outdoor_val_lmdb/data.mdb"),
    "own_root": (
        lambda root: own_data(root / "cats", {"size": 8}).load("train", root),
        "cats/train/tabby/0.png",
    ),
    "idx_root": (
        lambda root: own_data(root / "digits").load("train", root),
        "digits/train-labels-idx1-ubyte",
    ),
}  # fmt: skip


def refusal(read_it, *args):
    """Returns the message with which files are refused, which is one line."""
    with pytest.raises(MissingDataError) as caught:
        read_it(*args)
    message = str(caught.value)
    assert "\n" not in message and "object at 0x" not in message
    return message


@pytest.mark.parametrize("fixture", READERS)
def test_a_device_that_fails_is_named_with_the_file(fixture, request):
    load, file = READERS[fixture]
    root = request.getfixturevalue(fixture)
    load(root)
    fail(root / file)
    message = refusal(load, root)
    assert message.startswith(f"{root / file} must be readable")
    assert "(Input/output error): mend its permissions or the disk" in message


@pytest.mark.parametrize("above", [0, 1, 2], ids=["file", "folder", "folder above"])
@pytest.mark.parametrize("fixture", READERS)
def test_a_closed_file_or_folder_is_named(fixture, above, request):
    load, file = READERS[fixture]
    root = request.getfixturevalue(fixture)
    place = [root / file, *(root / file).parents][above]
    with closed(place):
        message = refusal(load, root)
    assert str(place) in message and "(Permission denied): mend its permissions" in message
    assert "fetch" not in message and "download" not in message
    load(root)


@pytest.mark.parametrize("fixture", READERS)
def test_a_file_cut_short_is_named(fixture, request):
    load, file = READERS[fixture]
    root = request.getfixturevalue(fixture)
    os.truncate(root / file, (root / file).stat().st_size // 2)
    message = refusal(load, root)
    assert str(root) in message and (root / file).name in message


@pytest.mark.parametrize(
    ("data", "fixture"),
    [(Cifar10(), "cifar10_root"), (Mnist(), "mnist_root"), (CelebA(), "celeba_root"),
     (Ffhq(), "ffhq_root"), (Lsun(), "lsun_root")],
)  # fmt: skip
def test_whether_data_in_a_closed_folder_are_present_is_no_traceback(data, fixture, request):
    root = request.getfixturevalue(fixture)
    assert data.is_present(root) and not data.is_present(root / "nowhere")
    with closed(root):
        assert str(root) in refusal(data.is_present, root)


def test_a_disk_that_fails_under_a_memory_map_ends_a_process_of_its_own(lsun_root):
    folder = lsun_root / "church_outdoor_train_lmdb"
    lsun._require_readable_pages(folder, 9)
    # A page beyond the end of a file kills its reader by SIGBUS, as a page on a failing disk does.
    os.truncate(folder / "data.mdb", (folder / "data.mdb").stat().st_size - 2 * 4096)
    assert f"{folder}/data.mdb must be readable" in refusal(lsun._require_readable_pages, folder, 9)


# -- files of weights ------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["w.pth", "w.safetensors", "folder/config.json"])
@pytest.mark.parametrize("how", ["fails", "closed", "closed folder"])
def test_weights_that_cannot_be_read_are_named(tmp_path, name, how):
    file = tmp_path / "in" / name
    file.parent.mkdir(parents=True)
    file.write_bytes(b"{}" * 100)
    place = file.parent if name.startswith("folder") else file
    if how == "fails":
        fail(file)
    faults = {
        "fails": nullcontext(),
        "closed": closed(file),
        "closed folder": closed(tmp_path / "in"),
    }
    with faults[how], pytest.raises(InputError) as caught:
        read(place)
    message = str(caught.value)
    assert str(place) in message and "mend its permissions or the disk" in message
    assert "\n" not in message and "fetch" not in message


def test_features_whose_weights_cannot_be_read_are_named(tmp_path):
    file = tmp_path / "weights.pth"
    file.write_bytes(b"x")
    with closed(file):
        message = refusal(InceptionFeatures().load_weights, file)
    assert f"reading {file} failed (Permission denied)" in message
    fail(file)
    message = refusal(InceptionFeatures().load_weights, file)
    assert f"reading {file} failed (Input/output error): mend its permissions" in message


# -- images over a limit of the decoder ------------------------------------------------------------


def png_header(width, height):
    """Returns a PNG file of 68 bytes whose header promises a size, without its pixels."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + head + chunk(b"IDAT", zlib.compress(b"")) + chunk(b"IEND", b"")


def one_bit(side):
    """Returns a whole 1-bit PNG file of side x side pixels, all white: a few kilobytes."""
    file = io.BytesIO()
    Image.new("1", (side, side), 1).save(file, "png")
    return file.getvalue()


@pytest.mark.parametrize(
    "content", [png_header(15_000, 15_000), one_bit(15_000)], ids=["header", "file"]
)
def test_a_picture_of_200_megapixels_is_good_but_over_a_stated_limit(content):
    message = refusal(to_8_bits, "a.png", content)
    assert message.startswith("a.png must have at most 178,956,970 pixels")
    assert "has 225,000,000; the file may be good: make the image smaller" in message
    assert "fetch" not in message and "data.root" not in message


def test_the_largest_pictures_that_are_read_are_read_without_a_warning(recwarn, tmp_path):
    side = 9_500  # 90 megapixels: Pillow warns of these
    assert to_8_bits("a.png", one_bit(side), "L").size == (side, side)
    assert not recwarn.list


def test_a_large_picture_in_a_folder_is_named(cats, capsys):
    (cats / "train" / "tabby" / "map.png").write_bytes(png_header(15_000, 15_000))
    data = ImageFolder.of(cats, size=8)
    assert f"{cats}/train/tabby/map.png must have at most" in refusal(
        data.load, "train", cats.parent
    )
    assert data.remarks(cats.parent)
    assert capsys.readouterr().err == ""
