"""Prints a study's table: ours beside the paper's, for the terminal, Markdown, CSV or LaTeX.

    python -m dashboards.table NAME [--scale demo|paper] [--format rich|markdown|latex|csv]
                                    [--store URL]

Works at any time, also while the study runs: what is missing is shown as missing, and below the
table stands what it would cost. Numbers are headed by what they are; a difference and a verdict
(`verdicts`) are shown only where protocols are equal. The CSV holds no times and no
paths, so equal results are equal files. LaTeX is for documents that load booktabs.
"""

import argparse
import sys

from dashboards.results.cells import read_study
from dashboards.results.missing import what_is_missing
from dashboards.text.table import FORMATS, render
from studies.opening.cli_common import Arguments, add_study_arguments, run_command
from studies.opening.open_study import open_study


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Arguments(prog="python -m dashboards.table", description=__doc__.split("\n\n")[0])
    add_study_arguments(parser)
    parser.add_argument("--format", choices=FORMATS, default="rich", help="default: rich")

    def command(args: argparse.Namespace) -> int:
        scheduler, store = open_study(args)
        view = read_study(scheduler, store)
        missing = what_is_missing(view, scheduler, store)
        print(render(view, args.format, missing=missing), end="")
        return 0

    return run_command(parser, command, argv)


if __name__ == "__main__":
    sys.exit(main())
