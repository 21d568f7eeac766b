"""What the command lines share: arguments that name a study, one-line errors, exit codes.

Exit codes: 0 done, 1 something failed for good, 2 the input is wrong (one line says how to mend
it), 130 stopped on request.
"""

import argparse
import difflib
import os
import sys
from collections.abc import Callable
from typing import NoReturn

from scorelib.errors import InputError
from tuning.addresses import without_secrets
from tuning.jobs import MissingInputError
from tuning.store.store import CorruptObjectError

DEFAULT_STORE = "store"

UNREADABLE = (CorruptObjectError, MissingInputError)
"""What reading a result raises that is not in the store as it was written."""

NEXT_TIME = "what needs it makes it anew the next time, other things do without"


class Arguments(argparse.ArgumentParser):
    """An argument parser whose errors are one line and exit code 2."""

    def error(self, message: str) -> NoReturn:
        """Turns a wrong argument into an InputError, naming the nearest option."""
        if message.startswith("unrecognized arguments:"):
            given = message.split(":", 1)[1].split()[0]
            options = [o for action in self._actions for o in action.option_strings]
            near = difflib.get_close_matches(given, options, n=1, cutoff=0.4)
            message += f"; the nearest option is {near[0]}" if near else "; see --help"
        raise InputError(message)


def add_study_arguments(parser: argparse.ArgumentParser) -> None:
    """Adds NAME, --scale and --store."""
    parser.add_argument("name", metavar="NAME", help="study, see `python -m studies.run --list`")
    parser.add_argument("--scale", default="demo", help="demo (default) or paper")
    parser.add_argument("--store", default=DEFAULT_STORE, metavar="URL", help="default: ./store")


def _options(parser: argparse.ArgumentParser, fields: tuple[str, ...]) -> str:
    """What sets these fields on a command line, such as " (--store URL)"; "" if nothing does."""
    options = {
        action.dest: f"{action.option_strings[-1]} {action.metavar or ''}".strip()
        for action in parser._actions
        if action.option_strings
    }
    has_settings = "changes" in options  # --set, by which any other field is a setting's path
    found = [
        options.get(field, f"--set {field}=VALUE")
        for field in fields
        if field in options or has_settings
    ]
    return f" ({', '.join(found)})" if found else ""


def run_command(
    parser: argparse.ArgumentParser,
    command: Callable[[argparse.Namespace], int],
    argv: list[str] | None,
) -> int:
    """Parses and runs a command; wrong input becomes one line on stderr and exit code 2."""
    try:
        return command(parser.parse_args(argv))
    except InputError as error:
        line = " ".join(str(error).split()) + _options(parser, error.fields)
        print(f"error: {without_secrets(line)}", file=sys.stderr)
        return 2
    except UNREADABLE as error:
        print(f"error: {error}; {NEXT_TIME}", file=sys.stderr)
        return 1
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
