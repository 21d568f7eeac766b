"""Data sets in small files of the published formats; counts and MD5 sums are those of the files."""

import hashlib
import pickle
import urllib.request
from urllib.error import URLError

import numpy as np
import pytest
from torchvision import datasets as published

from scorelib.data import Mnist, celeba, ffhq, lsun, mnist
from tests.scorelib.data.files import encoded, idx, picture, write_lsun


@pytest.fixture
def offline(monkeypatch):
    def refuse(*args, **kwargs):
        raise URLError("no network\nin this test")

    monkeypatch.setattr(urllib.request, "urlopen", refuse)


@pytest.fixture
def workplace(tmp_path, monkeypatch):
    """Runs tests in an empty folder, so that files written by accident are noticed."""
    place = tmp_path / "workplace"
    place.mkdir()
    monkeypatch.chdir(place)
    return place


@pytest.fixture
def cifar100_root(tmp_path, monkeypatch):
    base = published.CIFAR100
    folder = tmp_path / base.base_folder
    folder.mkdir()

    def write(name, content):
        (folder / name).write_bytes(pickle.dumps(content))
        return hashlib.md5((folder / name).read_bytes()).hexdigest()

    def part(seed, n):
        pixels = np.random.default_rng(seed).integers(0, 256, (n, 3072), dtype=np.uint8)
        fine = (np.arange(n) % 100).tolist()
        return {"data": pixels, "fine_labels": fine, "coarse_labels": [c // 5 for c in fine]}

    monkeypatch.setattr(base, "train_list", [["train", write("train", part(1, 120))]])
    monkeypatch.setattr(base, "test_list", [["test", write("test", part(2, 100))]])
    sums = write("meta", {"fine_label_names": [str(c) for c in range(100)]})
    monkeypatch.setattr(base, "meta", base.meta | {"md5": sums})
    return tmp_path


@pytest.fixture
def mnist_root(tmp_path, monkeypatch):
    folder = tmp_path / "MNIST" / "raw"
    folder.mkdir(parents=True)
    for prefix, n in (("train", 30), ("t10k", 12)):
        digits = np.random.default_rng(n).integers(0, 256, (n, 28, 28))
        (folder / f"{prefix}-images-idx3-ubyte").write_bytes(idx(digits))
        (folder / f"{prefix}-labels-idx1-ubyte").write_bytes(idx(np.arange(n) % 10))
    sums = {path.name: hashlib.md5(path.read_bytes()).hexdigest() for path in folder.iterdir()}
    monkeypatch.setattr(mnist, "_MD5", sums)
    monkeypatch.setattr(Mnist, "n_images", lambda self, split: 30 if split == "train" else 12)
    return tmp_path


@pytest.fixture
def celeba_root(tmp_path, monkeypatch):
    """Returns a folder of seven faces: 0 (training), 1 (validation) and 2 (test) in the lists."""
    folder = tmp_path / "celeba"
    (folder / "img_align_celeba").mkdir(parents=True)
    names = [f"{i:06d}.jpg" for i in range(1, 8)]
    parts = [0, 0, 1, 0, 2, 0, 2]
    for i, name in enumerate(names):
        content = encoded(picture(i, 218, 178), "JPEG", quality=90)
        (folder / "img_align_celeba" / name).write_bytes(content)

    def table(columns, header=True):
        rows = [f"{name}  {' '.join(['1'] * len(columns))}" for name in names]
        head = [str(len(names)), " ".join(columns)] if header else []
        return "\n".join(head + rows) + "\n"

    lists = {
        "list_attr_celeba.txt": table([f"attribute_{i}" for i in range(40)]),
        "identity_CelebA.txt": table(["identity"], header=False),
        "list_bbox_celeba.txt": table(["x_1", "y_1", "width", "height"]),
        "list_landmarks_align_celeba.txt": table([f"landmark_{i}" for i in range(10)]),
        "list_eval_partition.txt": "".join(f"{n} {p}\n" for n, p in zip(names, parts, strict=True)),
    }
    for name, content in lists.items():
        (folder / name).write_text(content)
    sums = {name: hashlib.md5(content.encode()).hexdigest() for name, content in lists.items()}
    files = [(a, sums.get(name, md5), name) for a, md5, name in published.CelebA.file_list]
    monkeypatch.setattr(published.CelebA, "file_list", files)
    monkeypatch.setattr(celeba, "_N_IMAGES", {"train": 4, "test": 2})
    monkeypatch.setattr(celeba, "_MEAN", None)  # of the published images
    return tmp_path


@pytest.fixture
def lsun_root(tmp_path, monkeypatch):
    root = tmp_path / "lsun"
    root.mkdir()
    write_lsun(root, "train", 9, 0)
    write_lsun(root, "val", 3, 100)
    monkeypatch.setattr(lsun, "_TRAINING_IMAGES", {"church_outdoor": 9})
    monkeypatch.setattr(lsun, "_HELD_OUT_IMAGES", 3)
    return root


@pytest.fixture
def cats(tmp_path):
    """Returns a folder of two classes and four formats, with images of all shapes and modes."""
    path = tmp_path / "photos" / "cats"
    for split in ("train", "test"):
        for c, kind in enumerate(("tabby", "black")):
            folder = path / split / kind / "more"
            folder.mkdir(parents=True)
            for i in range(3):
                image = picture(10 * c + i + len(split), 50 + 9 * i, 90 - 9 * c)
                image = image.convert(["RGB", "L", "RGBA"][i])
                image.save((folder if i else folder.parent) / f"{i}{['.png', '.TIFF', '.webp'][i]}")
            (folder / "notes.txt").write_text("not an image")
    return path


@pytest.fixture
def ffhq_root(tmp_path, monkeypatch):
    monkeypatch.setattr(ffhq, "_SIZE", (96, 96))
    for number in (0, 1, 2, 60_000, 60_001, 60_002):
        folder = tmp_path / "ffhq" / "images1024x1024" / f"{number // 1000 * 1000:05d}"
        folder.mkdir(parents=True, exist_ok=True)
        picture(number, 96, 96).save(folder / f"{number:05d}.png")
    return tmp_path
