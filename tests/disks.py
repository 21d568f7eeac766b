"""Real faults of files: small disks that tests fill, devices that fail, folders closed to all."""

import contextlib
import ctypes
import os
import subprocess
import time

import pytest

_REMOUNTED_WITHIN_SECONDS = 20.0
_VERSION = 0x20080522
"""Of the structures of capset(2), which take 64 bits in two halves."""
_OVERRIDE, _SEARCH = 1, 2
"""CAP_DAC_OVERRIDE and CAP_DAC_READ_SEARCH: with them, root reads what the modes forbid."""


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


def fail(path):
    """Makes a file one whose reading fails with EIO: a link to the memory of the reader, at 0."""
    path.unlink()
    path.symlink_to("/proc/self/mem")
    with contextlib.suppress(OSError):
        path.read_bytes()
        raise AssertionError("reading must fail")


@contextlib.contextmanager
def closed(path):
    """Takes all permissions of a file or folder away, for this thread, whoever runs the tests."""
    mode = path.stat().st_mode
    path.chmod(0)
    known = _capabilities()
    try:
        _set_effective(known, [~((1 << _OVERRIDE) | (1 << _SEARCH)) & known[0], known[3]])
        yield
    finally:
        _set_effective(known, [known[0], known[3]])
        path.chmod(mode)


def _header():
    return (ctypes.c_uint32 * 2)(_VERSION, 0)


def _capabilities():
    """Returns effective, permitted and inheritable capabilities of this thread, in two halves."""
    held = (ctypes.c_uint32 * 6)()
    _call("capget", held)
    return held


def _set_effective(known, halves):
    changed = (ctypes.c_uint32 * 6)(*known)
    changed[0], changed[3] = halves
    _call("capset", changed)


def _call(name, data):
    libc = ctypes.CDLL(None, use_errno=True)
    if getattr(libc, name)(_header(), data) != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
