"""Compares two runs of a study: two stores, two commits or two scales.

    python -m dashboards.compare A B [NAME] [--format rich|markdown|csv]

A and B are stores; a scale other than demo follows after an @: ``old new@paper``. NAME may be left
out if A and B have exactly one study in common. The output shows the cells of both runs, the
settings and commits that differ, and which differences exceed the noise.

A difference exceeds the noise if the 95 % confidence interval of the difference of the means over
seeds (Welch's, for unequal variances) does not contain 0. With a single seed the noise is unknown.
Numbers of different protocols are not subtracted.
"""

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboards.results.cells import CellView, Measured, StudyView, read_study
from dashboards.results.searches import shown_value
from dashboards.results.verdicts import beyond_noise
from dashboards.text.formats import Document, as_markdown, as_rich
from scorelib.errors import InputError
from scorelib.spec import Spec
from studies.opening.cli_common import Arguments, add_module_argument, command_line, run_command
from studies.opening.open_study import last_run_studies, study_name
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import ScoreModel, TrainedWeights
from tuning.store.provenance import launches
from tuning.store.store import Store

FORMATS = ("rich", "markdown", "csv")
EXCEEDS, WITHIN, UNKNOWN = "exceeds noise", "within noise", "one seed"


@dataclass(frozen=True)
class Side:
    """One of the two runs.

    Attributes:
        label: store and scale as given on the command line.
        view: results of the study.
        commits: commits of the launches that ran jobs, each once and in words, in order of the
            launches.
    """

    label: str
    view: StudyView
    commits: tuple[str, ...]


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
    made = launches(store, study.id)
    codes = (f"commit {m.commit}" if m.commit else "code outside a checkout" for m in made)
    commits = tuple(dict.fromkeys(codes))
    return Side(given, read_study(Scheduler(study, store), store), commits)


def _store_and_scale(given: str) -> tuple[str, str]:
    url, at, scale = given.rpartition("@")
    is_scale = scale in ("demo", "paper") or (scale.isidentifier() and not Store.exists(given))
    return (url, scale) if at and is_scale else (given, "demo")


def cells(a: Side, b: Side) -> pd.DataFrame:
    """Returns a table with one row for each cell and quantity of either run."""
    sides = [{cell.cell.name: cell for cell in side.view.cells} for side in (a, b)]
    rows = []
    for name in dict.fromkeys([*sides[0], *sides[1]]):
        ours, theirs = (side.get(name) for side in sides)
        for quantity in _quantities(ours, theirs):
            rows.append({"cell": name, "quantity": quantity} | _row(ours, theirs, quantity))
    return pd.DataFrame(rows)


def _quantities(*cells: CellView | None) -> list[str]:
    return list(dict.fromkeys(q for c in cells if c and c.cell.is_measured for q in c.measured))


def _row(a: CellView | None, b: CellView | None, quantity: str) -> dict[str, object]:
    numbers = [cell.measured.get(quantity) if cell else None for cell in (a, b)]
    row: dict[str, object] = {
        "A": numbers[0] and numbers[0].mean, "A spread": numbers[0] and numbers[0].spread,
        "B": numbers[1] and numbers[1].mean, "B spread": numbers[1] and numbers[1].spread,
        "difference": None, "verdict": None,
    }  # fmt: skip
    if a is None or b is None or numbers[0] is None or numbers[1] is None:
        return row | {"verdict": "only in " + ("A" if numbers[0] else "B")}
    if not _same_measure(a, b):
        return row | {"verdict": "other protocol"}
    difference = numbers[1].mean - numbers[0].mean
    return row | {"difference": difference, "verdict": exceeds_noise(numbers[0], numbers[1])}


def _same_measure(a: CellView, b: CellView) -> bool:
    """Returns whether the numbers of two cells can be subtracted.

    The cells must share a protocol or, without protocols, have jobs that differ only in the trained
    networks: the other fields of a job, such as grid or noise level, define the measurement.
    """
    ours, theirs = a.cell.protocol, b.cell.protocol
    if ours is not None and theirs is not None:
        return ours.is_comparable(theirs)
    if a.cell.job is None or b.cell.job is None:
        return False
    return _measurement(a.cell.job) == _measurement(b.cell.job)


def _measurement(job: Job) -> dict[str, Any]:
    """Returns the kind and fields of a job, without fields that contain trained networks."""
    own: dict[str, Any] = {"kind": type(job)}
    for field in dataclasses.fields(job):
        value = getattr(job, field.name)
        specs = value if isinstance(value, tuple) else (value,)
        parts = [part for spec in specs if isinstance(spec, Spec) for part in spec.parts()]
        if not any(isinstance(part, TrainedWeights | ScoreModel) for part in parts):
            own[field.name] = value
    return own


def exceeds_noise(a: Measured, b: Measured) -> str:
    """Returns "equal", `WITHIN`, `EXCEEDS` or `UNKNOWN` for two numbers measured over seeds."""
    if a.mean == b.mean and not (a.spread or b.spread):
        return "equal"
    beyond = beyond_noise(a, b)
    if beyond is None:
        return UNKNOWN
    return EXCEEDS if beyond else WITHIN


def changes(a: Side, b: Side) -> pd.DataFrame:
    """Returns a table of the settings that differ, by path."""
    ours, theirs = a.view.study.settings.flat(), b.view.study.settings.flat()
    return _differing("setting", ours, theirs)


def choices(a: Side, b: Side) -> pd.DataFrame:
    """Returns a table of the values that searches finished in both runs chose differently."""
    ours, theirs = _chosen(a), _chosen(b)
    return _differing(
        "search",
        {name: value for name, value in ours.items() if name in theirs},
        {name: value for name, value in theirs.items() if name in ours},
    )


def _chosen(side: Side) -> dict[str, str]:
    return {
        f"{name}: {parameter}": shown_value(value)
        for name, run in side.view.runs.items()
        if run.winner
        for parameter, value in run.winner.values.items()
    }


def _differing(what: str, ours: dict[str, Any], theirs: dict[str, Any]) -> pd.DataFrame:
    rows = [
        {what: name, "A": ours.get(name, "-"), "B": theirs.get(name, "-")}
        for name in dict.fromkeys([*ours, *theirs])
        if ours.get(name) != theirs.get(name)
    ]
    return pd.DataFrame(rows).astype(str)


def document(a: Side, b: Side) -> Document:
    """Returns the whole comparison as a document: cells, settings, choices and commits."""
    data = cells(a, b)
    text = pd.DataFrame(
        {
            "cell": data["cell"], "quantity": data["quantity"],
            "A": [_number(m, s) for m, s in zip(data["A"], data["A spread"], strict=True)],
            "B": [_number(m, s) for m, s in zip(data["B"], data["B spread"], strict=True)],
            "B - A": ["" if pd.isna(d) else f"{d:+.3g}" for d in data["difference"]],
            "": data["verdict"].fillna(""),
        }
    ) if len(data) else pd.DataFrame({"cell": []})  # fmt: skip
    changed, chosen = changes(a, b), choices(a, b)
    below = [("Settings that differ", changed), ("Choices of searches that differ", chosen)]
    counts = data["verdict"].value_counts() if len(data) else {}
    foot = [f"{count} of {len(data)}: {verdict}" for verdict, count in dict(counts).items()]
    foot += [
        f"{letter} was made by {', '.join(side.commits)}"
        for letter, side in (("A", a), ("B", b))
        if side.commits
    ]
    study = a.view.study
    return Document(
        f"{study.name}: A = {a.label}, B = {b.label}",
        f"{study.exhibit}. {study.title}; ± std over seeds",
        [("", text), *((title, table) for title, table in below if len(table))],
        foot if len(changed) else [*foot, "the settings are the same"],
    )


def _number(mean: float | None, spread: float | None) -> str:
    if mean is None or pd.isna(mean):
        return "-"
    return f"{mean:.4g}" + ("" if spread is None or pd.isna(spread) else f" ±{spread:.2g}")


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
