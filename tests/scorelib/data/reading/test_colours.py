"""Tests of colours: profiles are used by what they do, and what is not used is said."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from scorelib.data.reading.colours import BAD_PROFILE, OTHER_COLOURS, TO_SRGB
from scorelib.data.reading.decoding import remarks_on, to_8_bits
from tests.scorelib.data.reading.files import encoded

GREY = np.random.default_rng(2).integers(0, 256, (4, 4), dtype=np.uint8)


def remarks(tmp_path, content):
    (tmp_path / "image").write_bytes(content)
    return remarks_on(tmp_path / "image")


def srgb_of(linear):
    """Returns sRGB's levels 0 to 255 of linear light in [0, 1], by IEC 61966-2-1."""
    curved = 1.055 * np.maximum(linear, 1e-9) ** (1 / 2.4) - 0.055
    return 255 * np.where(linear <= 0.0031308, 12.92 * linear, curved)


def linear_profile(*, renamed=True):
    """Returns sRGB's ICC profile with linear tone curves, renamed or still named sRGB."""
    profile = bytearray(ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes())
    for entry in range(132, 132 + 12 * int.from_bytes(profile[128:132], "big"), 12):
        name, offset = struct.unpack(">4sI", profile[entry : entry + 8])
        if name in (b"rTRC", b"gTRC", b"bTRC"):
            # A parametric curve of type 0 with gamma 1: y = x.
            profile[offset : offset + 16] = b"para" + bytes(8) + (1 << 16).to_bytes(4, "big")
    if not renamed:
        return bytes(profile)
    profile = profile.replace("sRGB".encode("utf-16-be"), "line".encode("utf-16-be"))
    return bytes(profile).replace(b"sRGB", b"line")


def grey_profile():
    """Returns an ICC profile of version 2 for grey images of linear light."""
    white = struct.pack(">4s4xiii", b"XYZ ", 63190, 65536, 54061)  # D50, in units of 1 / 65536
    curve = struct.pack(">4s4xIHxx", b"curv", 1, 256)
    words = struct.pack(">4s4xI6s80x", b"desc", 5, b"grey")
    parts = {b"wtpt": white, b"kTRC": curve, b"desc": words, b"cprt": b"text" + bytes(8)}
    table, body = struct.pack(">I", len(parts)), b""
    for name, part in parts.items():
        table += struct.pack(">4sII", name, 132 + 12 * len(parts) + len(body), len(part))
        body += part + bytes(-len(part) % 4)
    header = struct.pack(
        ">I4xI12s12x4s28xiii", 128 + len(table + body), 0x02100000, b"mntrGRAYXYZ ", b"acsp",
        63190, 65536, 54061,
    )  # fmt: skip
    return header.ljust(128, b"\0") + table + body


@pytest.mark.parametrize(
    ("mode", "profile"),
    [(m, "grey") for m in ("L", "LA", "I;16")]
    + [(m, "colour") for m in ("L", "LA", "I;16", "P", "RGB", "RGBA")],
)
def test_every_mode_is_converted_by_a_profile_that_fits(tmp_path, mode, profile):
    if mode == "I;16":
        image = Image.fromarray(GREY.astype(np.uint16) * 257)
    else:
        image = Image.fromarray(GREY).convert(mode)
    bytes_of = grey_profile() if profile == "grey" else linear_profile()
    content = encoded(image, "PNG", icc_profile=bytes_of)
    found = np.asarray(to_8_bits("x", content)).astype(float)
    assert np.abs(found - srgb_of(GREY / 255)[:, :, None]).max() < 3
    assert TO_SRGB in remarks(tmp_path, content)


@pytest.mark.parametrize(("mode", "profile"), [("RGB", "grey"), ("P", "grey"), ("CMYK", "colour")])
def test_a_profile_for_another_kind_of_image_is_said_and_not_used(tmp_path, mode, profile):
    image = Image.fromarray(GREY).convert(mode)
    bytes_of = grey_profile() if profile == "grey" else linear_profile()
    plain = encoded(image, "TIFF")
    content = encoded(image, "TIFF", icc_profile=bytes_of)
    np.testing.assert_array_equal(
        np.asarray(to_8_bits("x", content)), np.asarray(to_8_bits("x", plain))
    )
    assert remarks(tmp_path, content) == [BAD_PROFILE]


def test_the_name_srgb_proves_nothing(tmp_path):
    image = Image.fromarray(GREY).convert("RGB")
    content = encoded(image, "PNG", icc_profile=linear_profile(renamed=False))
    found = np.asarray(to_8_bits("x", content)).astype(float)
    assert np.abs(found - srgb_of(GREY / 255)[:, :, None]).max() < 3
    assert remarks(tmp_path, content) == [TO_SRGB]


def colours_of_exif(number):
    exif = Image.Exif()
    exif.get_ifd(0x8769)[0xA001] = number
    return {"exif": exif}


@pytest.mark.parametrize(
    ("kind", "mode", "options", "said"),
    [
        ("JPEG", "CMYK", {}, True),
        ("JPEG", "RGB", {}, False),
        ("JPEG", "RGB", colours_of_exif(1), False),
        ("JPEG", "RGB", colours_of_exif(2), True),  # Adobe RGB
        ("JPEG", "RGB", colours_of_exif(65535), True),  # "uncalibrated"
    ],
)
def test_colours_that_a_header_names_without_a_profile_are_said(
    tmp_path, kind, mode, options, said
):
    content = encoded(Image.fromarray(GREY).convert(mode), kind, **options)
    assert remarks(tmp_path, content) == ([OTHER_COLOURS] if said else [])


@pytest.mark.parametrize(("gamma", "said"), [(45455, False), (100000, True)])
def test_the_gamma_of_a_png_file_is_said_if_it_is_another(tmp_path, gamma, said):
    content = encoded(Image.fromarray(GREY), "PNG")
    chunk = b"gAMA" + gamma.to_bytes(4, "big")
    chunk = (4).to_bytes(4, "big") + chunk + zlib.crc32(chunk).to_bytes(4, "big")
    assert remarks(tmp_path, content[:33] + chunk + content[33:]) == (
        [OTHER_COLOURS] if said else []
    )


def test_an_srgb_profile_changes_nothing(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (4, 4, 3), dtype=np.uint8)
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    content = encoded(Image.fromarray(pixels), "PNG", icc_profile=profile)
    np.testing.assert_array_equal(np.asarray(to_8_bits("x", content)), pixels)
    assert remarks(tmp_path, content) == []


def test_a_profile_that_cannot_be_read_is_said(tmp_path):
    pixels = np.full((4, 4, 3), 99, dtype=np.uint8)
    content = encoded(Image.fromarray(pixels), "PNG", icc_profile=b"no profile")
    np.testing.assert_array_equal(np.asarray(to_8_bits("x", content)), pixels)
    assert remarks(tmp_path, content) == [BAD_PROFILE]
