"""Writing files so that no reader ever sees half of one, on any fsspec file system.

On a POSIX file system a file is written beside its place, flushed to the disk and renamed; on an
object store a PUT is whole by itself. Names of unfinished files begin with a dot, so that no
listing takes them for stored ones.
"""

import os
import uuid
from pathlib import Path
from typing import Any

import fsspec

from scorelib.errors import InputError
from tuning.addresses import require_no_password


def file_system(url: str) -> tuple[Any, str]:
    """The fsspec file system of a URL and the path in it; nothing is touched.

    Raises:
        InputError: an unknown protocol, one whose package is not installed, or a password.
    """
    require_no_password(url, "store", "give it as that file system's own settings do")
    try:
        # Others write to the same store: what a folder held earlier is never believed.
        found, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        brings = "pip install 'score-studies[services]'" if url.startswith("s3:") else "install it"
        raise InputError(
            f"the store {url!r} needs a package that is not here ({error}): {brings}", "store"
        ) from error
    except Exception as error:  # each file system connects, or not, in its own way
        raise InputError(
            f"the store must be a folder or an fsspec URL; got {url!r}: {error}", "store"
        ) from error
    return found, str(root)


def replace_local(path: str, data: bytes) -> None:
    """Atomic on a POSIX file system: readers, after a crash too, see the old bytes or the new."""
    temporary = _temporary(path)
    try:
        _write(temporary, data)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def create_local(path: str, data: bytes) -> None:
    """Creates a file that no reader ever sees half-written; FileExistsError if it is there."""
    temporary = _temporary(path)
    try:
        _write(temporary, data)
        os.link(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def files_below(folder: str) -> list[str]:
    """Paths of all files below a folder, none if it is not there.

    Raises:
        OSError: a folder cannot be listed. (fsspec's ``find`` leaves it out instead.)
    """

    def fail(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    return [f"{at}/{name}" for at, _, names in os.walk(folder, onerror=fail) for name in names]


def _write(path: str, data: bytes) -> None:
    with open(path, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def _temporary(path: str) -> str:
    """A name beside a path that no listing of ours takes for a stored one: it begins with a dot."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{uuid.uuid4().hex[:8]}"
