"""Projections: copies of the store's content in external displays.

A display is a tool that shows results: MLflow or an Optuna storage. Each display is written through
a `Sink`, which finds or creates the entry that a record describes, so writing a record twice never
duplicates an entry. Each display has a writer thread of its own and receives its records in order.
A display that is down or slow delays neither the jobs nor the other displays.

During an outage, the queue holds the callables that make the records, not the records with their
pictures. So hours of an outage fit in memory, and the records that are written afterwards describe
the store at that time.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, Self, TypeVar

from tuning.addresses import without_secrets
from tuning.tracking.faults import LastingFaultError

_RETRY_SECONDS = 2.0
_GIVE_UP_SECONDS = 60.0
_CALL_SECONDS = 60.0  # additional time for the calls that write one record
_HURRIED_SECONDS = 5.0  # replaces both after an error, whose cause may affect the display as well

Record = TypeVar("Record")
Taken = TypeVar("Taken", contravariant=True)


class Sink(Protocol[Taken]):
    """A connected display."""

    def write(self, record: Taken) -> None:
        """Writes a record to the display, unless the display already shows the record."""


class ProjectionError(Exception):
    """A failure to write all records to a display; the message is one line without secrets."""


class ProjectionWriter(Generic[Record]):
    """A context manager that writes records to one display, in order, on its own thread.

    If a record cannot be written, the writer connects again and retries until it succeeds. Leaving
    the context waits until all records are written, but gives up when the display has not answered
    for a minute, and at once if its fault lasts. After an error, such as a full disk that may also
    hold the display's database, it gives up within seconds.

    Args:
        name: name and address of the display, for messages.
        connect: function that connects to the display; called on the thread, and again after each
            failure.

    Raises:
        ProjectionError: on leaving without another error, if a record was not written.
    """

    def __init__(self, name: str, connect: Callable[[], Sink[Record]]) -> None:
        self._name, self._connect = name, connect
        self._sink: Sink[Record] | None = None
        self._waiting: queue.Queue[tuple[Callable[[], Iterable[Record]], bool] | None]
        self._waiting = queue.Queue()
        self._leaving = threading.Event()
        self._last_good = 0.0  # monotonic time of the last written record or the begin of leaving
        self._unwritten = self._unmade = ""  # causes, or "" without a failure
        self._give_up_seconds, self._call_seconds = _GIVE_UP_SECONDS, _CALL_SECONDS
        self._thread = threading.Thread(target=self._loop, daemon=True, name=f"to {name}")

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._give_up_seconds = self._call_seconds = _HURRIED_SECONDS
        self._last_good = time.monotonic()
        self._leaving.set()
        self._waiting.put(None)
        while self._thread.is_alive() and not self._hangs():
            self._thread.join(1.0)
        failure = self._unwritten or self._unmade
        if self._thread.is_alive():
            failure = failure or "it does not answer"
        if failure and kind is None:
            raise ProjectionError(
                f"{self._name} must hold all records, but some are not written: {failure}; "
                "nothing is lost: run again (or run python -m dashboards.sync) to write the rest"
            )

    def write(self, make: Callable[[], Iterable[Record]], *, whole: bool = False) -> None:
        """Queues records to be made and written on the writer's thread; returns at once.

        Args:
            make: function that makes the records; called on the thread just before they are
                written.
            whole: whether `make` returns all records of the study. Once they are written, earlier
                failures of making records no longer count.
        """
        self._waiting.put((make, whole))

    def _silent_seconds(self) -> float:
        return time.monotonic() - self._last_good

    def _hangs(self) -> bool:
        """Returns whether a call of the display's library hangs, so that the thread is given up."""
        return self._silent_seconds() > self._give_up_seconds + self._call_seconds

    def _loop(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            make, whole = waiting
            try:
                for record in make():
                    if not self._is_written(record):
                        return
                self._unmade = "" if whole else self._unmade
            except Exception as error:  # e.g. a corrupt picture: other records are still written
                self._unmade = _in_one_line(error)

    def _is_written(self, record: Record) -> bool:
        """Writes a record, with retries.

        Returns:
            False if the retries took too long after leaving began.
        """
        while True:
            try:
                self._sink = self._sink or self._connect()
                self._sink.write(record)
                self._unwritten, self._last_good = "", time.monotonic()
                return True
            except Exception as error:
                # The cached list of entries may be wrong now, because the display may be empty.
                self._sink, self._unwritten = None, _in_one_line(error)
                if isinstance(error, LastingFaultError) and self._leaving.is_set():
                    return False  # nothing that waiting would mend
            if self._leaving.wait(_RETRY_SECONDS):
                if self._silent_seconds() >= self._give_up_seconds:
                    return False
                time.sleep(_RETRY_SECONDS)


def _in_one_line(error: BaseException) -> str:
    # The first cause is the clearest: Optuna itself reports a lost server as "invalid data".
    while error.__cause__ is not None:
        error = error.__cause__
    return without_secrets(" ".join(str(error).split())) or type(error).__name__
