"""Tests of pictures that were made elsewhere: one content in any file, and what is refused."""

import io
import zipfile

import numpy as np
import pytest
import torch
from PIL import Image

from scorelib.data.own import pictures as module
from scorelib.data.own.pictures import Pictures, read_chunk
from scorelib.errors import InputError

RNG = np.random.default_rng(0)


def noise(n, side=8, channels=3):
    return RNG.integers(0, 256, (n, side, side, channels), dtype=np.uint8)


def save_pictures(folder, images, form="{}.png"):
    for i, image in enumerate(images):
        file = folder / form.format(i)
        file.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(file)
    return folder


def save_array(path, images, save=np.savez):
    save(path, images)
    return path


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr(module, "CHUNK_IMAGES", 5)


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_folder_and_an_array_of_the_same_images_are_the_same_pictures(tmp_path, channels, save):
    images = noise(12, channels=channels)
    folder = Pictures.of(save_pictures(tmp_path / "samples", images))
    array = Pictures.of(save_array(tmp_path / "packed.npz", images, save))
    assert (folder.name, array.name) == ("samples", "packed")
    assert folder.replace(name="") == array.replace(name="")
    assert folder.replace(name="").key == array.replace(name="").key != folder.key
    assert folder.shape == (channels, 8, 8) and folder.n_images == folder.n_distinct == 12
    assert len(set(folder.chunks)) == 3 and [folder.length_of(i) for i in range(3)] == [5, 5, 2]
    for path in (tmp_path / "samples", tmp_path / "packed.npz"):
        assert folder.are_at(path) and not folder.are_at(tmp_path / "elsewhere")
        read = torch.cat(
            [read_chunk(path, 5 * i, folder.length_of(i), folder.chunks[i]) for i in (0, 1, 2)]
        )
        assert read.dtype == torch.uint8
        assert np.array_equal(read.movedim(1, -1), images)


def test_pictures_added_behind_leave_full_chunks_as_they_are(tmp_path):
    images = noise(16)
    few = Pictures.of(save_pictures(tmp_path / "a", images[:12]))
    more = Pictures.of(save_pictures(tmp_path / "a", images))
    assert more.chunks[:2] == few.chunks[:2] and more.chunks[2] != few.chunks[2]
    assert len(more.chunks) == 4 and few.are_at(tmp_path / "a") is False


def test_names_are_in_the_order_of_their_numbers(tmp_path):
    images = noise(12)
    for form in ("image_{}.png", "{:05}.png", "deep/er/{}-x.png", "{0}/{0}.png"):
        folder = save_pictures(tmp_path / form[:4].replace("/", "_").strip("{"), images, form)
        found = Pictures.of(folder)
        assert torch.equal(
            read_chunk(folder, 10, 2, found.chunks[2]),
            torch.from_numpy(images[10:].transpose(0, 3, 1, 2)),
        )


def test_grey_and_coloured_files_together_are_coloured(tmp_path):
    save_pictures(tmp_path / "a", noise(2, channels=1), "grey{}.png")
    assert Pictures.of(tmp_path / "a").shape == (1, 8, 8)
    save_pictures(tmp_path / "a", noise(2))
    assert Pictures.of(tmp_path / "a").shape == (3, 8, 8)


def test_equal_images_are_counted_once(tmp_path):
    images = noise(3)[[0, 1, 2, 1, 0, 0, 1]]
    assert Pictures.of(save_array(tmp_path / "a.npz", images)).n_distinct == 3


def test_changed_pictures_are_not_read(tmp_path):
    images = noise(7)
    path = save_array(tmp_path / "a.npz", images)
    digests = Pictures.of(path).chunks
    images[6, 0, 0, 0] ^= 1
    save_array(path, images)
    assert len(read_chunk(path, 0, 5, digests[0])) == 5
    with pytest.raises(InputError, match=r"images 6 to 7 of .* but have changed: run"):
        read_chunk(path, 5, 2, digests[1])
    save_array(path, images[:6])
    with pytest.raises(InputError, match="have changed"):
        read_chunk(path, 5, 2, digests[1])


def test_an_array_is_read_piece_by_piece(tmp_path, monkeypatch):
    path = save_array(tmp_path / "a.npz", noise(12))
    sizes = []
    real = zipfile.ZipExtFile.read
    monkeypatch.setattr(
        zipfile.ZipExtFile, "read", lambda self, n=-1: sizes.append(n) or real(self, n)
    )
    Pictures.of(path)
    assert max(sizes) == 5 * 8 * 8 * 3 and min(sizes) > 0


class Boom:
    def __reduce__(self):
        return (pytest.fail, ("the pickle was run",))


def of_two_sizes(folder):
    save_pictures(folder, noise(2))
    return save_pictures(folder, noise(1, side=9), "z{}.png")


def damaged(folder):
    save_pictures(folder, noise(2))
    (folder / "1.png").write_bytes((folder / "1.png").read_bytes()[:40])
    return folder


def text(path):
    path.write_text("no archive")
    return path


def cut(path):
    content = io.BytesIO()
    np.savez(content, noise(20))
    path.write_bytes(content.getvalue()[:900])
    return path


def array(images):
    return lambda folder: save_array(folder.with_suffix(".npz"), images)


REFUSED = {
    "nothing there": (lambda f: f, "there is no .*none"),
    "another file": (lambda f: text(f.with_suffix(".png")), r"none.png is another file"),
    "one image": (lambda f: save_pictures(f, noise(1)), "at least 2 images.* but found 1"),
    "no image": (
        lambda f: text(save_pictures(f, []) / "a.txt") if f.mkdir() is None else f,
        "a.txt is another file",
    ),
    "two sizes": (of_two_sizes, r"one size, but .*0.png has 8 x 8 .*z0.png has 9 x 9"),
    "a damaged file": (damaged, "1.png must be an image, but cannot be decoded"),
    "no archive": (lambda f: text(f.with_suffix(".npz")), "must be a whole .npz file"),
    "a cut archive": (lambda f: cut(f.with_suffix(".npz")), "must be a whole .npz file"),
    "objects": (array(np.array([Boom(), Boom()])), "holds objects, which would run code"),
    "floats": (array(noise(2) / 255), "is float64: round them"),
    "signed": (array(noise(2).astype(np.int16)), "is int16"),
    "channels first": (
        array(noise(2).transpose(0, 3, 1, 2)),
        r"\(2, 3, 8, 8\), the channels first: save images.transpose",
    ),
    "no channels": (array(noise(2)[..., 0]), r"but is \(2, 8, 8\)"),
    "four channels": (array(noise(2, channels=4)), r"but is \(2, 8, 8, 4\)"),
    "a single image": (array(noise(1)), r"at least 2 images, but is \(1, 8, 8, 3\)"),
    "no pixels": (array(noise(2, side=0)), r"but is \(2, 0, 0, 3\)"),
    "Fortran's order": (array(np.asfortranarray(noise(2))), "in Fortran's order"),
}


@pytest.mark.parametrize(("make", "message"), REFUSED.values(), ids=list(REFUSED))
def test_what_is_no_set_of_pictures_is_refused_in_one_line(tmp_path, make, message):
    with pytest.raises(InputError, match=message) as caught:
        Pictures.of(make(tmp_path / "none"))
    assert "\n" not in str(caught.value)


def test_statistics_and_other_arrays_are_told_apart(tmp_path):
    np.savez(tmp_path / "s.npz", mu=np.zeros(2), sigma=np.eye(2))
    np.savez(tmp_path / "o.npz", images=noise(2))
    with pytest.raises(InputError, match=r"^\S+ must hold .* statistics .mu, sigma.: name it"):
        Pictures.of(tmp_path / "s.npz")
    with pytest.raises(InputError, match=r"holds other arrays .images.: save them so: numpy.savez"):
        Pictures.of(tmp_path / "o.npz")
