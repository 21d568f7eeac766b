"""Leases: drivers of different studies on one store share jobs instead of running them twice.

A lease is a small document, created exclusively under the job's key when a driver hands the job
out, and removed when the job ends. A job leased by another living driver is left to it; the lease
of a dead one is taken over. Leases are an economy, not a safety: jobs are deterministic and commits
keyed, so a job run twice is waste and never wrong.
"""

import time

from tuning.drivers.driver import Driver

_LOOK_SECONDS = 2.0
_FOLDER = "leases"


class Leases:
    """The leases of one driver.

    Args:
        driver: this process, entered.

    Attributes:
        has_company: whether another living driver was met: it may finish jobs this one needs.
    """

    def __init__(self, driver: Driver) -> None:
        self._driver, self.has_company = driver, False
        self._next_look: dict[str, float] = {}

    def take(self, key: str) -> bool:
        """Takes the lease of a job; False while another living driver has it.

        A lease held by another is looked at every two seconds at most, however often this is asked.
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

    def drop(self, key: str) -> None:
        """Gives a lease back."""
        self._next_look.pop(key, None)
        self._driver.store.remove_document(_FOLDER, key)
