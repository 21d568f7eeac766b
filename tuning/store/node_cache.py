"""What a node has fetched from a remote store: files by digest, so that each travels there once.

Every job of a node reads its weights; on an object store that would be a download per job. Stored
files never change and their SHA-256 is known before they are fetched, so a file is looked up here
by its digest, and what is found is verified as what is fetched: a cache can be stale, cut short or
tampered with, and nothing wrong comes of it. It is an economy only: where it cannot be used, files
are fetched as if it were not there.

The folder is the user's cache (``XDG_CACHE_HOME``, or ``.cache`` in the home), closed to others. A
lock per file lets one of several workers fetch while the others wait. The least recently used files
go when the folder outgrows its bound.
"""

import contextlib
import hashlib
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

from filelock import FileLock, Timeout

from tuning.store.files import replace_local

MOST_BYTES = 8 * 1024**3
"""Some seventy snapshots of NCSNv2 with one EMA decay."""

_LOCK_SECONDS = 600.0


class NodeCache:
    """Files by SHA-256 in a private folder of this machine.

    Args:
        folder: where; None for the user's own.
        most_bytes: the least recently used files are removed beyond this.
    """

    def __init__(self, folder: Path | None = None, most_bytes: int = MOST_BYTES) -> None:
        caches = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
        self._folder = folder or Path(caches) / "score-studies"
        self._most_bytes = most_bytes

    def read(self, digest: str, fetch: Callable[[], bytes]) -> bytes:
        """The file with a digest: from here if it is whole, else fetched and kept.

        Args:
            digest: its SHA-256, in hexadecimal.
            fetch: gets it from the store; what it returns is kept only if the digest is right.
        """
        if not self._is_private():
            return fetch()
        held = self._held(digest)
        if held is not None:
            return held
        with self._fetching(digest):
            held = self._held(digest)  # fetched by another worker meanwhile
            if held is None:
                held = fetch()
                if sha256(held) == digest:
                    self._keep(digest, held)
        return held

    def _is_private(self) -> bool:
        """Whether the folder is there, this user's and closed to others."""
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
            os.utime(path)  # as used now: access times are often not kept
        except OSError:
            return None
        return data if sha256(data) == digest else None

    @contextlib.contextmanager
    def _fetching(self, digest: str) -> Iterator[None]:
        lock = FileLock(self._folder / f"{digest}.lock", timeout=_LOCK_SECONDS)
        try:
            lock.acquire()
        except (Timeout, OSError):  # waste at worst: the file is fetched twice
            yield
            return
        try:
            yield
        finally:
            lock.release()

    def _keep(self, digest: str, data: bytes) -> None:
        with contextlib.suppress(OSError):  # no room: then without
            self._make_room(len(data))
            replace_local(str(self._folder / digest), data)

    def _make_room(self, n_bytes: int) -> None:
        entries = [(path, path.stat()) for path in self._folder.iterdir() if path.is_file()]
        entries.sort(key=lambda entry: entry[1].st_mtime)
        excess = sum(found.st_size for _, found in entries) + n_bytes - self._most_bytes
        for path, found in entries:
            if excess <= 0:
                break
            path.unlink(missing_ok=True)  # a lock's too: who waits for one then fetches beside us
            excess -= found.st_size


def sha256(data: bytes) -> str:
    """The SHA-256 of bytes, in hexadecimal."""
    return hashlib.sha256(data).hexdigest()
