"""Judges the claims of the papers by the results in stores, for all studies at once.

    python -m dashboards.claims [--store URL]... [--csv FILE.csv] [--least-seeds N]
                                [--format markdown|csv] [-o FILE]

The judgements are those that `dashboards.table` prints below each study's table. Every study of the
stores is read with the settings of its last run; nothing is written to a store. ``--csv`` reads a
file of ``--format csv``, alone or before the stores. Studies that are not there, or have fewer
seeds than ``--least-seeds``, are listed below the Markdown.

In a FILE that contains the lines of `MARKS`, only the lines between them are replaced.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

import pandas as pd

from dashboards.results.cells import read_study
from dashboards.results.claims import COLUMNS, JUDGEMENTS, claim_numbers
from dashboards.text.claims import TITLE, claims_table
from dashboards.text.formats import in_words, markdown_table
from scorelib.errors import InputError
from studies.opening.cli_common import (
    DEFAULT_STORE,
    Arguments,
    add_module_argument,
    command_line,
    run_command,
)
from studies.opening.open_study import last_run_studies
from studies.registry import STUDIES, find_study
from tuning.addresses import local_path
from tuning.scheduling.scheduler import Scheduler
from tuning.store.files import write_output
from tuning.store.store import Store

FORMATS = ("markdown", "csv")
MARKS = ("<!-- claims -->", "<!-- end of claims -->")
_WHERE = ["study", "scale"]


def stored_claims(store: Store) -> pd.DataFrame:
    """Returns the judged claims of all studies of a store.

    Args:
        store: the store; a study of another version of the code is left out, with a warning.

    Returns:
        A table as that of `claim_numbers`, after the columns "study" and "scale".
    """
    last_run = last_run_studies(store)
    for name, why in last_run.unreadable.items():
        print(f"warning: {name} is left out: {' '.join(str(why).split())}", file=sys.stderr)
    found = []
    for study in last_run.studies:
        numbers = claim_numbers(read_study(Scheduler(study, store), store))
        found.append(numbers.assign(study=study.name, scale=study.scale))
    return _joined(found)


def read_csv(file: Path) -> pd.DataFrame:
    """Returns the table of a CSV that this command wrote.

    Raises:
        InputError: the file cannot be read, or has other columns.
    """
    try:
        numbers = pd.read_csv(file)
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise InputError(f"the CSV must be readable, but {file}: {why}", "csv") from error
    if [*numbers.columns] != [*_WHERE, *COLUMNS]:
        raise InputError(
            f"the CSV must have the columns that --format csv writes, but {file} has "
            f"{', '.join(map(str, numbers.columns))}",
            "csv",
        )
    return numbers


def _joined(tables: Sequence[pd.DataFrame]) -> pd.DataFrame:
    """Returns tables below each other, in the order of the registry of studies.

    Of a study that is in several tables, the first counts.
    """
    order = {name: number for number, name in enumerate(STUDIES)}
    given: list[pd.DataFrame] = []
    for table in (table for table in tables if len(table)):
        known = {(s, scale) for t in given for s, scale in t[_WHERE].itertuples(index=False)}
        is_new = [pair not in known for pair in table[_WHERE].itertuples(index=False, name=None)]
        given.append(table[is_new])
    joined = pd.concat(given) if given else pd.DataFrame(columns=COLUMNS)
    joined = joined.reindex(columns=[*_WHERE, *COLUMNS])
    places = [order.get(name, len(order)) for name in joined["study"]]
    return joined.iloc[sorted(range(len(joined)), key=places.__getitem__)]


def as_csv(numbers: pd.DataFrame) -> str:
    """Formats judged claims as CSV, with twelve digits, which reading and writing do not change."""
    return str(numbers.to_csv(index=False, lineterminator="\n", float_format="%.12g"))


def as_markdown(numbers: pd.DataFrame, least_seeds: int = 1) -> str:
    """Formats judged claims as Markdown: counts, a table, and the studies that are not there.

    Args:
        numbers: judged claims, as from `stored_claims`.
        least_seeds: least number of seeds of a claim in the table; exact claims have none.
    """
    told = numbers[(numbers["n_seeds"] >= least_seeds) | numbers["is_exact"].astype(bool)]
    counts = (f'"{one}" for {(told["judgement"] == one).sum()}' for one in JUDGEMENTS)
    lines = [f"{TITLE}. The judgement on {len(told)} claims is {in_words(counts)}.", ""]
    if len(told):
        names = [
            f"`{name}`" + ("" if scale == "demo" else f" ({scale})")
            for name, scale in told[_WHERE].itertuples(index=False)
        ]
        table = claims_table(told)
        table.insert(0, "study", names)
        lines += [*markdown_table(table), ""]
    if missing := _without(set(told["study"])):
        seeds = "" if least_seeds == 1 else f" with at least {least_seeds} seeds"
        lines.append(f"Not run{seeds}: {in_words(f'`{name}`' for name in missing)}.")
    return "\n".join(lines).rstrip() + "\n"


def _without(known: set[str]) -> list[str]:
    """Returns the studies of the project that have claims and are not among the known ones."""
    others = [name for name, entry in STUDIES.items() if not entry.is_general]
    modules = {name: find_study(name) for name in others if name not in known}
    return [
        name
        for name, module in modules.items()
        if module.study("demo", module.settings("demo")).claims
    ]


def between_marks(page: str, text: str) -> str:
    """Returns a page with the lines between its two `MARKS` replaced; without marks, the text.

    Args:
        page: the page so far.
        text: the new lines.
    """
    start, end = MARKS
    if start not in page or end not in page.partition(start)[2]:
        return text
    before, _, after = page.partition(start)
    return f"{before}{start}\n{text}{end}{after.partition(end)[2]}"


def parser() -> Arguments:
    """Returns the parser of the command line."""
    about = (__doc__ or "").split("\n")[0]
    made = Arguments(prog=command_line("dashboards.claims"), description=about)
    made.add_argument(
        "--store", action="append", default=[], metavar="URL",
        help=f"folder or URL (repeatable); default: ./{DEFAULT_STORE}, unless --csv is given",
    )  # fmt: skip
    made.add_argument("--csv", metavar="FILE.csv", help="read judgements that --format csv wrote")
    made.add_argument(
        "--least-seeds", type=int, default=1, metavar="N",
        help="list studies with fewer seeds as not run; default: 1",
    )  # fmt: skip
    made.add_argument("--format", choices=FORMATS, default="markdown", help="default: markdown")
    made.add_argument(
        "-o", "--output", metavar="FILE",
        help=f"output file; if it holds {MARKS[0]} and {MARKS[1]}, what is between is replaced",
    )  # fmt: skip
    add_module_argument(made)
    return made


def main(argv: list[str] | None = None) -> int:
    """Runs the command line and returns the exit code."""
    return run_command(parser(), _command, argv)


def _command(args: argparse.Namespace) -> int:
    urls = args.store or ([] if args.csv else [DEFAULT_STORE])
    read = [read_csv(local_path(args.csv))] if args.csv else []
    numbers = _joined([*read, *(stored_claims(Store(url)) for url in urls)])
    text = as_csv(numbers) if args.format == "csv" else as_markdown(numbers, args.least_seeds)
    if args.output is None:
        print(text, end="")
        return 0
    target = local_path(args.output)
    try:
        page = target.read_text() if target.exists() else ""
        write_output(target, between_marks(page, text).encode())
    except (OSError, UnicodeDecodeError) as error:
        why = getattr(error, "strerror", None) or "it is no text"
        raise InputError(f"-o must be a writable text file, but {target}: {why}") from error
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
