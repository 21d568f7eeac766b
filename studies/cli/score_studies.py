"""The installed command ``score-studies``: all commands of the project under one name.

    score-studies run|table|report|claims|compare|serve|sync|export ARGUMENTS

``python -m studies.run`` does the same as ``score-studies run``, unless the current folder holds a
folder named ``studies``, which Python would import in its place.
"""

import sys
from importlib import import_module

from studies.opening import cli_common

COMMANDS = {
    "run": ("studies.run", "run a study, or continue it; run --list lists all studies"),
    "export": ("studies.export", "write a cell's network, numbers and images to a folder"),
    "table": ("dashboards.table", "print the table of a study"),
    "report": ("dashboards.report", "write the table and the figures of a study as one page"),
    "claims": ("dashboards.claims", "judge the papers' claims by all studies of stores"),
    "compare": ("dashboards.compare", "compare the tables of two stores"),
    "serve": ("dashboards.serve", "show all studies of a store in a browser"),
    "sync": ("dashboards.sync", "rebuild the databases of MLflow and Optuna from a store"),
}
"""Module of each command, and what the command does."""


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Args:
        argv: the command's name and arguments; None for those of the process.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name in ("-h", "--help"):
        return cli_common.ended(_print_help)
    cli_common.use_installed_names()
    return cli_common.ended(lambda: _run(name, arguments))


def _run(name: str, arguments: list[str]) -> int:
    if name not in COMMANDS:
        cli_common.say(f"the command must be one of {'|'.join(COMMANDS)}; got {name!r}")
        return 2
    exit_code: int = import_module(COMMANDS[name][0]).main(arguments)
    return exit_code


def _print_help() -> int:
    print(f"usage: score-studies {'|'.join(COMMANDS)} ARGUMENTS\n")
    print(*(f"  {command:8} {about}" for command, (_, about) in COMMANDS.items()), sep="\n")
    print("\nscore-studies COMMAND --help lists the arguments of a command.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
