"""The drivers on one store, and the detection of drivers that have ended.

A driver is a process that runs a study. Each driver keeps one small document in the store with a
heartbeat counter, which it increments every ten seconds. The lock of its study and the leases of
its jobs name the driver as their holder. Another driver that finds a lock or lease checks here
whether the holder is alive: on the same host by the process, on another host by the heartbeat
counter. Clocks of different hosts are never compared: an observer measures, on its own monotonic
clock, for how long the counter has not changed.

If a running driver is mistaken for dead, some work is done twice, but no result is wrong: commits
are keyed, jobs are deterministic, and rounds of the ledger are written as a whole. A driver whose
process was suspended, and which finds that another driver has mistaken it for dead, stops.
"""

import contextlib
import os
import threading
import time
import uuid
from collections.abc import Callable
from typing import Any, Self

from tuning.store.documents import StoreError
from tuning.store.processes import host_name, started
from tuning.store.store import Store

_BEAT_SECONDS = 10.0
_DEAD_AFTER_SECONDS = 60.0
_FOLDER = "drivers"
_TAKEN_OVER = "another driver took this study over while this process was suspended"
_GONE = "the store no longer exists"

Holder = dict[str, Any]
"""The identity of a driver: its id ("driver"), "host", process id ("pid"), process start
("started") and place of its store ("place"; `Documents.place`)."""


class Driver:
    """A context manager that registers this process as a driver and observes the other drivers.

    Args:
        store: store on which the drivers work.
        on_lost: function that is called, on another thread, with the reason when this driver must
            stop because another driver has taken its study over or the store no longer exists.

    Attributes:
        store: store on which the drivers work.
        me: identity of this driver.
    """

    def __init__(self, store: Store, on_lost: Callable[[str], None] | None = None) -> None:
        self.store, self._on_lost = store, on_lost
        self.me: Holder = {
            "driver": uuid.uuid4().hex[:12], "host": host_name(), "pid": os.getpid(),
            "started": started(os.getpid()), "place": store.place,
        }  # fmt: skip
        self._stop = threading.Event()
        self._seen: dict[str, tuple[bytes, float]] = {}

    def __enter__(self) -> Self:
        self._write(0)
        self._thread = threading.Thread(target=self._beat, daemon=True, name="heartbeat")
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()
        with contextlib.suppress(StoreError):  # if it stays, others detect a dead driver
            self.store.remove_document(_FOLDER, self.me["driver"])

    def is_alive(self, holder: Holder) -> bool:
        """Returns, without waiting, whether a driver is alive as far as is known now.

        A driver on another host counts as alive until this process has observed for a minute that
        its heartbeat counter does not change. So the caller must ask repeatedly.

        Args:
            holder: identity of the driver.
        """
        if holder.get("host") == self.me["host"]:
            if holder.get("place", self.me["place"]) != self.me["place"]:
                return False  # it runs on the store that this store was copied from
            return started(holder["pid"]) == holder.get("started")
        name, beat, now = holder["driver"], self.beat_of(holder), time.monotonic()
        if beat is None:
            return False
        if name not in self._seen or self._seen[name][0] != beat:
            self._seen[name] = (beat, now)
        return now - self._seen[name][1] < _DEAD_AFTER_SECONDS

    def beat_of(self, holder: Holder) -> bytes | None:
        """Returns the heartbeat document of a driver, damaged or not; None if there is none."""
        return self.store.document_bytes(_FOLDER, holder["driver"])

    def take_over(self, folder: str, name: str, holder: Holder | None) -> bool:
        """Removes the lock or lease of a dead driver, so that it can be created again.

        Several drivers may try this at the same time. Therefore a driver first creates a second
        document exclusively, and reads the first document again before removing it. (On a file
        system a move would be enough. On an object store a move is a copy and a deletion, and
        another driver may interfere between the two.)

        Args:
            folder: folder of the lock or lease.
            name: name of the lock or lease.
            holder: identity of the dead driver; None if the document is corrupt.

        Returns:
            False if another driver is taking the same document over at this moment.
        """
        mark = f"{name}.taken-over"
        if not self.store.create_document(folder, mark, self.me):
            found, other = (
                self.store.document_bytes(folder, mark),
                self.store.document(folder, mark),
            )
            is_held = found is None or (other is not None and self.is_alive(other))
            if is_held or self.store.document_bytes(folder, mark) != found:
                return False
            self.store.remove_document(folder, mark)  # it is damaged, or its driver has died
            return True
        if self.store.document(folder, name) == holder:
            self.store.remove_document(folder, name)
        self.store.remove_document(folder, mark)
        return True

    def remove_dead(self, holder: Holder) -> None:
        """Removes the document of a dead driver; a driver that is still running then stops."""
        self.store.remove_document(_FOLDER, holder["driver"])

    def remove_dead_drivers(self) -> None:
        """Removes the documents of drivers of this host that were killed."""
        for name in self.store.document_names(_FOLDER):
            holder = self.store.document(_FOLDER, name)
            if holder is None or (holder["host"], holder["driver"]) != (self.me["host"], name):
                continue
            if not self.is_alive(holder):
                self.remove_dead(holder)

    def _beat(self) -> None:
        beat = 0
        while not self._stop.wait(_BEAT_SECONDS):
            beat += 1
            # A store that is full or briefly unavailable must not end the heartbeat, or others
            # would consider this driver dead. The jobs use the same store and stop with its error.
            with contextlib.suppress(Exception):
                if self.beat_of(self.me) is None:
                    is_there = Store.exists(self.store.url)
                    if self._on_lost:
                        self._on_lost(_TAKEN_OVER if is_there else _GONE)
                    return
                self._write(beat)

    def _write(self, beat: int) -> None:
        self.store.put_document(_FOLDER, self.me["driver"], self.me | {"beat": beat})
