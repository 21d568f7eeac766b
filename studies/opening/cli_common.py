"""Shared parts of the command lines: arguments that name a study, one-line errors, exit codes.

Exit codes: 0 if the command succeeded, 1 if a job, a read or the system failed for good, 2 if the
input is wrong or the output cannot be written (one line says how to correct that), 130 if the
command was stopped on request.
"""

import argparse
import contextlib
import difflib
import errno
import io
import os
import re
import shlex
import sys
import tempfile
import traceback
from collections.abc import Callable
from typing import Any, NoReturn, TextIO

from scorelib.errors import InputError
from studies import early
from tuning.addresses import with_home, without_secrets
from tuning.execution.stop import STOPPED
from tuning.jobs import MissingInputError
from tuning.own_modules import fault_of_own_code, import_own
from tuning.store.store import CorruptObjectError

DEFAULT_STORE = "store"

UNREADABLE = (CorruptObjectError, MissingInputError)
"""Exceptions raised by reading a result that is missing from the store or corrupt."""

NEXT_TIME = "the next run of the study computes it again; other results are not affected"
"""Remedy for an exception of `UNREADABLE`, as the end of an error message."""

_ADDRESSES = {"store", "tracking_uri", "config", "output", "folder"}
"""Arguments that are paths or URLs; a ``~`` in them is replaced."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
"""What an output answers that takes no more. Files of the store have errors of their own."""

_NO_MEMORY = re.compile("(?:can't allocate|out of) memory")
"""Pattern of the messages of torch's RuntimeError if memory is exhausted."""

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

    def _print_message(self, message: str, file: Any = None) -> None:
        """Prints a help text; argparse would hide that the text cannot be written."""
        print(message, end="", file=file or sys.stderr)


def add_study_arguments(parser: argparse.ArgumentParser, *, name_is_needed: bool = True) -> None:
    """Adds the arguments NAME, --module, --scale and --store to a parser."""
    parser.add_argument(
        "name", metavar="NAME", nargs=None if name_is_needed else "?",
        help="study (`python -m studies.run --list`), or a file FILE.py or module with a study",
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


def with_options(parser: argparse.ArgumentParser, error: InputError) -> str:
    """Returns an error in one line, with the options of a parser that set its fields."""
    return " ".join(str(error).split()) + _options(parser, error.fields)


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
                addresses = given if isinstance(given, list) else [given]
                found = [_address(name, address) for address in addresses]
                setattr(args, name, found if isinstance(given, list) else found[0])
            for given in getattr(args, "modules", ()):
                import_own(given)
            return command(args)
        except InputError as error:
            say(with_options(parser, error))
            return 2
        except UNREADABLE as error:
            say(f"{error}; {NEXT_TIME}")
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

    Ctrl-C gives one line and exit code 130, an output that takes no more one line and exit code 2,
    another fault of the environment (a device that fails, no memory) one line and exit code 1, an
    error in a module of the user's one line with the line of the module and exit code 2. Any other
    exception is an error of this program: its traceback is written to a file, which one line names.
    A closed pipe on stdout is not an error. Characters that the encoding of the output lacks are
    replaced.

    Args:
        command: function that runs the command and returns its exit code.
    """
    early.is_over()
    if sys.stdout is None:  # the next file that is opened would be printed into
        say("standard output must be open, but it is closed: send it to /dev/null instead")
        return 2
    _prepare_output()
    try:
        return _outcome(command)
    finally:
        _drop_unwritable()


def _prepare_output() -> None:
    """Makes the output of this process independent of the user's width, encoding and backend."""
    if not os.environ.get("COLUMNS", "1").strip("0").isdecimal():
        del os.environ["COLUMNS"]  # a width of 0 columns would print nothing
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")
    # matplotlib cannot be imported if the environment names a backend that is not installed.
    os.environ["MPLBACKEND"] = "agg"


def _outcome(command: Callable[[], int]) -> int:
    """Runs a command and returns its exit code; see `ended`."""
    try:
        try:
            code = command()
        except SystemExit as left:  # --help
            code = left.code if isinstance(left.code, int) else 0
        if sys.stdout is not None:
            sys.stdout.flush()
        return code
    except KeyboardInterrupt:
        with contextlib.suppress(OSError):
            print("\nStopped. Finished jobs are kept; the same command continues.", flush=True)
        return STOPPED
    except BrokenPipeError:
        return 0
    except Exception as error:
        return _fault(error)


def _fault(error: Exception) -> int:
    """Says in one line what ended a command, and returns the exit code."""
    own = fault_of_own_code(error)
    if own is not None:
        say(f"your code must not fail, but {own}")
        return 2
    if isinstance(error, OSError):
        about = f": {error.filename}" if error.filename else ""
        why = error.strerror or str(error)
        if not about and (error.errno in _FULL or _is_unwritable(sys.stdout)):
            say(f"standard output must take what is printed, but {why}: send it elsewhere")
            return 2
        say(
            f"the command needs a working system, but got: {why}{about}: mend this fault, then run "
            "again"
        )
    elif isinstance(error, MemoryError):
        say("the command needs memory, but no memory is left: free some memory")
    elif isinstance(error, RuntimeError) and _NO_MEMORY.search(str(error)):
        say("these settings must fit into memory, but no memory is left: lower the settings")
    else:
        say(
            f"an error of this program: {type(error).__name__}: {' '.join(str(error).split())}; "
            f"please report it with {_written(error)}"
        )
    return 1


def say(line: str) -> None:
    """Prints an error in one line on stderr; where stderr takes nothing, the exit code must do."""
    with contextlib.suppress(OSError):
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


def _is_unwritable(stream: TextIO | None) -> bool:
    """Returns whether a stream holds output that cannot be written."""
    try:
        if stream is not None:
            stream.flush()
    except OSError:
        return True
    return False


def _drop_unwritable() -> None:
    """Sends what cannot be written to nowhere, so that Python does not fail at its exit."""
    for stream in (sys.stdout, sys.stderr):
        if stream is not None and _is_unwritable(stream):
            with contextlib.suppress(OSError, ValueError):
                os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())
