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
    names = {s.full_name for s in last_run.studies if s.scale == scale}
    if name is None:
        other_url, other_scale = _store_and_scale(other)
        others = last_run_studies(Store(other_url)).studies
        common = sorted(names & {s.full_name for s in others if s.scale == other_scale})
        if len(common) != 1:
            raise InputError(
                f"NAME must be given unless {given!r} and {other!r} have exactly one study in "
                f"common; the studies in common are: {', '.join(common) or 'none'}"
            )
        (name,) = common
    found = last_run.named(name, scale)
    if len(found) != 1:
        known = ", ".join(sorted(names)) or "none"
        which = f"{len(found)} of that name: {known}" if found else known
        raise InputError(
            f"{given!r} must hold the study {name} at scale {scale}; its studies are: {which}"
        )
    (study,) = found
    commits = commits_of(launches(store, study.id))
    return Side(given, read_study(Scheduler(study, store), store), commits)


def _store_and_scale(given: str) -> tuple[str, str]:
    url, at, scale = given.rpartition("@")
    is_scale = scale in ("demo", "paper") or (scale.isidentifier() and not Store.exists(given))
    return (url, scale) if at and is_scale else (given, "demo")


def parser() -> Arguments:
    """Returns the parser of the command line."""
    about = (__doc__ or "").split("\n")[0]
    made = Arguments(prog=command_line("dashboards.compare"), description=about)
    made.add_argument("a", metavar="A", help="store, or STORE@SCALE; default scale: demo")
    made.add_argument("b", metavar="B", help="other store, or STORE@SCALE")
    made.add_argument(
        "name", metavar="NAME", nargs="?",
        help="name of the study; default: the only study that both stores have",
    )  # fmt: skip
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
