"""One driver per study and store: a lock that says who holds it and outlives no one.

The lock is a small document created exclusively, with the holder's host, process and a counter the
holder keeps raising. Whoever finds it held looks whether the holder lives: on the same host by its
process, on another by watching the counter, on the observer's own clock, for a minute. A dead
holder's lock is taken over. Losing the lock costs work done twice, never a wrong result: commits
are keyed and the ledger is written whole.
"""

import os
import socket
import threading
import time
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from scorelib.errors import InputError
from tuning.store import Store

_BEAT_SECONDS = 10.0
_DEAD_AFTER_SECONDS = 60.0


class StudyLock:
    """Holds a study of a store while the driver runs; a context manager.

    Args:
        store: the store.
        name: the study and scale.

    Raises:
        InputError: on entering, if a living driver holds it; its host and process are named.
    """

    def __init__(self, store: Store, name: str) -> None:
        self._store, self._name = store, name
        self._stop = threading.Event()
        self._me: dict[str, Any] = {
            "host": socket.gethostname(), "pid": os.getpid(), "started": _started(os.getpid()),
        }  # fmt: skip

    def __enter__(self) -> Self:
        while not self._store.create_document("locks", self._name, self._me | {"beat": 0}):
            holder = self._store.document("locks", self._name)
            if holder is not None and self._is_alive(holder):
                raise InputError(
                    f"one driver at a time may run {self._name} on {self._store.url!r}; process "
                    f"{holder['pid']} on {holder['host']} does: wait for it or stop it"
                )
            if holder is not None:
                self._store.take_away("locks", self._name, holder)
        self._thread = threading.Thread(target=self._beat, daemon=True, name="lock-heartbeat")
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._thread.join()
        if self._is_mine():
            self._store.remove_document("locks", self._name)

    def _beat(self) -> None:
        beat = 0
        while not self._stop.wait(_BEAT_SECONDS):
            if not self._is_mine():
                return  # taken over while this process was suspended
            beat += 1
            try:
                self._store.put_document("locks", self._name, self._me | {"beat": beat})
            except InputError:
                continue  # a full store stops the work elsewhere, with its own message

    def _is_mine(self) -> bool:
        holder = self._store.document("locks", self._name) or {}
        return all(holder.get(name) == value for name, value in self._me.items())

    def _is_alive(self, holder: dict[str, Any]) -> bool:
        if holder.get("host") == self._me["host"]:
            return _started(int(holder["pid"])) == holder.get("started")
        deadline = time.monotonic() + _DEAD_AFTER_SECONDS
        while time.monotonic() < deadline:
            time.sleep(1.0)
            now = self._store.document("locks", self._name)
            if now is None:
                return False
            if now != holder:
                return True
        return False


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
