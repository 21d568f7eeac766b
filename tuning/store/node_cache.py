"""A cache of files from a remote store on each node, so that a node downloads each file once.

Every job reads the weights of its model; with an object store, each job would download them.
Stored files never change, and their SHA-256 is known before the download. So the cache looks a file
up by its digest and verifies a cached file like a downloaded one: a stale, truncated or altered
cache never leads to a wrong result. The cache only saves time: where it cannot be used, files are
downloaded as without a cache.

The folder is in the user's cache folder (``XDG_CACHE_HOME``, or ``.cache`` in the home folder; a
folder for temporary files if there is no home) and is readable only by this user. A lock per file
lets one of several workers download the file while the others wait. The least recently used files
are removed when the folder exceeds its maximum size.
"""

import contextlib
import hashlib
import os
import stat
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from scorelib.errors import InputError
from tuning.addresses import local_path
from tuning.store.files import replace_local

MOST_BYTES = 8 * 1024**3
"""Default maximum size of the cache in bytes: about 70 snapshots of NCSNv2 with one EMA decay."""

_LOCK_SECONDS = 600.0


class NodeCache:
    """A cache of files by SHA-256, in a private folder of this machine.

    Args:
        folder: folder of the cache; None for the user's cache folder.
        most_bytes: maximum size in bytes; beyond it the least recently used files are removed.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        self._folder = folder or _user_folder()
        self._most_bytes = most_bytes

    def read(self, digest: str, fetch: Callable[[], bytes]) -> bytes:
        """Returns the file with a digest, from the cache if it is intact, otherwise downloaded.

        Args:
            digest: SHA-256 of the file, 64 hexadecimal digits.
            fetch: function that reads the file from the store; its result is cached only if the
                digest is right.

        Returns:
            The content of the file. A downloaded file is returned even if its digest is wrong, so
            the caller must verify it.
        """
        if not self._is_private():
            return fetch()
        held = self._held(digest)
        if held is not None:
            return held
        with self._fetching(digest):
            held = self._held(digest)  # another worker may have downloaded the file meanwhile
            if held is None:
                held = fetch()
                if sha256(held) == digest:
                    self._keep(digest, held)
        return held

    def _is_private(self) -> bool:
        """Returns whether the folder exists, belongs to this user and is closed to others."""
        with contextlib.suppress(OSError):
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.lstat()
            private = stat.S_IMODE(found.st_mode) & 0o077 == 0
            return stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and private
        return False

    def _held(self, digest: str) -> bytes | None:
        path = self._folder / digest
        try:
            data = path.read_bytes()
            os.utime(path)  # marks the file as used now, because access times are often not kept
        except OSError:
            return None
        return data if sha256(data) == digest else None

    @contextlib.contextmanager
    def _fetching(self, digest: str) -> Iterator[None]:
        lock = FileLock(self._folder / f"{digest}.lock", timeout=_LOCK_SECONDS)
        try:
            lock.acquire()
        except (Timeout, OSError):  # at worst the file is downloaded twice
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def _keep(self, digest: str, data: bytes) -> None:
        with contextlib.suppress(OSError):  # without free space the file is not cached
            self._make_room(len(data))
            replace_local(str(self._folder / digest), data)

    def _make_room(self, n_bytes: int) -> None:
        entries = [(path, path.stat()) for path in self._folder.iterdir() if path.is_file()]
        entries.sort(key=lambda entry: entry[1].st_mtime)
        excess = sum(found.st_size for _, found in entries) + n_bytes - self._most_bytes
        for path, found in entries:
            if excess <= 0:
                break
            # May remove the file of a lock: a worker that waits for it then downloads as well.
            path.unlink(missing_ok=True)
            excess -= found.st_size


def _user_folder() -> Path:
    """Returns the folder of this user's cache: without a home folder, one for temporary files."""
    caches = os.environ.get("XDG_CACHE_HOME")
    if caches is None:
        try:
            caches = str(local_path("~/.cache"))
        except InputError:
            return Path(tempfile.gettempdir()) / f"score-studies-{os.getuid()}"
    return Path(caches) / "score-studies"


def sha256(data: bytes) -> str:
    """Returns the SHA-256 of bytes, as 64 hexadecimal digits."""
    return hashlib.sha256(data).hexdigest()
