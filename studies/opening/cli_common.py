"""Shared parts of the command lines: arguments that name a study, one-line errors, exit codes.

Exit codes: 0 if the command succeeded, 1 if a job, a read or the system failed for good, 2 if the
input is wrong (one line says how to correct the input), 130 if the command was stopped on request.
"""

import argparse
import contextlib
import difflib
import io
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import NoReturn

from scorelib.errors import InputError
from tuning.addresses import with_home, without_secrets
from tuning.execution.stop import STOPPED
from tuning.jobs import MissingInputError
from tuning.own_modules import import_own
from tuning.store.store import CorruptObjectError

DEFAULT_STORE = "store"

UNREADABLE = (CorruptObjectError, MissingInputError)
"""Exceptions raised by reading a result that is missing from the store or corrupt."""

NEXT_TIME = "the next run of the study computes it again; other results are not affected"
"""Remedy for an exception of `UNREADABLE`, as the end of an error message."""

_ADDRESSES = {"store", "tracking_uri"}
"""Arguments that are paths or URLs; a ``~`` in them is replaced."""

_NO_MEMORY = re.compile("(?:can't allocate|out of) memory")
"""What torch's RuntimeError says where Python would raise MemoryError."""

_installed_names = False


def use_installed_names() -> None:
    """Makes printed commands begin with ``score-studies`` instead of ``python -m``."""
    global _installed_names
    _installed_names = True


def command_line(module: str) -> str:
    """Returns how a command of the project is called, for help texts and printed commands.

    Args:
        module: the command's module, such as "dashboards.table".
    """
    if _installed_names:
        return f"score-studies {module.rpartition('.')[2]}"
    return f"python -m {module}"


class Arguments(argparse.ArgumentParser):
    """An argument parser that reports errors as InputError: one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Raises InputError for a wrong argument and suggests the nearest option."""
        if message.startswith("unrecognized arguments:"):
            given = message.split(":", 1)[1].split()[0]
            options = [o for action in self._actions for o in action.option_strings]
            near = difflib.get_close_matches(given, options, n=1, cutoff=0.4)
            message += f"; the nearest option is {near[0]}" if near else "; see --help"
        raise InputError(message)


def add_study_arguments(parser: argparse.ArgumentParser, *, name_is_needed: bool = True) -> None:
    """Adds the arguments NAME, --module, --scale and --store to a parser."""
    parser.add_argument(
        "name", metavar="NAME", nargs=None if name_is_needed else "?",
        help="study, see `python -m studies.run --list`, or a file FILE.py or module with one",
    )  # fmt: skip
    add_module_argument(parser)
    parser.add_argument("--scale", default="demo", help="demo (default) or paper")
    parser.add_argument(
        "--store", default=DEFAULT_STORE, metavar="URL", help="folder or URL; default: ./store"
    )


def add_module_argument(parser: argparse.ArgumentParser) -> None:
    """Adds --module, for modules of the user's own; `run_command` imports them."""
    parser.add_argument(
        "--module", action="append", default=[], metavar="FILE.py|NAME", dest="modules",
        help="import components or a study of your own (repeatable)",
    )  # fmt: skip


def _options(parser: argparse.ArgumentParser, fields: tuple[str, ...]) -> str:
    """Returns the options that set some fields, such as " (--store URL)"; "" if there are none."""
    options = {
        action.dest: f"{action.option_strings[-1]} {action.metavar or ''}".strip()
        for action in parser._actions
        if action.option_strings
    }
    has_settings = "changes" in options  # --set: any other field is the path of a setting
    found = [
        options.get(field, f"--set {shlex.quote(field) if '=' in field else f'{field}=VALUE'}")
        for field in fields
        if field in options or has_settings
    ]
    return f" ({', '.join(found)})" if found else ""


def run_command(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], int],
    argv: list[str] | None,
) -> int:
    """Parses the arguments, runs a command and returns the exit code.

    An InputError becomes one line on stderr and exit code 2, an unreadable result one line and exit
    code 1. All other exceptions end as in `ended`.

    Args:
        parser: parser of the command line.
        command: function that runs the command and returns its exit code.
        argv: arguments without the program's name; None for those of the process.
    """

    def run() -> int:
        try:
            args = parser.parse_args(argv)
            for name in _ADDRESSES & vars(args).keys():
                given = getattr(args, name)
                several = isinstance(given, list)
                found = [_address(name, of) for of in (given if several else [given])]
                setattr(args, name, found if several else found[0])
            for given in getattr(args, "modules", ()):
                import_own(given)
            return command(args)
        except InputError as error:
            _say(" ".join(str(error).split()) + _options(parser, error.fields))
            return 2
        except UNREADABLE as error:
            _say(f"{error}; {NEXT_TIME}")
            return 1

    return ended(run)


def _address(name: str, given: str | None) -> str | None:
    """Returns a given address with its ``~`` replaced; None for no address."""
    if given is not None and not given.strip():
        raise InputError(
            f"{name} must not be empty, but got {given!r}: is a variable of the shell unset?", name
        )
    return None if given is None else with_home(given)


def ended(command: Callable[[], int]) -> int:
    """Runs a command and returns its exit code, however the command ends: no traceback is printed.

    Ctrl-C gives one line and exit code 130, a fault of the environment (a full disk, a device that
    fails, no memory) one line and exit code 1. Any other exception is an error of this program: its
    traceback is written to a file, which one line names. A closed pipe on stdout is not an error.
    Characters that the encoding of the output lacks are replaced.

    Args:
        command: function that runs the command and returns its exit code.
    """
    if sys.stdout is None:  # the next file that is opened would be printed into
        _say("standard output must be open, but it is closed: send it to /dev/null instead")
        return 2
    if not os.environ.get("COLUMNS", "1").strip("0").isdecimal():
        del os.environ["COLUMNS"]  # a width of 0 columns would print nothing
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # matplotlib cannot be imported if the environment names a backend that is not installed.
    os.environ["MPLBACKEND"] = "agg"
    try:
        try:
            code = command()
        except SystemExit as left:  # --help
            code = left.code if isinstance(left.code, int) else 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        print("\nStopped. Finished jobs are kept; the same command continues.")
        return STOPPED
    except BrokenPipeError:
        _drop_output()
        return 0
    except (OSError, MemoryError) as error:
        about = f": {error.filename}" if isinstance(error, OSError) and error.filename else ""
        why = (isinstance(error, OSError) and error.strerror) or str(error) or "no memory is left"
        _say(
            f"the system must do what the command needs, but {why}{about}: mend it, then run again"
        )
        _drop_output()
        return 1
    except Exception as error:
        if isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)):
            _say("the system must have memory for these settings, but has none left: lower them")
            return 1
        _say(
            f"an error of this program: {type(error).__name__}: {' '.join(str(error).split())}; "
            f"please report it with {_written(error)}"
        )
        return 1


def _say(line: str) -> None:
    print(f"error: {without_secrets(line)}", file=sys.stderr)


def _written(error: Exception) -> str:
    """Writes the traceback of an exception to a file of this user and returns the file's path."""
    text = without_secrets("".join(traceback.format_exception(error)))
    with tempfile.NamedTemporaryFile(
        "w", prefix="score-studies-", suffix=".log", delete=False, encoding="utf-8",
        errors="replace",
    ) as file:  # fmt: skip
        file.write(text)
    return file.name


def _drop_output() -> None:
    """Sends what is left of the output to nowhere, so that Python does not fail at its exit."""
    with contextlib.suppress(OSError, ValueError, AttributeError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
