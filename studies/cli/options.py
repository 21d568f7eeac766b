"""The options of ``python -m studies.run``: declaration, checks and conversion back to text."""

import argparse
import shlex
from typing import Any

from scorelib.errors import require_input
from scorelib.limits import shown
from studies.definitions import own_studies
from studies.opening.cli_common import DEFAULT_STORE, Arguments, add_study_arguments, command_line
from studies.opening.setting_list import as_text, as_toml
from studies.registry import STUDIES, find_study
from tuning.addresses import without_secrets

RUN_FLAGS = (
    "module", "scale", "config", "set", "store", "tracking_uri", "address", "cpus", "gpus",
    "max_concurrent",
    "seeds", "allow_cpu",
)  # fmt: skip
_MOST_DIGITS = 10
_DEFAULTS = {"scale": "demo", "store": DEFAULT_STORE}


def parser() -> argparse.ArgumentParser:
    """Returns the parser of the command line; a test fixes the set of options."""
    made = Arguments(
        prog=command_line("studies.run"),
        description="Runs the unfinished jobs of a study and prints its table.",
    )
    add_study_arguments(made, name_is_needed=False)
    made.add_argument(
        "--set", action="append", default=[], metavar="PATH=VALUE", dest="changes",
        help="change a setting, such as train.seed=1 or data.root=FOLDER (repeatable)",
    )  # fmt: skip
    made.add_argument(
        "--config", metavar="FILE", help="change settings by a TOML file; --set overrides the file"
    )
    made.add_argument(
        "--show-settings", action="store_true",
        help="print all settings with value, type, range and meaning",
    )  # fmt: skip
    made.add_argument(
        "--toml", action="store_true", help="with --show-settings: print a TOML file for --config"
    )
    made.add_argument("--list", action="store_true", help="list the studies and exit")
    made.add_argument("--plan", action="store_true", help="print the jobs to run and their cost")
    made.add_argument(
        "--tracking-uri", metavar="URI", help="MLflow server; default: a database in the store"
    )
    made.add_argument(
        "--address", metavar="auto|HOST:PORT", help="Ray cluster; default: a local cluster"
    )
    growth = "; with --address: the largest number that the cluster may have"
    made.add_argument(
        "--cpus", type=_positive, metavar="N", help=f"number of CPUs; default: all{growth}"
    )
    made.add_argument(
        "--gpus", type=_count, metavar="N", help=f"number of GPUs; default: all{growth}"
    )
    made.add_argument(
        "--max-concurrent", type=_positive, metavar="N",
        help="largest number of jobs that run at the same time",
    )  # fmt: skip
    made.add_argument(
        "--seeds", type=_positive, metavar="N", help="number of seeds of each cell of the table"
    )
    made.add_argument("--allow-cpu", action="store_true", help="run jobs that need a GPU on CPUs")
    made.add_argument("--quiet", action="store_true", help="print only the table and errors")
    made.add_argument(
        "--json", action="store_true",
        help="print progress and the result as JSON, one object on each line",
    )  # fmt: skip
    made.add_argument(
        "--notify",
        metavar="COMMAND",
        help="run a command when the study is done, stuck or failing, with the news as its input",
    )
    return made


def print_studies(name: str | None) -> None:
    """Prints all studies, after those of the user's own modules.

    Args:
        name: file or module with a further study of the user's own; None for none.
    """
    if name is not None:
        find_study(name)
    for own in own_studies():
        print(f"{own.name:24} of your own")
    for known, entry in STUDIES.items():
        print(f"{known:24} {entry.title}")
    for name, of in (("cifar_sampling_eps", "papers"), ("sampling_eps", "your own")):
        meanings = (f"--scale {scale}: {what}" for scale, what in STUDIES[name].scales.items())
        print(f"Studies of {of}: {'; '.join(meanings)}")


def _count(text: str) -> int:
    if not (text.isdecimal() and len(text) < _MOST_DIGITS):
        raise argparse.ArgumentTypeError(
            f"must be a whole number of at least 0, with fewer than {_MOST_DIGITS} digits, but got "
            f"{shown(text)}"
        )
    return int(text)


def _positive(text: str) -> int:
    if _count(text) < 1:
        raise argparse.ArgumentTypeError(f"must be at least 1, but got {text!r}")
    return int(text)


def options_given(args: argparse.Namespace, flags: tuple[str, ...]) -> str:
    """Returns the study's name and the given options, quoted for a shell.

    Options at their defaults and a password in --tracking-uri are left out.

    Args:
        args: parsed arguments.
        flags: names of the options to write, such as `RUN_FLAGS`.
    """
    words = [args.name]
    for flag in flags:
        lists = {"set": args.changes, "module": args.modules}
        value = lists[flag] if flag in lists else getattr(args, flag)
        option = f"--{flag.replace('_', '-')}"
        if flag in lists:
            words += [word for change in value for word in (option, change)]
        elif value is True:
            words.append(option)
        elif value not in (None, False) and value != _DEFAULTS.get(flag):
            words += [option, without_secrets(value) if flag == "tracking_uri" else str(value)]
    return shlex.join(words)


def print_settings(settings: Any, args: argparse.Namespace) -> int:
    """Prints the settings of a study and returns the exit code.

    Args:
        settings: the settings, with all changes.
        args: parsed arguments; `toml` asks for a file.

    Raises:
        InputError: `toml` is given without `show_settings`.
    """
    require_input(args.show_settings, "--toml needs --show-settings, but got --toml alone")
    if args.toml:
        print(
            f"# Use: {command_line('studies.run')} {args.name} --scale {args.scale} --config FILE"
        )
    print(as_toml(settings) if args.toml else as_text(settings), end="")
    return 0
