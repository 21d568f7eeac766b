"""Projections: what the store holds, written once more for people's tools to show.

MLflow and an Optuna storage are such displays. Each is a `Sink`: it finds or makes what a record
describes, so writing one twice never doubles anything. Each is written by a thread of its own, so
one that is down or slow holds up neither the work nor the other, and each is written in order.

What waits in an outage is the callables that make the records, not the records with their pictures:
hours of it fit in memory, and what is written afterwards is what the store then says.
"""

import queue
import threading
import time
from collections.abc import Callable, Iterable
from typing import Generic, Protocol, Self, TypeVar

from tuning.addresses import without_secrets

_RETRY_SECONDS = 2.0
_GIVE_UP_SECONDS = 60.0
_CALL_SECONDS = 60.0  # what the calls for one record may take beyond that
_HURRIED_SECONDS = 5.0  # in place of both after an error: its cause may be the display's, too

Record = TypeVar("Record")
Taken = TypeVar("Taken", contravariant=True)


class Sink(Protocol[Taken]):
    """A display, connected."""

    def write(self, record: Taken) -> None:
        """Makes the display show a record; nothing if it does."""


class ProjectionError(Exception):
    """A display did not take everything; in one line, without secrets."""


class ProjectionWriter(Generic[Record]):
    """Writes records to one display, in order, on its own thread; a context manager.

    A record that cannot be written is tried again, after connecting anew, until it is. Leaving
    waits until all is written, for a minute while the display does not answer; for seconds only if
    an error ended the work, such as a full disk that the display's database is on as well.

    Args:
        name: the display and where it is, for people.
        connect: connects to the display; called on the thread, again after each failure.

    Raises:
        ProjectionError: on leaving, if something was not written.
    """

    def __init__(self, name: str, connect: Callable[[], Sink[Record]]) -> None:
        self._name, self._connect = name, connect
        self._sink: Sink[Record] | None = None
        self._waiting: queue.Queue[tuple[Callable[[], Iterable[Record]], bool] | None]
        self._waiting = queue.Queue()
        self._leaving = threading.Event()
        self._last_good = 0.0  # when a record was written last, or leaving began
        self._unwritten = self._unmade = ""  # why
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
                f"{self._name} did not take everything: {failure}; nothing is lost, run again "
                "(or python -m dashboards.sync) to write the rest"
            )

    def write(self, make: Callable[[], Iterable[Record]], *, whole: bool = False) -> None:
        """Queues records, made on the writer's thread when their turn comes; returns at once.

        Args:
            make: makes them.
            whole: these are all there are: once written, nothing that could not be made before is
                missing.
        """
        self._waiting.put((make, whole))

    def _silent_seconds(self) -> float:
        return time.monotonic() - self._last_good

    def _hangs(self) -> bool:
        """Whether a library's call does not come back: the thread is left behind."""
        return self._silent_seconds() > self._give_up_seconds + self._call_seconds

    def _loop(self) -> None:
        while (waiting := self._waiting.get()) is not None:
            make, whole = waiting
            try:
                for record in make():
                    if not self._is_written(record):
                        return
                self._unmade = "" if whole else self._unmade
            except Exception as error:  # such as a picture found corrupt: the rest still counts
                self._unmade = _in_one_line(error)

    def _is_written(self, record: Record) -> bool:
        """Writes a record, however often it takes; False if that takes too long when leaving."""
        while True:
            try:
                self._sink = self._sink or self._connect()
                self._sink.write(record)
                self._unwritten, self._last_good = "", time.monotonic()
                return True
            except Exception as error:
                # What is known of the display may be wrong now: it may have been wiped.
                self._sink, self._unwritten = None, _in_one_line(error)
            if self._leaving.wait(_RETRY_SECONDS):
                if self._silent_seconds() >= self._give_up_seconds:
                    return False
                time.sleep(_RETRY_SECONDS)


def _in_one_line(error: BaseException) -> str:
    # The first cause: Optuna calls a server that is gone "invalid data, such as a text too long".
    while error.__cause__ is not None:
        error = error.__cause__
    return without_secrets(" ".join(str(error).split())) or type(error).__name__
