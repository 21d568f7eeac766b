"""Atomic writes of files, on any fsspec file system: no reader sees a partly written file.

On a POSIX file system, a file is written to a temporary name in the same folder, flushed to the
disk and renamed. On an object store, a PUT is atomic by itself. Names of temporary files begin with
a dot, so that listings of the store leave them out.
"""

import contextlib
import errno
import os
import time
import uuid
from pathlib import Path
from typing import Any

import fsspec

from scorelib.errors import InputError
from tuning.addresses import require_no_password, require_utf8
from tuning.store.processes import mark

_NO_LINKS = (errno.EPERM, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK, errno.EXDEV)
"""Errors by which file systems without hard links, such as exFAT and gcsfuse, refuse a link."""
_STALE_SECONDS = 10.0
_POLL_SECONDS = 0.01


def file_system(url: str) -> tuple[Any, str]:
    """Returns the fsspec file system of a URL and the path in it, without reading or writing.

    Args:
        url: path of a folder or any fsspec URL.

    Raises:
        InputError: if the protocol is unknown, if its package is not installed, or if the URL holds
            a password.
    """
    if not url.strip():
        raise InputError(f"the store must have a name, but got {url!r}", "store")
    require_no_password(url, "store", "give it in the settings of that file system")
    try:
        # Other processes write to the same store, so listings of folders must not be cached.
        found, root = fsspec.core.url_to_fs(url, use_listings_cache=False)
    except ImportError as error:
        brings = "pip install 'score-studies[services]'" if url.startswith("s3:") else "install it"
        raise InputError(
            f"the store {url!r} needs a package that is not installed ({error}): {brings}", "store"
        ) from error
    except Exception as error:  # each file system raises its own exceptions
        raise InputError(
            f"the store must be a folder or an fsspec URL, but got {url!r}: {error}", "store"
        ) from error
    require_utf8(str(root))
    return found, str(root)


def replace_local(path: str, data: bytes) -> None:
    """Writes a file atomically on a POSIX file system, replacing an earlier one.

    Readers see either the old or the new content, even after a crash.

    Args:
        path: path of the file; its folder must exist.
        data: new content.

    Raises:
        OSError: if the file cannot be written; the old file then stays.
    """
    temporary = _temporary(path)
    try:
        _write(temporary, data)
        os.replace(temporary, path)
    except OSError:
        Path(temporary).unlink(missing_ok=True)
        raise


def write_output(path: Path, data: bytes) -> None:
    """Writes a file that a user names: a regular file atomically, anything else as it stands.

    A device or a pipe is written to and never replaced. A link is followed, so that it stays.

    Args:
        path: path of the file; its folder must exist.
        data: new content.

    Raises:
        OSError: if the file cannot be written.
    """
    try:
        is_other = path.exists() and not path.is_file()
        # /dev/stdout leads to a pipe that has no path of its own.
        target = path if is_other else path.resolve()
    except RuntimeError as error:
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP)) from error
    if is_other:
        target.write_bytes(data)
    else:
        replace_local(str(target), data)


def create_local(path: str, data: bytes) -> None:
    """Creates a file exclusively and atomically on a POSIX file system.

    Args:
        path: path of the file; its folder must exist.
        data: content.

    Raises:
        FileExistsError: if the file exists already.
        OSError: if the file cannot be written.
    """
    temporary = _temporary(path)
    try:
        _write(temporary, data)
        try:
            os.link(temporary, path)
        except OSError as error:
            if error.errno not in _NO_LINKS:
                raise
            _rename_to_new(temporary, path)
    finally:
        Path(temporary).unlink(missing_ok=True)


def _rename_to_new(temporary: str, path: str) -> None:
    """Renames a file to a name that must be new, on a file system without hard links.

    A folder, which only one process can make, excludes all others between look and rename. The
    folder of a process that was killed in between is removed after some seconds.
    """
    folder, _, name = path.rpartition("/")
    guard = f"{folder}/.{name}.creating"
    while True:
        try:
            os.mkdir(guard)
            break
        except FileExistsError:
            with contextlib.suppress(FileNotFoundError):
                if time.time() - os.stat(guard).st_mtime > _STALE_SECONDS:
                    os.rmdir(guard)
            time.sleep(_POLL_SECONDS)
    try:
        if os.path.lexists(path):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), path)
        os.replace(temporary, path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.rmdir(guard)


def files_below(folder: str) -> list[str]:
    """Returns the paths of all files below a folder; an empty list if the folder is missing.

    Raises:
        OSError: if a folder cannot be listed. (fsspec's ``find`` skips such a folder.)
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
    """Returns a temporary name in a path's folder; its leading dot keeps it out of listings."""
    folder, _, name = path.rpartition("/")
    return f"{folder}/.{name}.{mark(os.getpid())}.{uuid.uuid4().hex[:8]}"
