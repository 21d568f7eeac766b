"""Checks of image files, with errors for files that are absent, damaged or of another data set.

The checks of a published data set end with `require_natural`: where no digest of the pixels is
public, sizes and statistics of the pixels at least tell the data set from noise, from blank images
and from repeated images.
"""

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

import torch
from torch import Tensor

from scorelib.errors import InputError, MissingDataError

_MOST_REPEATED = 0.02
"""Largest share of repeated images in a published set; CelebA and LSUN hold a few."""
_LEAST_CORRELATION = 0.4
"""Least correlation of an image's neighbouring pixels: 0 for noise and .25 for noise that was
resized, .46 and more for crops of two photographs that were resized to 8 to 64 pixels."""
_MOST_UNCORRELATED = 0.2
"""Largest share of images with less correlation: 11% of 2,000 patches of 4 pixels have less."""
_MEAN_TOLERANCE = 0.08
"""Largest difference of a channel's mean from the published mean, in units of the range [0, 1]."""
_CHUNK = 100
_BLOCK_BYTES = 1 << 20
_OBJECT = re.compile(r"<[\w.]+ object at 0x[0-9a-fA-F]+>")


def require_size(size: int) -> None:
    """Raises InputError unless `size` is at least 4 pixels, the smallest size for training."""
    if size < 4:
        raise InputError(f"size must be at least 4 pixels, but got {size}")


def require_count(found: int, expected: int, where: str) -> None:
    """Raises MissingDataError unless the expected number of images was found.

    Args:
        found: number of images found.
        expected: number of images of the data set.
        where: location of the images, for the error message.
    """
    if found != expected:
        raise missing_data(
            f"{where} must hold {expected:,} images, but {found:,} were found: fetch the whole "
            f"data set again, or use these images as a data set of your own (docs/your_data.md)"
        )


def require_md5(file: Path, expected: str, what: str) -> None:
    """Raises MissingDataError unless a file has the published MD5 sum.

    Args:
        file: an existing file.
        expected: the MD5 sum, 32 hexadecimal digits.
        what: name of the published data set, for the error message.
    """
    found = hashlib.md5(read_file(file), usedforsecurity=False).hexdigest()
    if found != expected:
        raise missing_data(
            f"{file} must be the published file of {what} with the MD5 sum {expected}, but has "
            f"{found}: fetch the file again, or use these images as a data set of your own "
            f"(docs/your_data.md)"
        )


def require_dimensions(name: str, found: tuple[int, int], holds: bool, published: str) -> None:
    """Raises MissingDataError for an image whose size is not that of the published data set.

    Args:
        name: name of the image file.
        found: width and height of the image in pixels.
        holds: whether the size is the published one.
        published: the published size in words.
    """
    if not holds:
        raise missing_data(
            f"{name} must have {published}, as published, but has {found[0]} x {found[1]} pixels: "
            f"fetch the data set again, or use these images as a data set of your own "
            f"(docs/your_data.md)"
        )


def require_natural(
    pixels: Tensor, what: str, where: Path, mean: Sequence[float] | None = None
) -> None:
    """Raises MissingDataError unless pixels can be those of a published set of photographs.

    Args:
        pixels: all images of a split, uint8 (N, C, H, W).
        what: name of the published data set.
        where: location of the files.
        mean: published mean of each channel in [0, 1]; None where no mean is public.
    """
    parts = pixels.split(_CHUNK)
    digests = {hashlib.blake2b(image.numpy().tobytes()).digest() for image in pixels}
    repeated = 1 - len(digests) / len(pixels)
    correlations = torch.cat([_neighbour_correlations(part) for part in parts])
    uncorrelated = (correlations < _LEAST_CORRELATION).double().mean().item()
    found = torch.stack([part.double().mean((0, 2, 3)) * len(part) for part in parts]).sum(0)
    found /= 255 * len(pixels)
    wrong = []
    if repeated > _MOST_REPEATED:
        wrong.append(f"{repeated:.0%} of the images are repeated")
    if uncorrelated > _MOST_UNCORRELATED:
        wrong.append(f"neighbouring pixels of {uncorrelated:.0%} of the images are uncorrelated")
    if mean is not None and (found - torch.tensor(mean)).abs().max() > _MEAN_TOLERANCE:
        means = ", ".join(f"{m:.2f}" for m in found)
        wrong.append(f"the channels have the means {means}")
    if wrong:
        raise missing_data(
            f"{where} must hold the images of {what}, but {' and '.join(wrong)}: fetch the data "
            f"set again, or use these images as a data set of your own (docs/your_data.md)"
        )


def _neighbour_correlations(pixels: Tensor) -> Tensor:
    """Returns the correlation of horizontally neighbouring pixels of each image, (N,) float64.

    The correlation of an image of one colour counts as 0.
    """
    x, y = pixels[..., 1:].double().flatten(1), pixels[..., :-1].double().flatten(1)
    x, y = x - x.mean(1, keepdim=True), y - y.mean(1, keepdim=True)
    return (x * y).sum(1) / (x.square().sum(1) * y.square().sum(1)).sqrt().clamp(min=1e-6)


def missing_data(message: str) -> MissingDataError:
    """Returns the error for absent or corrupt files, with a hint to name another data folder."""
    return MissingDataError(f"{message}, or name another folder as data.root", "data.root")


def one_line(error: Exception) -> str:
    """Returns an error's message without line breaks, or the error's class if there is no message.

    What Python prints for an object without a name, such as ``<_io.BytesIO object at 0x7f>``, tells
    a user nothing and is left out.
    """
    text = " ".join(_OBJECT.sub("the file", str(error)).split())
    return text or type(error).__name__


def read_file(path: Path) -> bytes:
    """Returns the content of a user's file; raises MissingDataError with its name if that fails."""
    try:
        return path.read_bytes()
    except OSError as error:  # no permission, or a device that fails in the middle
        raise unreadable(path, error) from error


def require_readable(*files: Path) -> None:
    """Raises MissingDataError for the first file that is there and cannot be read to its end.

    For files that a library opens: a library says neither which file failed nor why, and takes
    files in a folder that must not be entered for missing.
    """
    for path in files:
        try:
            with path.open("rb") as file:
                while file.read(_BLOCK_BYTES):
                    pass
        except (FileNotFoundError, NotADirectoryError):
            continue
        except OSError as error:
            raise unreadable(path, error) from error


def is_there(path: Path) -> bool:
    """Returns whether a user's file or folder exists; raises MissingDataError if none can tell."""
    try:
        return path.exists()
    except OSError as error:  # a folder above must not be entered, or a device fails
        raise unreadable(path, error) from error


def absent(files: Sequence[Path]) -> list[Path]:
    """Returns the files that are not there; raises MissingDataError if none can tell."""
    missing = []
    for path in files:
        try:
            missing += [] if path.is_file() else [path]
        except OSError as error:
            raise unreadable(path, error) from error
    return missing


def unreadable(path: Path | str, error: OSError) -> MissingDataError:
    """Returns the error for a user's file or folder that cannot be read."""
    return missing_data(
        f"{path} must be readable, but reading it failed ({error.strerror or one_line(error)}):"
        f" mend its permissions or the disk"
    )
