"""Colours of image files: conversion of embedded ICC profiles to sRGB, and what a header says.

A profile is used if it can be read and describes the kind of colours that the image has: grey,
red-green-blue or cyan-magenta-yellow-black. Grey images may have a profile for red-green-blue. The
name of a profile proves nothing: "linear sRGB" is not sRGB, so a profile counts as sRGB only if its
conversion changes no colour.
"""

from functools import lru_cache
from io import BytesIO
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from PIL.Image import Image
    from PIL.ImageCms import ImageCmsTransform

TO_SRGB = "converted from their colour profile to sRGB"
BAD_PROFILE = "with a colour profile that cannot be used, taken as sRGB"
OTHER_COLOURS = "whose header names other colours than sRGB without a profile, taken as sRGB"

GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_SRGB_GAMMA, _SRGB_CHROMATICITY = 1 / 2.2, (0.3127, 0.329, 0.64, 0.33, 0.3, 0.6, 0.15, 0.06)
_TOLERANCE = 0.01
"""Largest difference of a PNG file's gamma and chromaticities from those of sRGB."""
_MOST_ROUNDING = 2
"""Largest change of a level, in 0..255, by the conversion of a profile that is sRGB itself."""
_EXIF, _COLOUR_SPACE = 0x8769, 0xA001  # EXIF: a folder of tags, and a tag in the folder
_SRGB = 1


def in_srgb(image: "Image") -> "Image":
    """Returns an image converted from its ICC profile to sRGB, with the same transparency.

    Args:
        image: an image with at most 8 bits per channel. The same image is returned if it has no
            profile, that of sRGB, or a profile that cannot be used.
    """
    from PIL import ImageCms

    found = _conversion(image)
    if found is None or found[1] is None:
        return image
    mode, transform = found
    transparent = image.has_transparency_data
    alpha = image.convert("RGBA").getchannel("A") if transparent else None
    plain = image.convert("RGBA") if transparent else image
    converted = ImageCms.applyTransform(plain.convert(mode), transform)
    assert converted is not None  # None is for conversions in place
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def remark_on_colours(image: "Image") -> str | None:
    """Returns what a reader should know of an image's colours, judged from the header alone.

    Args:
        image: an opened image.

    Returns:
        One of the module's constants; None if the colours are or count as those of sRGB.
    """
    if image.info.get("icc_profile"):
        found = _conversion(image)
        return BAD_PROFILE if found is None else TO_SRGB if found[1] is not None else None
    return OTHER_COLOURS if _names_other_colours(image) else None


def _conversion(image: "Image") -> "tuple[str, ImageCmsTransform | None] | None":
    """Returns the mode and conversion of an image's profile.

    Returns:
        The mode that the image must have for the conversion; and the conversion, or None if there
        is nothing to convert. None instead of both if the profile cannot be used.
    """
    content = image.info.get("icc_profile")
    if not content:
        return "RGB", None
    found = _of_profile(bytes(content))
    if found is None:
        return None
    mode, transform = found
    fits = {"L": image.mode in GREY, "CMYK": image.mode == "CMYK"}
    return (mode, transform) if fits.get(mode, image.mode != "CMYK") else None


@lru_cache(maxsize=16)
def _of_profile(content: bytes) -> "tuple[str, ImageCmsTransform | None] | None":
    """Returns the mode and conversion of a profile; see `_conversion`."""
    from PIL import ImageCms

    try:
        profile = ImageCms.getOpenProfile(BytesIO(content))
        kind = profile.profile.xcolor_space.strip()
        mode = {"RGB": "RGB", "GRAY": "L", "CMYK": "CMYK"}.get(kind)
        if mode is None:
            return None
        srgb = ImageCms.createProfile("sRGB")
        # For grey, the optimised table of the library is wrong by up to 10 of 255 levels.
        how = ImageCms.Flags.NOOPTIMIZE if mode == "L" else ImageCms.Flags.NONE
        transform = ImageCms.buildTransform(profile, srgb, mode, "RGB", flags=how)
        is_named = b"sRGB" in content or "sRGB".encode("utf-16-be") in content
        is_srgb = is_named and mode == "RGB" and _changes_nothing(transform)
        return mode, None if is_srgb else transform
    except (ImageCms.PyCMSError, OSError, ValueError):
        return None


def _changes_nothing(transform: "ImageCmsTransform") -> bool:
    """Returns whether a conversion from red-green-blue keeps all colours, up to rounding."""
    from PIL import Image, ImageCms

    levels = np.linspace(0, 255, 9).astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(27, 27, 3)
    converted = ImageCms.applyTransform(Image.fromarray(cube), transform)
    change = np.asarray(converted).astype(int) - cube
    return bool(np.abs(change).max() <= _MOST_ROUNDING)


def _names_other_colours(image: "Image") -> bool:
    """Returns whether the header of an image without a profile names other colours than sRGB."""
    if image.mode == "CMYK":
        return True
    named = image.info.get("gamma"), *image.info.get("chromaticity", ())
    if "srgb" not in image.info and any(
        value is not None and abs(value - of_srgb) > _TOLERANCE
        for value, of_srgb in zip(named, (_SRGB_GAMMA, *_SRGB_CHROMATICITY), strict=False)
    ):
        return True
    return image.getexif().get_ifd(_EXIF).get(_COLOUR_SPACE, _SRGB) != _SRGB
