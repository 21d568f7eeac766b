"""Leases of jobs, so that drivers of different studies on one store run a shared job only once.

A lease is a small document. A driver creates it exclusively, under the job's key, when it hands the
job out, and removes it when the job ends. A job that another running driver has leased is left to
that driver; the lease of a dead driver is taken over. Leases save time but are not needed for
correctness: jobs are deterministic and commits are keyed, so running a job twice is never wrong.
"""

import time

from tuning.drivers.driver import Driver

_LOOK_SECONDS = 2.0
_FOLDER = "leases"


class Leases:
    """The leases of one driver.

    Args:
        driver: driver of this process; its context must be active.

    Attributes:
        has_company: whether a lease of another running driver was found; that driver may finish
            jobs that this driver needs.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver, self.has_company = driver, False
        self._next_look: dict[str, float] = {}

    def take(self, key: str) -> bool:
        """Takes the lease of a job, unless another running driver holds it.

        A lease of another driver is read at most every two seconds, however often this method is
        called.

        Args:
            key: content key of the job.

        Returns:
            Whether this driver now holds the lease.
        """
        if time.monotonic() < self._next_look.get(key, 0.0):
            return False
        store = self._driver.store
        while not store.create_document(_FOLDER, key, self._driver.me):
            holder = store.document(_FOLDER, key)
            if holder == self._driver.me:
                break
            is_held = holder is not None and self._driver.is_alive(holder)
            if is_held or not self._driver.take_over(_FOLDER, key, holder):
                self.has_company = True
                self._next_look[key] = time.monotonic() + _LOOK_SECONDS
                return False
        return True

    def remove_dead(self) -> None:
        """Removes the leases of drivers that are known to be dead; no job may need them again."""
        store = self._driver.store
        for key in store.document_names(_FOLDER):
            holder = store.document(_FOLDER, key)
            if holder is not None and not self._driver.is_alive(holder):
                self._driver.take_over(_FOLDER, key, holder)

    def drop(self, key: str) -> None:
        """Removes the lease of a job.

        Args:
            key: content key of the job.
        """
        self._next_look.pop(key, None)
        self._driver.store.remove_document(_FOLDER, key)
