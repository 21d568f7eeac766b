"""Data sets of the user's own: folders of images and files in the IDX format, known by content."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from scorelib.data.own.idx_files import IdxFiles, is_idx_folder
from scorelib.data.own.image_folder import ImageFolder
from scorelib.data.reading.checks import unreadable
from scorelib.errors import MissingDataError

__all__ = ["IdxFiles", "ImageFolder", "own_data"]


def own_data(path: Path, options: Mapping[str, Any] | None = None) -> IdxFiles | ImageFolder:
    """Returns the spec of a user's data set, by what the folder holds.

    Args:
        path: a folder of images (see `scorelib.data.own.image_folder`), or of files in the IDX
            format, as MNIST's (see `scorelib.data.own.idx_files`).
        options: fields of the spec to set, such as size, split_seed or n_test.

    Raises:
        MissingDataError: there is no such folder, or the folder holds no usable images or cannot be
            read.
        InputError: an option is out of range.
        TypeError: an option is unknown.
    """
    try:
        if not path.is_dir():
            raise MissingDataError(
                f"a data set must be a folder, but {path} is not a folder", "data.root"
            )
        kind = IdxFiles if is_idx_folder(path) else ImageFolder
        return kind.of(path, **(options or {}))
    except OSError as error:  # no permission, or a device that fails
        raise unreadable(error.filename or path, error) from error
