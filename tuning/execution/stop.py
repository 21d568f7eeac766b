"""Asking a run to stop: by Ctrl-C, by SIGTERM (preemption), or because the study was lost."""

import contextlib
import signal
from collections.abc import Iterator
from types import FrameType
from typing import Self


class StopRequest:
    """Once it is set, running jobs stop at their next report."""

    def __init__(self) -> None:
        self.reason: str | None = None

    def request(self, reason: str) -> None:
        """Sets it; the first reason stays."""
        self.reason = self.reason or reason

    @property
    def is_set(self) -> bool:
        """Whether a stop was asked for."""
        return self.reason is not None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Self]:
        """Takes SIGINT and SIGTERM while active; a second SIGINT interrupts at once."""
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
