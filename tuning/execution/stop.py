"""Requests to stop a run: by Ctrl-C, by SIGTERM (preemption), or after a takeover of the study."""

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Self


class StopRequest:
    """A request to stop; once it is set, running jobs stop at their next report.

    Attributes:
        reason: reason of the request; None while no stop is requested.
    """

    def __init__(self) -> None:
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        """Requests a stop; later requests do not replace the first reason.

        Args:
            reason: reason of the request, for display.
        """
        self.reason = self.reason or reason

    @property
    def is_set(self) -> bool:
        """Whether a stop is requested."""
        return self.reason is not None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Self]:
        """Turns SIGINT and SIGTERM into stop requests while the context is active.

        A SIGINT after a first request raises KeyboardInterrupt at once. Python lets only the main
        thread handle signals: in any other thread the context does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        previous = {s: signal.signal(s, self._note) for s in (signal.SIGINT, signal.SIGTERM)}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_set and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.request(f"by {signal.Signals(number).name}")
