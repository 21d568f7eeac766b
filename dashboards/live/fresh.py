"""A value that is computed in the background, so that no page waits for a long count."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

_SHARE_OF_TIME = 10
"""A value that took t seconds is kept for 10 t seconds: counting takes a tenth of the time."""

_LEAST_SECONDS = 1.0
T = TypeVar("T")


class Fresh(Generic[T]):
    """A value that is computed again once it is old and somebody asks for it.

    Args:
        compute: function that returns the value, given the value before; called on a thread of its
            own, never twice at the same time.
    """

    def __init__(self, compute: Callable[[T | None], T]) -> None:
        self._compute, self._lock = compute, threading.Lock()
        self._value: T | None = None
        self._error: Exception | None = None
        self._fresh_until = 0.0
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Starts the computation in the background, unless the value is fresh."""
        with self._lock:
            if self._thread is None and time.monotonic() >= self._fresh_until:
                self._thread = threading.Thread(target=self._run, daemon=True, name="fresh")
                self._thread.start()

    def get(self, wait: float | None) -> T | None:
        """Returns the latest value; None if there is none yet.

        Args:
            wait: most seconds to wait for a value that is being computed; None for as long as the
                computation takes.

        Raises:
            Exception: what the latest computation raised.
        """
        self.start()
        if (thread := self._thread) is not None:
            thread.join(wait)
        if self._error is not None:
            raise self._error
        return self._value

    def latest(self) -> T:
        """Returns the latest value, after waiting for the first or a newer one."""
        found = self.get(None)
        assert found is not None
        return found

    def _run(self) -> None:
        started = time.monotonic()
        try:
            self._value, self._error = self._compute(self._value), None
        except Exception as error:  # raised again where somebody asks for the value
            self._error = error
        now = time.monotonic()
        with self._lock:
            self._fresh_until = now + max(_LEAST_SECONDS, _SHARE_OF_TIME * (now - started))
            self._thread = None
