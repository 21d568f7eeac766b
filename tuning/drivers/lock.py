"""One driver per study and store: a lock that says who holds it and outlives no one.

The lock is a small document created exclusively. Whoever finds it held by a living driver is
refused; a dead holder's lock is taken over.
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
    """Holds a study of a store while the driver runs; a context manager.

    Args:
        driver: this process, entered.
        name: the study and scale.

    Raises:
        InputError: on entering, if a living driver holds it; its host and process are named. Of a
            holder on another host that is known after a minute at most.
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
        # What ended the work is to be told, not that the lock stays: a dead holder's is taken over.
        with contextlib.suppress(StoreError):
            if store.document(_FOLDER, self._name) == self._driver.me:
                store.remove_document(_FOLDER, self._name)

    def _require_dead(self, holder: Holder) -> None:
        """Waits until the holder is known to be dead; raises InputError once it shows life."""
        store, is_local = self._driver.store, holder.get("host") == self._driver.me["host"]
        first = store.document("drivers", str(holder.get("driver")))
        if not is_local and first is not None:
            logging.getLogger(__name__).warning(
                "%s was last run on %s; looking for up to a minute whether it still is",
                self._name, holder["host"],
            )  # fmt: skip
        while self._driver.is_alive(holder):
            if is_local or store.document("drivers", str(holder["driver"])) != first:
                raise InputError(
                    f"one driver at a time may run {self._name} on {store.url!r}; process "
                    f"{holder['pid']} on {str(holder['host']).split('/')[0]} does: wait for it or "
                    "stop it"
                )
            time.sleep(_LOOK_SECONDS)


def holder_of(observer: Driver, name: str) -> Holder | None:
    """Who runs a study now, as far as an observer can tell; None if nobody does.

    Args:
        observer: sees which drivers live; need not be entered.
        name: the study and scale.
    """
    holder: Holder | None = observer.store.document(_FOLDER, name)
    return holder if holder is not None and observer.is_alive(holder) else None
