"""Writes a study's report: one page with everything, to be opened anywhere, without a network.

    python -m dashboards.report NAME [--scale demo|paper] [--store URL] [-o FILE.html]

What the study asked, the answer made from its numbers, its tables and figures, samples of every
cell, what it cost and what made it. Works at any time, also while the study runs.
"""

import argparse
import sys
from pathlib import Path

from dashboards.web.report_page import render_report
from scorelib.errors import InputError
from studies.opening.cli_common import Arguments, add_study_arguments, run_command
from studies.opening.open_study import open_study
from tuning.scheduling.amounts import size
from tuning.store.files import replace_local


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    parser = Arguments(
        prog="python -m dashboards.report", description=(__doc__ or "").split("\n")[0]
    )
    add_study_arguments(parser)
    parser.add_argument("-o", "--output", metavar="FILE.html", help="default: NAME-SCALE.html")

    def command(args: argparse.Namespace) -> int:
        scheduler, store = open_study(args)
        target = Path(args.output or f"{args.name}-{args.scale}.html")
        if not target.parent.is_dir() or target.is_dir():
            raise InputError(f"-o must be a file in a folder that is there; got {str(target)!r}")
        page = render_report(scheduler, store)
        try:
            replace_local(str(target.resolve()), page.encode())
        except OSError as error:
            raise InputError(f"-o must be writable; {target}: {error.strerror}") from error
        print(f"{target} ({size(len(page.encode()))})")
        return 0

    return run_command(parser, command, argv)


if __name__ == "__main__":
    sys.exit(main())
