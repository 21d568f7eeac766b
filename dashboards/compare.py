"""Sets two runs of a study side by side: two stores, two commits or two scales.

    python -m dashboards.compare A B [NAME] [--format rich|markdown|csv]

A and B are stores, each with the scale behind an @ where it is not demo: ``old new@paper``. NAME
may be left out where the two have one study in common. Shown are the cells of both, what changed in
the settings and in what made them, and which differences exceed the noise.

A difference exceeds the noise where the 95 % confidence interval of the difference of the means
over seeds (Welch's, which takes the two spreads as they are) does not hold 0. On a single seed
nothing is known of the noise, and numbers of different protocols are not subtracted.
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
from studies.opening.cli_common import Arguments, run_command
from studies.opening.open_study import last_run_studies
from tuning.jobs import Job
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import TrainedWeights
from tuning.store.provenance import launches
from tuning.store.store import Store

FORMATS = ("rich", "markdown", "csv")
EXCEEDS, WITHIN, UNKNOWN = "exceeds noise", "within noise", "one seed"


@dataclass(frozen=True)
class Side:
    """One of the two.

    Attributes:
        label: as it was given.
        view: what is known of its study.
        commits: of the launches that did work, the first first.
    """

    label: str
    view: StudyView
    commits: tuple[str, ...]


def open_side(given: str, name: str | None, other: str) -> Side:
    """A study on a store.

    Args:
        given: store, and scale behind an @.
        name: the study; None for the only one that the other has, too.
        other: the other store, as given.

    Raises:
        InputError: there is no such store or study on it, or more than one in common.
    """
    url, scale = _store_and_scale(given)
    store = Store(url)
    last_run = last_run_studies(store)
    studies = {s.name: s for s in last_run.studies if s.scale == scale}
    if name is None:
        other_url, other_scale = _store_and_scale(other)
        others = last_run_studies(Store(other_url)).studies
        common = sorted(studies.keys() & {s.name for s in others if s.scale == other_scale})
        if len(common) != 1:
            raise InputError(
                f"NAME must be given unless {given!r} and {other!r} have one study in common; "
                f"they have {', '.join(common) or 'none'}"
            )
        (name,) = common
    last_run.require_readable(name, scale)
    if name not in studies:
        known = ", ".join(studies) or "none"
        raise InputError(f"{given!r} must hold the study {name} at scale {scale}; it has {known}")
    study = studies[name]
    made = launches(store, study.id)
    commits = tuple(dict.fromkeys(launch.commit or "no checkout" for launch in made))
    return Side(given, read_study(Scheduler(study, store), store), commits)


def _store_and_scale(given: str) -> tuple[str, str]:
    url, at, scale = given.rpartition("@")
    return (url, scale) if at and scale in ("demo", "paper") else (given, "demo")


def cells(a: Side, b: Side) -> pd.DataFrame:
    """A row for each cell and quantity that either has."""
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
    """Whether the two may be subtracted: equal protocols, or jobs alike but for what was trained.

    A job holds how it measures beside what: two kinds of grid or noise level are two protocols.
    """
    ours, theirs = a.cell.protocol, b.cell.protocol
    if ours is not None and theirs is not None:
        return ours.is_comparable(theirs)
    if a.cell.job is None or b.cell.job is None:
        return False
    return _measurement(a.cell.job) == _measurement(b.cell.job)


def _measurement(job: Job) -> dict[str, Any]:
    """A job's fields without the networks, and images of networks, that it measures."""
    own: dict[str, Any] = {"kind": type(job)}
    for field in dataclasses.fields(job):
        value = getattr(job, field.name)
        specs = value if isinstance(value, tuple) else (value,)
        parts = [part for spec in specs if isinstance(spec, Spec) for part in spec.parts()]
        if not any(isinstance(part, TrainedWeights) for part in parts):
            own[field.name] = value
    return own


def exceeds_noise(a: Measured, b: Measured) -> str:
    """Whether two means over seeds differ by more than the seeds explain, in words."""
    if a.mean == b.mean and not (a.spread or b.spread):
        return "equal"
    beyond = beyond_noise(a, b)
    if beyond is None:
        return UNKNOWN
    return EXCEEDS if beyond else WITHIN


def changes(a: Side, b: Side) -> pd.DataFrame:
    """The settings in which the two differ, by path."""
    ours, theirs = a.view.study.settings.flat(), b.view.study.settings.flat()
    return _differing("setting", ours, theirs)


def choices(a: Side, b: Side) -> pd.DataFrame:
    """What the searches that are done in both chose, where that differs."""
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
    """Everything, for people."""
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
    below = [("Settings that differ", changed), ("Chosen otherwise by searches", chosen)]
    counts = data["verdict"].value_counts() if len(data) else {}
    foot = [f"{count} of {len(data)}: {verdict}" for verdict, count in dict(counts).items()]
    foot += [
        f"{letter} was made by commit {', '.join(side.commits)}"
        for letter, side in (("A", a), ("B", b))
        if side.commits
    ]
    study = a.view.study
    return Document(
        f"{study.name}: A = {a.label}, B = {b.label}",
        f"{study.exhibit}. {study.title}; ± over seeds",
        [("", text), *((title, table) for title, table in below if len(table))],
        foot if len(changed) else [*foot, "the settings are the same"],
    )


def _number(mean: float | None, spread: float | None) -> str:
    if mean is None or pd.isna(mean):
        return "-"
    return f"{mean:.4g}" + ("" if spread is None or pd.isna(spread) else f" ±{spread:.2g}")


def main(argv: list[str] | None = None) -> int:
    """The command line; returns the exit code."""
    about = (__doc__ or "").split("\n")[0]
    parser = Arguments(prog="python -m dashboards.compare", description=about)
    parser.add_argument("a", metavar="A", help="a store, or STORE@SCALE")
    parser.add_argument("b", metavar="B", help="the same")
    parser.add_argument("name", metavar="NAME", nargs="?", help="study; default: the one in common")
    parser.add_argument("--format", choices=FORMATS, default="rich", help="default: rich")

    def command(args: argparse.Namespace) -> int:
        a, b = open_side(args.a, args.name, args.b), open_side(args.b, args.name, args.a)
        if args.format == "csv":
            print(cells(a, b).to_csv(index=False, lineterminator="\n"), end="")
        else:
            style = as_markdown if args.format == "markdown" else as_rich
            print(style(document(a, b)), end="")
        return 0

    return run_command(parser, command, argv)


if __name__ == "__main__":
    sys.exit(main())
