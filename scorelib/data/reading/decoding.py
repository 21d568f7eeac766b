"""Decoding of image files to 8-bit pixels, by one stated rule for each kind of file.

A decoder that guesses makes data sets that look right and are wrong. The rules are:

- A photograph is turned as its EXIF orientation says.
- Transparent pixels are composed on white; the hidden colour of a transparent pixel is never shown.
- Colours with an embedded ICC profile are converted to sRGB. Colours without a profile, or with a
  profile that cannot be read, count as sRGB.
- Grey images of 16 bits are divided by 257, which maps 0..65535 to 0..255. Other deep images
  (32-bit integers, floats) have no range that their format defines, so they are refused.
- Of a file with several frames or pages, the first is decoded.

`remarks_on` says which rules a file needs, from the header alone.
"""

import re
from collections.abc import Callable, Iterable
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from scorelib.data.reading.checks import missing_data, one_line, require_count
from scorelib.errors import MissingDataError

if TYPE_CHECKING:
    from PIL.Image import Image

_LIMIT = re.compile("MAX_TEXT|too large|exceeds")
_DEEP = ("I", "F")
_GREY = ("1", "L", "LA", "La", "I", "I;16", "I;16B", "I;16L", "I;16N")
_SIXTEEN_BITS = 257
"""Factor between the highest levels of 16 and of 8 bits, 65535 / 255."""
_ORIENTATION = 0x0112  # EXIF tag

TURNED = "turned as their EXIF orientation says"
ON_WHITE = "transparent, composed on white"
TO_SRGB = "converted from their colour profile to sRGB"
BAD_PROFILE = "with a colour profile that cannot be read, taken as sRGB"
SCALED = "grey of 16 bits, divided by 257"
FIRST_FRAME = "with several frames, of which the first is taken"


def decode(
    files: Iterable[tuple[str, bytes]],
    n: int,
    size: int,
    prepare: Callable[["Image"], "Image"],
    *,
    mode: str = "RGB",
    check: Callable[[str, "Image"], None] = lambda name, image: None,
) -> Tensor:
    """Decodes and resizes image files one by one, so that only the small results are kept.

    Args:
        files: name (for error messages) and content of each image, in any format that Pillow reads.
        n: expected number of files.
        size: height and width of a prepared image in pixels.
        prepare: function that converts an image of any size to `size` x `size` pixels.
        mode: mode of the images that `prepare` gets: "RGB", or "L" for grey.
        check: function that raises MissingDataError for the name and image of a file that is not
            of the data set, before the image is prepared.

    Returns:
        Pixels, uint8 (n, C, size, size), with C = 3 for "RGB" and 1 for "L".

    Raises:
        MissingDataError: a file is not an image, is deeper than its format defines a range for, or
            the number of files is not `n`.
    """
    from torchvision.transforms.functional import pil_to_tensor  # imported here: takes seconds

    pixels = torch.empty(n, 3 if mode == "RGB" else 1, size, size, dtype=torch.uint8)
    i = 0
    for name, content in files:
        image = to_8_bits(name, content, mode)
        check(name, image)
        if i < n:
            pixels[i] = pil_to_tensor(prepare(image))
        i += 1
    require_count(i, n, "the files")
    return pixels


def to_8_bits(name: str, content: bytes, mode: str = "RGB") -> "Image":
    """Decodes an image file by the rules of this module.

    Args:
        name: name of the file, for error messages.
        content: the file's bytes.
        mode: mode of the result: "RGB" or "L".

    Raises:
        MissingDataError: the file is not an image, is damaged, exceeds a limit of the decoder, or
            has no defined range.
    """
    from PIL import Image, ImageOps

    try:
        with Image.open(BytesIO(content)) as image:
            image.load()
            shown = ImageOps.exif_transpose(_with_8_bits(name, image))
            return _without_transparency(_in_srgb(shown)).convert(mode)
    except Image.DecompressionBombError as error:
        raise missing_data(
            f"{name} must have fewer pixels than Pillow's limit, but {one_line(error)}: make the "
            f"image smaller or remove the file"
        ) from error
    except (OSError, ValueError, SyntaxError) as error:
        if isinstance(error, MissingDataError):
            raise
        if _LIMIT.search(str(error)):
            raise missing_data(
                f"{name} must keep to Pillow's limits for one file, but {one_line(error)}: the "
                f"file may be good; save the image without its texts and profiles, or remove it"
            ) from error
        raise MissingDataError(
            f"{name} must be an image, but cannot be decoded ({_account(error)}): replace the file "
            f"or remove it"
        ) from error


def remarks_on(path: Path) -> list[str]:
    """Returns which rules of this module the file needs, judged from the file's header.

    Args:
        path: an image file.

    Returns:
        A subset of the module's constants; empty if the file is plain or cannot be opened.
    """
    from PIL import Image

    try:
        with Image.open(path) as image:
            found = [TURNED] if image.getexif().get(_ORIENTATION, 1) != 1 else []
            found += [ON_WHITE] if _is_transparent(image) else []
            if _has_other_profile(image):
                found.append(TO_SRGB if _profile(image) is not None else BAD_PROFILE)
            found += [SCALED] if _has_16_bits(image) else []
            return found + ([FIRST_FRAME] if getattr(image, "n_frames", 1) > 1 else [])
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return []  # decoding refuses the file with its name


def is_grey(path: Path) -> bool:
    """Returns whether an image file says in its header that it is grey; False if unreadable."""
    from PIL import Image

    try:
        with Image.open(path) as image:
            return image.mode in _GREY
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return False  # decoding refuses the file with its name


def resize_and_crop(size: int) -> Callable[["Image"], "Image"]:
    """Returns a function that resizes the shorter side to `size`, then crops the centre.

    Args:
        size: height and width of the result in pixels. Resizing is bilinear and antialiased.
    """
    from torchvision.transforms.functional import center_crop, resize

    return lambda image: center_crop(resize(image, size), size)


def _has_16_bits(image: "Image") -> bool:
    """Returns whether the image is grey with 16 bits; Pillow reads 16-bit PGM files as mode I."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _with_8_bits(name: str, image: "Image") -> "Image":
    """Returns an image of 16 bits with 8; raises MissingDataError for deeper ones."""
    from PIL import Image

    if _has_16_bits(image):
        levels = np.asarray(image).astype(np.float64) / _SIXTEEN_BITS
        grey = Image.fromarray(levels.round().clip(0, 255).astype(np.uint8))
        grey.info, grey.format = dict(image.info), image.format
        return grey
    if image.mode in _DEEP:
        low, high = image.getextrema()
        raise MissingDataError(
            f"{name} must have 8 or 16 bits per channel, but its mode is {image.mode} with values "
            f"from {low:g} to {high:g}, and its format defines no range: save it with 8 or 16 bits"
        )
    return image


def _is_transparent(image: "Image") -> bool:
    return image.mode in ("RGBA", "LA", "PA", "RGBa", "La") or "transparency" in image.info


def _without_transparency(image: "Image") -> "Image":
    from PIL import Image

    if not _is_transparent(image):
        return image
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)


def _has_other_profile(image: "Image") -> bool:
    """Returns whether the image has an ICC profile that is not named sRGB."""
    profile = image.info.get("icc_profile")
    return bool(profile) and b"sRGB" not in profile and "sRGB".encode("utf-16-be") not in profile


def _profile(image: "Image") -> object | None:
    """Returns the image's ICC profile for conversion, or None if it cannot be read."""
    from PIL import ImageCms

    try:
        return ImageCms.getOpenProfile(BytesIO(image.info["icc_profile"]))
    except (ImageCms.PyCMSError, OSError):
        return None


def _in_srgb(image: "Image") -> "Image":
    """Returns the image converted from its ICC profile to sRGB, with the same transparency."""
    from PIL import ImageCms

    if not _has_other_profile(image):
        return image
    profile = _profile(image)
    if profile is None:
        return image
    alpha = image.convert("RGBA").getchannel("A") if _is_transparent(image) else None
    plain = image if image.mode in ("RGB", "L", "CMYK") else image.convert("RGB")
    try:
        converted = ImageCms.profileToProfile(
            plain, profile, ImageCms.createProfile("sRGB"), outputMode="RGB"
        )
    except ImageCms.PyCMSError:  # a profile for another kind of image
        return image
    if converted is None:
        return image
    if alpha is not None:
        converted.putalpha(alpha)
    return converted


def _account(error: Exception) -> str:
    """Returns the error in words; Pillow names an unknown format by the object that it read."""
    text = one_line(error)
    return "no known format" if text.startswith("cannot identify image file") else text
