"""Writes a study's report: a single HTML page that needs no network connection.

    python -m dashboards.report NAME [--scale demo|paper] [--store URL] [-o FILE.html]

The page shows the study's question, an answer computed from its numbers, tables and figures,
samples of every cell, costs and provenance. The command also works while the study runs.
"""

import argparse
import sys

from dashboards.web.pages import require_page_file, write_page
from dashboards.web.report_page import render_report
from studies.opening.cli_common import Arguments, add_study_arguments, command_line, run_command
from studies.opening.open_study import open_study
from tuning.addresses import local_path
from tuning.scheduling.amounts import size


def parser() -> Arguments:
    """Returns the parser of the command line."""
    about = (__doc__ or "").split("\n")[0]
    made = Arguments(prog=command_line("dashboards.report"), description=about)
    add_study_arguments(made)
    made.add_argument(
        "-o", "--output", metavar="FILE.html", help="output file; default: NAME-SCALE.html"
    )
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    scheduler, store = open_study(args)
    target = local_path(args.output or f"{scheduler.study.name}-{args.scale}.html")
    require_page_file(target, "-o")
    page = render_report(scheduler, store)
    write_page(target, page, "-o")
    print(f"{target} ({size(len(page.encode()))})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
