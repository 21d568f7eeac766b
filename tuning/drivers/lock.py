"""A lock that allows one driver per study and store.

The lock is a small document that names its holder and is created exclusively. A driver that finds a
lock of a running driver raises InputError; the lock of a dead driver is taken over.
"""

import contextlib
import logging
import time
from typing import Self

from scorelib.errors import InputError
from tuning.drivers.driver import Driver, Holder
from tuning.store.documents import StoreError

_LOOK_SECONDS = 1.0
_FOLDER = "locks"


class StudyLock:
    """A context manager that holds the lock of a study.

    Args:
        driver: driver of this process; its context must be active.
        name: name of the study with its scale, as in `Study.id`.

    Raises:
        InputError: on entering, if a running driver holds the lock; the message names its host and
            process. Whether a driver on another host is running is known after at most a minute.
    """

    def __init__(self, driver: Driver, name: str) -> None:
        self._driver, self._name = driver, name

    def __enter__(self) -> Self:
        store = self._driver.store
        while not store.create_document(_FOLDER, self._name, self._driver.me):
            holder = store.document(_FOLDER, self._name)
            if holder is not None:
                self._require_dead(holder)
                self._driver.remove_dead(holder)
            if not self._driver.take_over(_FOLDER, self._name, holder):
                time.sleep(_LOOK_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        store = self._driver.store
        # An error here would hide the error that ended the work. A lock that stays is taken over.
        with contextlib.suppress(StoreError):
            if store.document(_FOLDER, self._name) == self._driver.me:
                store.remove_document(_FOLDER, self._name)

    def _require_dead(self, holder: Holder) -> None:
        """Waits until the holder is known to be dead; raises InputError once it is seen running."""
        store, is_local = self._driver.store, holder.get("host") == self._driver.me["host"]
        first = self._driver.beat_of(holder)
        if not is_local and first is not None:
            logging.getLogger(__name__).warning(
                "%s was last run on %s; checking for up to a minute whether it still runs there",
                self._name, holder["host"],
            )  # fmt: skip
        while self._driver.is_alive(holder):
            if is_local or self._driver.beat_of(holder) != first:
                raise InputError(
                    f"one driver at a time may run {self._name} on {store.url!r}, but process "
                    f"{holder['pid']} on {str(holder['host']).split('/')[0]} runs it: wait until "
                    "that process ends, or stop it"
                )
            time.sleep(_LOOK_SECONDS)


def holder_of(observer: Driver, name: str) -> Holder | None:
    """Returns the driver that runs a study, as far as an observer knows, or None.

    Args:
        observer: driver that checks whether the holder is alive; its context need not be active.
        name: name of the study with its scale, as in `Study.id`.
    """
    holder: Holder | None = observer.store.document(_FOLDER, name)
    return holder if holder is not None and observer.is_alive(holder) else None
