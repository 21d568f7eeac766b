"""Decoding of image files to 8-bit pixels, by one stated rule for each kind of file.

A decoder that guesses makes data sets that look right and are wrong. The rules are:

- A photograph is turned as its EXIF orientation says.
- Transparent pixels are composed on white; the hidden colour of a transparent pixel is never shown.
- Colours with an embedded ICC profile are converted to sRGB. Colours without a profile, or with a
  profile that cannot be used, count as sRGB.
- Grey images of 16 bits are divided by 257, which maps 0..65535 to 0..255; those of 12 bits (TIFF)
  likewise by 4095 / 255. Other deep images (32-bit integers, floats, signed values) have no range
  that their format defines, so they are refused.
- Of a file with several frames or pages, the first is decoded.

`remarks_on` says which rules a file needs, from the header alone.
"""

import re
import warnings
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from scorelib.data.reading.checks import missing_data, one_line, require_count
from scorelib.data.reading.colours import GREY, in_srgb, remark_on_colours
from scorelib.errors import MissingDataError

if TYPE_CHECKING:
    from PIL.Image import Image

UNREADABLE = (OSError, ValueError, SyntaxError, TypeError, RuntimeError)
"""What Pillow's decoders raise for damaged files, found by changing bytes of 20 kinds of files."""

_LIMIT = re.compile("MAX_TEXT|too large|exceeds")
_PIXELS = re.compile(r"\((\d+) pixels\)")
_DEEP = ("I", "F")
_ORIENTATION = 0x0112  # EXIF tag
_BITS, _PHOTOMETRIC, _SAMPLE_FORMAT = 258, 262, 339  # TIFF tags
_WHITE_IS_ZERO, _SIGNED = 0, 2  # values of the tags
_PNG_BITS = 24  # place of the bits per channel in a PNG file

TURNED = "turned as their EXIF orientation says"
ON_WHITE = "with transparency, composed on white"
SCALED = "grey of 12 or 16 bits, scaled to 8"
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
        with opened(BytesIO(content)) as image:
            image.load()
            if image.format == "PNG":
                _scale_hidden_level(name, image, content[_PNG_BITS])
            shown = ImageOps.exif_transpose(_with_8_bits(name, image))
            return _without_transparency(in_srgb(shown)).convert(mode)
    except Image.DecompressionBombError as error:
        has = _PIXELS.search(str(error))
        raise MissingDataError(
            f"{name} must have at most {2 * (Image.MAX_IMAGE_PIXELS or 0):,} pixels, Pillow's "
            f"limit against files that fill the memory, but has {int(has[1]) if has else 0:,}; the "
            "file may be good: make the image smaller, or remove it"
        ) from error
    except UNREADABLE as error:
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


@contextmanager
def opened(file: Path | BytesIO) -> Iterator["Image"]:
    """Opens an image file, without Pillow's warning of files that have half the pixels it allows.

    Args:
        file: path or content of the file.

    Yields:
        The image, whose pixels are not yet read.
    """
    from PIL import Image

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", Image.DecompressionBombWarning)
        with Image.open(file) as image:
            yield image


def remarks_on(path: Path) -> list[str]:
    """Returns which rules of this module the file needs, judged from the file's header.

    Args:
        path: an image file.

    Returns:
        A subset of the module's constants; empty if the file is plain or cannot be opened.
    """
    from PIL import Image

    try:
        with opened(path) as image:
            found = [TURNED] if image.getexif().get(_ORIENTATION, 1) != 1 else []
            found += [ON_WHITE] if image.has_transparency_data else []
            colours = remark_on_colours(image)
            found += [colours] if colours else []
            found += [SCALED] if _has_16_bits(image) else []
            return found + ([FIRST_FRAME] if getattr(image, "n_frames", 1) > 1 else [])
    except (*UNREADABLE, Image.DecompressionBombError):
        return []  # decoding refuses the file with its name


def is_grey(path: Path) -> bool:
    """Returns whether an image file says in its header that it is grey; False if unreadable."""
    from PIL import Image

    try:
        with opened(path) as image:
            return image.mode in GREY
    except (*UNREADABLE, Image.DecompressionBombError):
        return False  # decoding refuses the file with its name


def resize_and_crop(size: int) -> Callable[["Image"], "Image"]:
    """Returns a function that resizes the shorter side to `size`, then crops the centre.

    Args:
        size: height and width of the result in pixels. Resizing is bilinear and antialiased.
    """
    from torchvision.transforms.functional import center_crop, resize

    return lambda image: center_crop(resize(image, size), size)


def _has_16_bits(image: "Image") -> bool:
    """Returns whether the image is grey with 12 or 16 bits; Pillow reads PGM files as mode I."""
    return image.mode.startswith("I;16") or (image.mode == "I" and image.format in ("PNG", "PPM"))


def _with_8_bits(name: str, image: "Image") -> "Image":
    """Returns an image of 16 bits with 8; raises MissingDataError for deeper ones."""
    if _has_16_bits(image):
        return _scaled(image)
    if image.mode in _DEEP:
        low, high = image.getextrema()
        raise MissingDataError(
            f"{name} must have 8 or 16 bits per channel, but its mode is {image.mode} with values "
            f"from {low:g} to {high:g}, and its format defines no range: save it with 8 or 16 bits"
        )
    if _SIGNED in _tag(image, _SAMPLE_FORMAT):
        raise MissingDataError(
            f"{name} must have unsigned values, but has signed ones of 8 bits, and its format "
            f"defines no range: save it with 8 or 16 bits"
        )
    return image


def _scaled(image: "Image") -> "Image":
    """Returns a grey image of 12 or 16 bits with 8, and with alpha if it has a hidden level."""
    from PIL import Image

    values = np.asarray(image).astype(np.float64)
    highest = 2 ** max(_tag(image, _BITS) or (16,)) - 1  # Pillow unpacks 12 bits without scaling
    levels = (values / (highest / 255)).round().clip(0, 255).astype(np.uint8)
    if _WHITE_IS_ZERO in _tag(image, _PHOTOMETRIC):
        levels = 255 - levels
    grey = Image.fromarray(levels)
    grey.info, grey.format = dict(image.info), image.format
    hidden = grey.info.pop("transparency", None)
    if hidden is not None:
        grey.putalpha(Image.fromarray(np.where(values == hidden, 0, 255).astype(np.uint8)))
    return grey


def _tag(image: "Image", tag: int) -> tuple[int, ...]:
    """Returns the values of a tag of a TIFF file; empty for other files and without the tag."""
    found = getattr(image, "tag_v2", {}).get(tag, ())
    return found if isinstance(found, tuple) else (found,)


def _scale_hidden_level(name: str, image: "Image", bits: int) -> None:
    """Scales the grey level that a PNG file declares transparent, as Pillow scales the pixels.

    Args:
        name: name of the file, for error messages.
        image: a loaded PNG file; changed in place.
        bits: bits per channel in the file.
    """
    hidden = image.info.get("transparency")
    if image.mode == "L" and isinstance(hidden, int):
        image.info["transparency"] = hidden * 255 // (2**bits - 1)
    elif image.mode == "RGB" and bits > 8 and hidden is not None:
        raise MissingDataError(
            f"{name} must have an alpha channel instead of one transparent colour of {bits} bits, "
            f"because the decoder keeps 8 bits: save it with an alpha channel"
        )


def _without_transparency(image: "Image") -> "Image":
    from PIL import Image

    if not image.has_transparency_data:
        return image
    shown = image.convert("RGBA")
    return Image.alpha_composite(Image.new("RGBA", shown.size, "white"), shown)


def _account(error: Exception) -> str:
    """Returns the error in words; Pillow names an unknown format by the object that it read."""
    text = one_line(error)
    return "no known format" if text.startswith("cannot identify image file") else text
