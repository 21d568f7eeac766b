"""Tests of decoding: each rule on a small file, against pixels that are known exactly."""

import io

import numpy as np
import pytest
import torch
from PIL import Image

from scorelib.data.reading import decoding
from scorelib.data.reading.decoding import decode, remarks_on, to_8_bits
from scorelib.errors import MissingDataError
from tests.scorelib.data.reading.files import encoded, png, tiff

RAMP = np.linspace(0, 65535, 64).round().astype(np.uint16).reshape(8, 8)


def remarks(tmp_path, content, name="image"):
    (tmp_path / name).write_bytes(content)
    return remarks_on(tmp_path / name)


def pgm(values, highest):
    header = f"P5 {values.shape[1]} {values.shape[0]} {highest}\n".encode()
    return header + values.astype(">u2").tobytes()


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "PGM"])
def test_grey_of_16_bits_is_scaled_by_its_own_range(tmp_path, kind):
    content = pgm(RAMP, 65535) if kind == "PGM" else encoded(Image.fromarray(RAMP), kind)
    expected = np.round(RAMP / 257).astype(np.uint8)
    np.testing.assert_array_equal(np.asarray(to_8_bits("ramp", content, "L")), expected)
    colours = np.asarray(to_8_bits("ramp", content))
    np.testing.assert_array_equal(colours, np.repeat(expected[:, :, None], 3, axis=2))
    assert remarks(tmp_path, content) == [decoding.SCALED]


@pytest.mark.parametrize(
    ("values", "mode"),
    [(np.linspace(0, 1, 64, dtype=np.float32), "F"), (np.arange(64, dtype=np.int32) * 1000, "I")],
)
def test_depths_without_a_defined_range_are_refused_with_mode_and_range(values, mode):
    content = encoded(Image.fromarray(values.reshape(8, 8)), "TIFF")
    with pytest.raises(MissingDataError) as caught:
        to_8_bits("deep.tif", content)
    message = str(caught.value)
    assert f"deep.tif must have 8 or 16 bits per channel, but its mode is {mode}" in message
    assert f"from {values.min():g} to {values.max():g}" in message and "\n" not in message


def test_a_tiff_file_whose_zero_is_white_is_no_negative():
    content = tiff(RAMP, 16, photometric=0)
    np.testing.assert_array_equal(
        np.asarray(to_8_bits("ramp", content, "L")), np.round(255 - RAMP / 257)
    )


def test_grey_of_12_bits_is_scaled_by_its_own_range(tmp_path):
    values = np.linspace(0, 4095, 64).round().astype(np.uint16)
    pairs = zip(values[::2].tolist(), values[1::2].tolist(), strict=True)
    packed = b"".join((a << 12 | b).to_bytes(3, "big") for a, b in pairs)
    content = tiff(values.reshape(8, 8), 12, packed=packed)
    expected = np.round(values / 4095 * 255).reshape(8, 8)
    np.testing.assert_array_equal(np.asarray(to_8_bits("ramp", content, "L")), expected)
    assert remarks(tmp_path, content) == [decoding.SCALED]


def test_signed_values_of_8_bits_are_refused():
    with pytest.raises(MissingDataError, match="must have unsigned values"):
        to_8_bits("x.tif", tiff(RAMP.astype(np.uint8), 8, sample_format=2))


@pytest.mark.parametrize(("orientation", "turns"), [(1, 0), (6, 3), (3, 2), (8, 1)])
def test_photographs_are_turned_as_exif_says(tmp_path, orientation, turns):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 10, 3), dtype=np.uint8)
    image, exif = Image.fromarray(pixels), Image.Exif()
    exif[0x0112] = orientation
    content = encoded(image, "PNG", exif=exif)
    np.testing.assert_array_equal(np.asarray(to_8_bits("x", content)), np.rot90(pixels, turns))
    assert remarks(tmp_path, content) == ([decoding.TURNED] if turns else [])


def test_transparent_pixels_show_white_and_never_their_hidden_colour(tmp_path):
    pixels = np.zeros((4, 4, 4), dtype=np.uint8)
    pixels[:, :, 0] = 200  # a red that full transparency hides
    pixels[0, :, 3], pixels[1, :, 3] = 255, 128
    content = encoded(Image.fromarray(pixels), "PNG")
    found = np.asarray(to_8_bits("x", content)).astype(int)
    assert (found[0] == (200, 0, 0)).all() and (found[2:] == 255).all()
    half = 128 / 255
    expected = np.array([200 * half + 255 * (1 - half), 255 * (1 - half), 255 * (1 - half)])
    assert np.abs(found[1] - expected).max() <= 1
    assert remarks(tmp_path, content) == [decoding.ON_WHITE]


def test_palettes_and_grey_with_transparency_are_composed_too(tmp_path):
    palette = Image.fromarray(np.array([[0, 1]], dtype=np.uint8))
    palette = palette.convert("P")
    palette.putpalette([10, 20, 30, 40, 50, 60])
    content = encoded(palette, "PNG", transparency=0)
    assert np.asarray(to_8_bits("x", content)).tolist() == [[[255, 255, 255], [40, 50, 60]]]
    grey = encoded(Image.fromarray(np.array([[[7, 0], [9, 255]]], dtype=np.uint8), "LA"), "PNG")
    assert np.asarray(to_8_bits("x", grey, "L")).tolist() == [[255, 9]]
    assert remarks(tmp_path, grey) == [decoding.ON_WHITE]


@pytest.mark.parametrize(("bits", "hidden"), [(1, 0), (1, 1), (2, 1), (4, 7), (8, 200), (16, 1040)])
def test_the_hidden_level_of_a_png_file_is_compared_at_the_files_depth(tmp_path, bits, hidden):
    highest = 2**bits - 1
    values = np.array([[0, highest], [hidden, min(hidden + 257, highest)]])
    content = png(values, bits, hidden)
    expected = np.where(values == hidden, 255, np.round(values * 255 / highest))
    np.testing.assert_array_equal(np.asarray(to_8_bits("x", content, "L")), expected)
    assert decoding.ON_WHITE in remarks(tmp_path, content)


def test_one_transparent_colour_of_16_bits_is_refused():
    with pytest.raises(MissingDataError, match="an alpha channel instead of one transparent colo"):
        to_8_bits("x", png(np.zeros((2, 2, 3), dtype=int), 16, 0))


def test_the_first_of_several_frames_is_taken_and_said(tmp_path):
    frames = [Image.fromarray(np.full((4, 4), v, dtype=np.uint8)) for v in (10, 200)]
    file = io.BytesIO()
    frames[0].save(file, "TIFF", save_all=True, append_images=frames[1:])
    assert (np.asarray(to_8_bits("x", file.getvalue(), "L")) == 10).all()
    assert remarks(tmp_path, file.getvalue()) == [decoding.FIRST_FRAME]


def test_what_is_no_image_is_refused_without_a_representation_of_an_object():
    with pytest.raises(MissingDataError) as caught:
        to_8_bits("notes.png", b"not an image")
    assert "notes.png must be an image" in str(caught.value) and "object at" not in str(
        caught.value
    )


def test_a_damaged_avif_file_is_refused(tmp_path):
    content = encoded(Image.new("RGB", (16, 16)), "AVIF").replace(b"iloc", b"lost")
    with pytest.raises(MissingDataError, match="damaged must be an image, but cannot be decoded"):
        to_8_bits("damaged", content)
    assert remarks(tmp_path, content) == []


def test_a_tiff_file_whose_second_frame_is_damaged_is_read(tmp_path):
    content = tiff(RAMP, 16)[:-4] + (1).to_bytes(4, "little")  # a second frame in the first bytes
    np.testing.assert_array_equal(np.asarray(to_8_bits("x", content, "L")), np.round(RAMP / 257))
    assert remarks(tmp_path, content) == []


def test_an_image_over_the_decoders_limit_is_told_from_a_damaged_one(monkeypatch):
    content = encoded(Image.new("RGB", (64, 64)), "PNG")
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 100)
    with pytest.raises(MissingDataError, match=r"at most 200 pixels.*has 4,096; the file may"):
        to_8_bits("large.png", content)


def test_decode_checks_before_it_prepares():
    def refuse(name, image):
        raise MissingDataError(f"{name} {image.size}")

    content = encoded(Image.new("RGB", (5, 7)), "PNG")
    with pytest.raises(MissingDataError, match=r"a \(5, 7\)"):
        decode([("a", content)], 1, 4, lambda image: image, check=refuse)


def test_decode_of_grey_has_one_channel():
    content = encoded(Image.fromarray(np.arange(16, dtype=np.uint8).reshape(4, 4)), "PNG")
    pixels = decode([("a", content)], 1, 4, lambda image: image, mode="L")
    assert torch.equal(pixels, torch.arange(16, dtype=torch.uint8).reshape(1, 1, 4, 4))
