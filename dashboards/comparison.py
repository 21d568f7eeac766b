"""Compares two runs of a study: which cells, settings and choices of searches differ.

A difference exceeds the noise if the 95 % confidence interval of the difference of the means over
seeds (Welch's, for unequal variances) does not contain 0. With a single seed the noise is unknown.
Numbers of different protocols are not subtracted.
"""

import dataclasses
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import pandas as pd

from dashboards.results.cells import CellView, Measured, StudyView
from dashboards.results.searches import shown_value
from dashboards.results.verdicts import beyond_noise
from dashboards.text.formats import Document
from scorelib.spec import Spec
from scorelib.unicode_forms import letters
from tuning.jobs import Job
from tuning.stages import ScoreModel, TrainedWeights
from tuning.store.provenance import Launch

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


def commits_of(made: Iterable[Launch]) -> tuple[str, ...]:
    """Returns the commits of launches in words, each once, in order."""
    codes = (f"commit {m.commit}" if m.commit else "code outside a checkout" for m in made)
    return tuple(dict.fromkeys(codes))


def cells(a: Side, b: Side) -> pd.DataFrame:
    """Returns a table with one row for each cell and quantity of either run.

    Cells of the same letters are the same, whatever the Unicode form of their labels.
    """
    sides = [{letters(cell.cell.name): cell for cell in side.view.cells} for side in (a, b)]
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
