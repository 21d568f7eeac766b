"""Prints a study's table, our numbers beside the paper's: terminal, Markdown, CSV or LaTeX.

    python -m dashboards.table NAME [--scale demo|paper] [--format rich|markdown|latex|csv]
                                    [--store URL]

The command also works while the study runs: missing results are marked, and a note under the table
states their cost. The heading states measure, data and number of images. A difference and a verdict
(`verdicts`) are shown only if our protocol and the paper's are equal. The CSV contains no times and
no paths, so equal results give equal files. The LaTeX needs booktabs.
"""

import argparse
import sys

from dashboards.results.cells import read_study
from dashboards.results.missing import what_is_missing
from dashboards.text.table import FORMATS, render
from studies.opening.cli_common import Arguments, add_study_arguments, command_line, run_command
from studies.opening.open_study import open_study


def parser() -> Arguments:
    """Returns the parser of the command line."""
    about = (__doc__ or "").split("\n")[0]
    made = Arguments(prog=command_line("dashboards.table"), description=about)
    add_study_arguments(made)
    made.add_argument("--format", choices=FORMATS, default="rich", help="format; default: rich")
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    scheduler, store = open_study(args)
    view = read_study(scheduler, store)
    missing = what_is_missing(view, scheduler, store)
    print(render(view, args.format, missing=missing), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
