"""Drivers on one store: who they are, and which of them live.

A driver is a process that runs a study. It keeps one small document in the store with a counter
that it raises every ten seconds. What it holds (the lock of its study, leases of jobs) names it;
whoever finds a thing held asks here whether the holder lives: on the same host by its process, on
another by whether the counter moves. No clocks are compared: an observer counts, on its own
monotonic clock, how long the counter has stood still.

Taking a living driver for dead costs work done twice, never a wrong result: commits are keyed, jobs
deterministic and ledger rounds written whole. A driver that finds it was taken for dead (its
process was suspended) stops.
"""

import contextlib
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from tuning.store.documents import StoreError
from tuning.store.store import Store

_BEAT_SECONDS = 10.0
_DEAD_AFTER_SECONDS = 60.0
_FOLDER = "drivers"
_TAKEN_OVER = "another driver took this study over while this process was suspended"
_GONE = "the store is not there any more"

Holder = dict[str, Any]
"""Says which driver holds something: its id, host, process and that process's start."""


class Driver:
    """This process as a driver of a store, and its view of the others; a context manager.

    Args:
        store: the store.
        on_lost: called (on another thread) with the reason when this driver must stop: another has
            taken it for dead, or the store is gone.
    """

    def __init__(self, store: Store, on_lost: Callable[[str], None] | None = None) -> None:
        self.store, self._on_lost = store, on_lost
        self.me: Holder = {
            "driver": uuid.uuid4().hex[:12], "host": _host(), "pid": os.getpid(),
            "started": _started(os.getpid()),
        }  # fmt: skip
        self._stop = threading.Event()
        self._seen: dict[str, tuple[Any, float]] = {}

    def __enter__(self) -> Self:
        self._write(0)
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(StoreError):  # others find a dead driver; see `StudyLock`
            self.store.remove_document(_FOLDER, self.me["driver"])

    def is_alive(self, holder: Holder) -> bool:
        """Whether a holder lives, as far as can be told now; answers at once.

        On another host it counts as living until its counter has been seen to stand still for a
        minute, so ask again.
        """
        if holder.get("host") == self.me["host"]:
            return _started(int(holder["pid"])) == holder.get("started")
        name = str(holder.get("driver"))
        beat, now = self.store.document(_FOLDER, name), time.monotonic()
        if beat is None:
            return False
        if name not in self._seen or self._seen[name][0] != beat:
            self._seen[name] = (beat, now)
        return now - self._seen[name][1] < _DEAD_AFTER_SECONDS

    def take_over(self, folder: str, name: str, holder: Holder | None) -> bool:
        """Removes what a dead driver (or nobody that can be read) holds, so that it can be created.

        Others may be about to do the same: only who holds a second document, created exclusively,
        may remove the first, and looks again before doing so. (A move would do on a file system;
        on an object store it is a copy and a deletion, in between which another may come.)

        Returns:
            False if another driver is at it just now.
        """
        mark = f"{name}.taken-over"
        if not self.store.create_document(folder, mark, self.me):
            other = self.store.document(folder, mark)
            if other is None or self.is_alive(other):
                return False
            self.store.remove_document(folder, mark)  # it died in between
            return True
        if self.store.document(folder, name) == holder:
            self.store.remove_document(folder, name)
        self.store.remove_document(folder, mark)
        return True

    def remove_dead(self, holder: Holder) -> None:
        """Removes the document of a driver found dead: should it live after all, it learns so."""
        if holder.get("driver"):
            self.store.remove_document(_FOLDER, str(holder["driver"]))

    def _beat(self) -> None:
        beat = 0
        while not self._stop.wait(_BEAT_SECONDS):
            beat += 1
            # A store that is full, or away for a moment, must not end the heart: others would take
            # this driver for dead. The work meets the same store and stops, with its message.
            with contextlib.suppress(Exception):
                if self.store.document(_FOLDER, self.me["driver"]) is None:
                    is_there = Store.exists(self.store.url)
                    if self._on_lost:
                        self._on_lost(_TAKEN_OVER if is_there else _GONE)
                    return
                self._write(beat)

    def _write(self, beat: int) -> None:
        self.store.put_document(_FOLDER, self.me["driver"], self.me | {"beat": beat})


def _host() -> str:
    """The host's name, and which numbering of processes is meant: containers may share the name."""
    try:
        numbering = os.stat("/proc/self/ns/pid").st_ino
    except OSError:
        numbering = 0
    return f"{socket.gethostname()}/{numbering}"


def _started(pid: int) -> str | None:
    """When a process of this host was started (numbers are reused), or None if it is gone."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None if not _exists(pid) else "unknown"
    state, *fields = stat.rpartition(")")[2].split()
    return None if state == "Z" else fields[18]


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
