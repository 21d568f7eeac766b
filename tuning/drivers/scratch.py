"""Folders for the temporary files of a driver, removed by the next driver if this one is killed.

Each folder names its owner: host, process and start of the process. A driver that needs a folder
first removes those of this user's dead processes on this host, and no other folder.
"""

import contextlib
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from tuning.addresses import require_utf8
from tuning.store.processes import host_name, started

_OWNER = "owner"


@contextlib.contextmanager
def scratch_folder(prefix: str) -> Iterator[Path]:
    """Makes a folder that only this user can enter, and removes the folder on leaving.

    Args:
        prefix: beginning of the folder's name, the same for all folders of one use.

    Yields:
        Path of the folder, among the temporary files.

    Raises:
        OSError: if the folder cannot be made.
        InputError: the folder of temporary files has a name that is not UTF-8.
    """
    require_utf8(tempfile.gettempdir())
    for folder in Path(tempfile.gettempdir()).glob(f"{prefix}*"):
        if _is_left(folder):
            shutil.rmtree(folder, ignore_errors=True)
    folder = Path(tempfile.mkdtemp(prefix=prefix))
    try:
        (folder / _OWNER).write_text(json.dumps(_identity(os.getpid())))
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _identity(pid: int) -> list[str | int | None]:
    return [host_name(), pid, started(pid)]


def _is_left(folder: Path) -> bool:
    """Returns whether a folder belongs to a process of this user and host that has ended."""
    try:
        if folder.is_symlink() or folder.stat().st_uid != os.getuid():
            return False
        host, pid, start = owner = json.loads((folder / _OWNER).read_text())
        return host == host_name() and start is not None and owner != _identity(int(pid))
    except (OSError, ValueError, TypeError, RecursionError):
        return False  # it is not a folder of this program, or not yet
