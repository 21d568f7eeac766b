"""Tells the user when a study is done, stuck or failing, by a command of the user's own.

The command is run by the shell. The text is its standard input, one line; the variables
SCORE_STUDIES_EVENT ("done", "stuck", "failing" or "stopped") and SCORE_STUDIES_STUDY say the same
to programs:

    --notify 'mail -s "a study" me@example.com'
    --notify 'curl --fail --silent --data @- https://ntfy.example/my-topic'

The command itself may hold a secret, so no output, message or document of the store repeats it.
"""

import logging
import os
import subprocess
import threading
import time
from typing import Any, Literal

from scorelib.errors import InputError
from tuning.addresses import without_secrets
from tuning.scheduling.amounts import duration
from tuning.scheduling.status import Status

Event = Literal["done", "stuck", "failing", "stopped"]

_STUCK_SECONDS = 600.0
_COMMAND_SECONDS = 30.0


class Notices:
    """The notices of one launch; each event is told once.

    Args:
        command: command of the user's; None for no notices.
        study: name of the study with its scale.

    Raises:
        InputError: the command is empty.
    """

    def __init__(self, command: str | None, study: str) -> None:
        if command is not None and not command.strip():
            raise InputError("the command must not be empty, but got none", "notify")
        self._command, self._study = command, study
        self._told: set[Event] = set()
        self._moved: tuple[Any, float] = (None, 0.0)
        self._threads: list[threading.Thread] = []

    def on_status(self, status: Status) -> None:
        """Tells of the first failure that stays, and of ten minutes in which nothing moves."""
        lasting = [f for f in status["failures"] if f["then"] != "tried again"]
        if lasting:
            last = lasting[-1]
            self.tell("failing", f"{last['job']}: {last['cause']} ({last['then']})")
        moves = [stage["done"] for stage in status["stages"]], status["running"]
        if moves != self._moved[0]:
            self._moved = moves, time.monotonic()
        elif time.monotonic() - self._moved[1] >= _STUCK_SECONDS:
            self.tell("stuck", f"nothing has moved for {duration(_STUCK_SECONDS)}")

    def end(self, error: Exception) -> None:
        """Tells that a launch which had begun has ended with an error."""
        if self._moved[0] is not None:
            self.tell("failing", str(error), is_last=True)

    def tell(self, event: Event, text: str, *, is_last: bool = False) -> None:
        """Runs the command in the background, unless the event was told before.

        Args:
            event: the event.
            text: what has happened, in one line.
            is_last: whether the launch ends with the event, which is then told in any case.
        """
        if self._command is None or (event in self._told and not is_last):
            return
        self._told.add(event)
        line = without_secrets(" ".join(f"{self._study}: {event}: {text}".split()))
        thread = threading.Thread(target=self._run, args=(event, line), name="notice")
        self._threads.append(thread)
        thread.start()

    def wait(self) -> None:
        """Waits until all notices are sent."""
        for thread in self._threads:
            thread.join()

    def _run(self, event: Event, line: str) -> None:
        assert self._command is not None
        names = {"SCORE_STUDIES_EVENT": event, "SCORE_STUDIES_STUDY": self._study}
        try:
            done = subprocess.run(
                self._command, shell=True, input=f"{line}\n", text=True, env=os.environ | names,
                stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, timeout=_COMMAND_SECONDS,
            )  # fmt: skip
            fault = f"it ended with exit code {done.returncode}" if done.returncode else ""
        except (OSError, subprocess.SubprocessError) as error:
            fault = f"{type(error).__name__} within {_COMMAND_SECONDS:.0f} seconds"
        if fault:
            logging.getLogger(__name__).warning(
                "the command of --notify must succeed, but %s: the notice %r may be lost",
                fault, event,
            )  # fmt: skip
