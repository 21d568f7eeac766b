"""Ends a command in one line if Ctrl-C comes while its modules are still imported.

Importing PyTorch takes seconds. The handler of the commands (`studies.opening.cli_common.ended`)
is imported only then, so the packages of the commands call this module first.
"""

import sys
from pathlib import Path
from types import TracebackType


def is_command() -> bool:
    """Returns whether a command starts: ``python -m PACKAGE.MODULE`` or ``score-studies``."""
    # While Python looks for the module of -m, and imports the packages above it, argv[0] is "-m".
    return Path(sys.argv[0] if sys.argv else "").name in ("-m", "score-studies")


def end_in_one_line() -> None:
    """Makes an uncaught KeyboardInterrupt end this process in one line, without a traceback."""
    sys.excepthook = _say


def _say(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    if issubclass(kind, KeyboardInterrupt):
        print("\nStopped before anything was started.", file=sys.stderr)
    else:
        sys.__excepthook__(kind, error, trace)


if is_command():
    end_in_one_line()
