"""Requests to stop a run: by a signal, after a takeover of the study, or because Ray has ended.

The signals are those of Ctrl-C (SIGINT), of a preemption (SIGTERM) and of a lost terminal (SIGHUP).
"""

import contextlib
import os
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from types import FrameType
from typing import Self

STOPPED = 130
"""Exit code of a command that was asked to stop."""

_LAST_SECONDS = 10.0
_SHOW_CURSOR = b"\x1b[?25h"


class StopRequest:
    """A request to stop; once it is set, running jobs stop at their next report.

    Args:
        at_last: function that is called on another thread, ten seconds after `require`, with the
            reason, or with None if the user was told of the stop before; None for none.

    Attributes:
        reason: reason of the request; None while no stop is requested.
        is_told: whether the user was told of the stop. What is left to end may still hang.
    """

    def __init__(self, at_last: Callable[[str | None], None] | None = None) -> None:
        self.reason: str | None = None
        self.is_told = False
        self._at_last = at_last

    def request(self, reason: str) -> None:
        """Requests a stop; later requests do not replace the first reason.

        Args:
            reason: reason of the request, for display.
        """
        self.reason = self.reason or reason

    def require(self, reason: str) -> None:
        """Requests a stop of a process that may hang, as it does after the loss of Ray.

        Args:
            reason: reason of the request, for display.
        """
        self.request(reason)
        if self._at_last:
            timer = threading.Timer(_LAST_SECONDS, self._end, [self._at_last])
            timer.daemon = True
            timer.start()

    def _end(self, at_last: Callable[[str | None], None]) -> None:
        at_last(None if self.is_told else self.reason)

    @property
    def is_set(self) -> bool:
        """Whether a stop is requested."""
        return self.reason is not None

    @contextlib.contextmanager
    def listening(self) -> Iterator[Self]:
        """Turns SIGINT, SIGTERM and SIGHUP into stop requests while the context is active.

        A SIGINT after a first request raises KeyboardInterrupt at once. A SIGHUP that is ignored,
        as under ``nohup``, stays so. Python lets only the main thread handle signals: in any other
        thread the context does nothing.
        """
        if threading.current_thread() is not threading.main_thread():
            yield self
            return
        signals = [signal.SIGINT, signal.SIGTERM]
        if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:
            signals.append(signal.SIGHUP)
        previous = {number: signal.signal(number, self._note) for number in signals}
        try:
            yield self
        finally:
            for number, handler in previous.items():
                signal.signal(number, handler)

    def _note(self, number: int, frame: FrameType | None) -> None:
        if self.is_set and number == signal.SIGINT:
            raise KeyboardInterrupt
        self.request(f"by {signal.Signals(number).name}")


def end_at_once(reason: str | None) -> None:
    """Ends this process, whatever its other threads do, with one line and exit code 130.

    Args:
        reason: reason of the stop, for display; None for no line.
    """
    with contextlib.suppress(OSError, ValueError, AttributeError):
        if sys.stdout.isatty():
            os.write(sys.stdout.fileno(), _SHOW_CURSOR)
        if reason is not None:
            line = f"\nStopped ({reason}). Finished jobs are kept; the same command continues.\n"
            os.write(sys.stderr.fileno(), line.encode())
    os._exit(STOPPED)
