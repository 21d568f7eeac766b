"""Identifies processes of this host: the process that wrote a file, and whether it has ended."""

import hashlib
import os
import socket
from functools import cache
from pathlib import Path

MARK = r"[0-9a-f]{8}-\d+-\w+"
"""Pattern of a `mark`."""


def host_name() -> str:
    """Returns the host's name and the PID namespace, because containers may share the name."""
    try:
        numbering = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        numbering = 0
    return f"{socket.gethostname()}/{numbering}"


def started(pid: int) -> str | None:
    """Returns the start time of a process of this host, or None if the process has ended.

    The start time distinguishes processes that use the same process id one after the other.
    """
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if not _exists(pid) else "unknown"
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]


def mark(pid: int) -> str:
    """Returns a text for names of files that identifies a process of this host: host, pid, start.

    Args:
        pid: id of a process that runs.
    """
    return f"{_host()}-{pid}-{started(pid)}"


def is_of_this_host(its_mark: str) -> bool:
    """Returns whether a process of this host made a `mark`, and whether it runs can be known."""
    host, _, rest = its_mark.partition("-")
    return host == _host() and rest.rpartition("-")[2].isdecimal()


def has_ended(its_mark: str) -> bool:
    """Returns whether a process of this host that made a `mark` has ended; False for other hosts.

    Args:
        its_mark: any text; False if it is no mark.
    """
    host, _, rest = its_mark.partition("-")
    pid, _, start = rest.partition("-")
    if host != _host() or not pid.isdecimal() or not start.isdecimal():
        return False
    return started(int(pid)) != start


@cache
def _host() -> str:
    return hashlib.sha256(host_name().encode()).hexdigest()[:8]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
