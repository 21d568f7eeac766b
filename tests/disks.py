"""Small real file systems that tests can fill, enlarge and make read-only."""

import contextlib
import subprocess
import time

import pytest

_REMOUNTED_WITHIN_SECONDS = 20.0


class Disk:
    """A file system in memory, mounted on a folder."""

    def __init__(self, folder):
        self.folder = folder

    def remount(self, options):
        """Changes the size (``size=1m``) or the access (``ro``, ``rw``) of the disk."""
        command = ["mount", "-o", f"remount,{options}", str(self.folder)]
        deadline = time.monotonic() + _REMOUNTED_WITHIN_SECONDS
        # The kernel makes nothing read-only while a file is open for writing.
        while (done := subprocess.run(command, capture_output=True, text=True)).returncode:
            assert time.monotonic() < deadline, done.stderr
            time.sleep(0.01)


@contextlib.contextmanager
def mounted(folder, size):
    """Yields a disk of a size such as ``700k``; skips the test if mounting is not allowed."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)]
    if subprocess.run(command, capture_output=True).returncode:
        pytest.skip("needs the right to mount a small file system")
    try:
        yield Disk(folder)
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
