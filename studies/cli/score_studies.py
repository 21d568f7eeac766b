"""The installed command ``score-studies``: all commands of the project under one name.

    score-studies run|table|report|compare|serve|sync|export ARGUMENTS

``python -m studies.run`` does the same as ``score-studies run``, unless the current folder holds a
folder named ``studies``, which Python would import in its place.
"""

import sys
from importlib import import_module

from studies.opening import cli_common

COMMANDS = {
    "run": "studies.run",
    "export": "studies.export",
    **{name: f"dashboards.{name}" for name in ("table", "report", "compare", "serve", "sync")},
}


def main(argv: list[str] | None = None) -> int:
    """Runs a command and returns its exit code.

    Args:
        argv: the command's name and arguments; None for those of the process.
    """
    name, *arguments = (sys.argv[1:] if argv is None else argv) or ["--help"]
    if name not in COMMANDS:
        known = "|".join(COMMANDS)
        if name in ("-h", "--help"):
            print(f"usage: score-studies {known} ARGUMENTS; --help after a name says more")
            return 0
        print(f"error: the command must be one of {known}; got {name!r}", file=sys.stderr)
        return 2
    cli_common.use_installed_names()
    return cli_common.ended(lambda: import_module(COMMANDS[name]).main(arguments))


if __name__ == "__main__":
    sys.exit(main())
