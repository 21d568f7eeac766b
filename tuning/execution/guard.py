"""Kills the processes of a local Ray and removes its files when the process that started Ray ends.

The guard is run as a file, in a session of its own. Its standard input is a pipe whose other end
only the starting process holds: when the pipe closes, even by ``kill -9``, the guard kills all
processes of this Ray, and removes the temporary folders of the starting process.

Processes of this Ray were given its token. Ray's agents write their titles over their environment,
by chance also over the token, and outlive the death of Ray's other processes by a minute; they are
known by their titles and their current folder.
"""

import contextlib
import os
import shutil
import signal
import sys
import time
from pathlib import Path

_ROUND_SECONDS = 0.05
_MOST_ROUNDS = 100
_EMPTY_ROUNDS = 2


def main(folder: Path) -> None:
    """Waits until standard input closes, then kills the processes of a Ray and removes its files.

    Args:
        folder: the scratch folder of the Ray, whose file "token" the processes were given, and
            whose file "owner" names the starting process.
    """
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
        signal.signal(number, signal.SIG_IGN)
    owner = (folder / "owner").read_bytes()
    os.read(0, 1)
    end_all(folder / "token")
    for scratch in folder.parent.glob("tune-*"):
        with contextlib.suppress(OSError):
            if (scratch / "owner").read_bytes() == owner:
                shutil.rmtree(scratch, ignore_errors=True)
    shutil.rmtree(folder, ignore_errors=True)


def end_all(token: Path) -> None:
    """Kills the processes of a Ray, until none is found twice in a row.

    A process may start another one meanwhile, and a process in the middle of its exec shows an
    empty environment, so one round that finds none says nothing.

    Args:
        token: file "token" in the scratch folder of the Ray, whose path the processes have in
            their environment.
    """
    empty = 0
    for _ in range(_MOST_ROUNDS):
        found = sum(_kill(process, token) for process in Path("/proc").glob("[0-9]*"))
        empty = 0 if found else empty + 1
        if empty == _EMPTY_ROUNDS:
            return
        time.sleep(_ROUND_SECONDS)


def _kill(process: Path, token: Path) -> bool:
    """Kills a process if it belongs to the Ray of a token; returns whether it does."""
    variable = f"RAY_AUTH_TOKEN_PATH={token}".encode()
    try:
        is_of_ray = variable in (process / "environ").read_bytes().split(b"\0") or (
            (process / "cmdline").read_bytes().startswith(b"ray::")
            and os.readlink(process / "cwd") == os.path.realpath(token.parent)
        )
        if is_of_ray:
            os.kill(int(process.name), signal.SIGKILL)
    except OSError:  # it has ended, or belongs to another user
        return False
    return is_of_ray


if __name__ == "__main__":
    main(Path(sys.argv[1]))
