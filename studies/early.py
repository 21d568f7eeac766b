"""Ends a command in one line if Ctrl-C comes while its modules are still imported.

Importing PyTorch takes seconds. The handler of the commands (`studies.opening.cli_common.ended`)
is imported only then, so the packages of the commands import this module before any other. What
precedes, the start of Python itself, takes some hundredths of a second and cannot be guarded here:
no line of this program has run then. So that nothing else precedes, this module imports only what
is built into Python.
"""

import os
import sys

TYPE_CHECKING = False  # that of typing, which takes milliseconds to import
if TYPE_CHECKING:
    import signal
    from types import FrameType
else:
    import _signal as signal  # the module signal imports enum first, which takes milliseconds

_LINE = b"\nStopped before anything was started.\n"
_STOPPED = 130


def is_command() -> bool:
    """Returns whether a command starts: ``python -m PACKAGE.MODULE`` or ``score-studies``."""
    # While Python looks for the module of -m, and imports the packages above it, argv[0] is "-m".
    return os.path.basename(sys.argv[0] if sys.argv else "") in ("-m", "score-studies")


def begin() -> None:
    """Makes Ctrl-C end this process at once, until `is_over` is called.

    An exception would not do: extension modules turn it into their own, or print it and go on.
    """
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:  # it may be ignored (nohup)
        signal.signal(signal.SIGINT, _end)


def is_over() -> None:
    """Makes Ctrl-C a KeyboardInterrupt again, which the commands handle."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def _end(number: int, frame: "FrameType | None") -> None:
    try:
        os.write(2, _LINE)
    finally:  # also where the standard error is closed or full
        os._exit(_STOPPED)


if is_command():
    begin()
