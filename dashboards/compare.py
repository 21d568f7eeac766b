"""Compares two runs of a study: two stores, two commits or two scales.

    python -m dashboards.compare A B [NAME] [--format rich|markdown|csv]

A and B are stores; a scale other than demo follows after an @: ``old new@paper``. NAME may be left
out if A and B have exactly one study in common. The output shows the cells of both runs, the
settings and commits that differ, and which differences exceed the noise (`dashboards.comparison`).
"""

import argparse
import sys

from dashboards.comparison import Side, cells, commits_of, document
from dashboards.results.cells import read_study
from dashboards.text.formats import as_markdown, as_rich
from scorelib.errors import InputError
from studies.opening.cli_common import Arguments, add_module_argument, command_line, run_command
from studies.opening.open_study import last_run_studies, study_name
from tuning.scheduling.scheduler import Scheduler
from tuning.store.provenance import launches
from tuning.store.store import Store

FORMATS = ("rich", "markdown", "csv")


def open_side(given: str, name: str | None, other: str) -> Side:
    """Opens a study on a store.

    Args:
        given: store, or STORE@SCALE; the default scale is demo.
        name: name of the study; None for the only study that both stores have.
        other: the other store, in the same form as `given`.

    Raises:
        InputError: the store or the study does not exist or cannot be read, or `name` is None and
            the stores do not have exactly one study in common.
    """
    url, scale = _store_and_scale(given)
    store = Store(url)
    name = study_name(name) if name else None
    last_run = last_run_studies(store)
    studies = {s.name: s for s in last_run.studies if s.scale == scale}
    if name is None:
        other_url, other_scale = _store_and_scale(other)
        others = last_run_studies(Store(other_url)).studies
        common = sorted(studies.keys() & {s.name for s in others if s.scale == other_scale})
        if len(common) != 1:
            raise InputError(
                f"NAME must be given unless {given!r} and {other!r} have one study in common; "
                f"they have {', '.join(common) or 'none'} in common"
            )
        (name,) = common
    last_run.require_readable(name, scale)
    if name not in studies:
        known = ", ".join(studies) or "none"
        raise InputError(f"{given!r} must hold the study {name} at scale {scale}; it has {known}")
    study = studies[name]
    commits = commits_of(launches(store, study.id))
    return Side(given, read_study(Scheduler(study, store), store), commits)


def _store_and_scale(given: str) -> tuple[str, str]:
    url, at, scale = given.rpartition("@")
    return (url, scale) if at and scale in ("demo", "paper") else (given, "demo")


def parser() -> Arguments:
    """Returns the parser of the command line."""
    about = (__doc__ or "").split("\n")[0]
    made = Arguments(prog=command_line("dashboards.compare"), description=about)
    made.add_argument("a", metavar="A", help="a store, or STORE@SCALE")
    made.add_argument("b", metavar="B", help="another store, or STORE@SCALE")
    made.add_argument("name", metavar="NAME", nargs="?", help="study; default: the common one")
    made.add_argument("--format", choices=FORMATS, default="rich", help="format; default: rich")
    add_module_argument(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    a, b = open_side(args.a, args.name, args.b), open_side(args.b, args.name, args.a)
    if args.format == "csv":
        print(cells(a, b).to_csv(index=False, lineterminator="\n"), end="")
    else:
        style = as_markdown if args.format == "markdown" else as_rich
        print(style(document(a, b)), end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
