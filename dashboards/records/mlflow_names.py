"""Names of cells in MLflow: run names that begin with what differs, and short parameter names.

MLflow cuts long names and opens a comparison with the first three parameters that differ. A cell's
run therefore has only the parameters that people compare and those in which the cells of its table
differ, under short names; the whole spec is the file ``spec.json`` of the run.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from tuning.cells import Cell
from tuning.jobs import Job
from tuning.study import Study

_ALWAYS = {
    "sample.sampler.spec": "sampler",
    "sample.sampler.n_sigma": "n_sigma",
    "sample.ema": "ema",
    "sample.model.iteration": "iteration",
}
"""Parameters that every cell with samples shows, by path in the spec of its score."""


@lru_cache(maxsize=8)
def parameter_names(study: Study) -> dict[str, str]:
    """Returns the short names of the parameters that cells of a study show, by path in their specs.

    Of the parameters in which the cells differ, those are left out that tell nothing more: that
    exist in some cells only, that repeat another parameter, or that tell the same cells apart as
    the kind of a component does, from which they follow.

    Args:
        study: the study.
    """
    specs = [spec for cell in study.cells if (spec := _spec(cell))]
    shared = [path for path in specs[0] if all(path in spec for spec in specs)] if specs else []
    varied = {n for s in study.searches for n in s.space.distributions(s.starts)}
    values = {path: [str(spec[path]) for spec in specs] for path in shared}
    wanted = [
        path
        for path, of in values.items()
        if len(set(of)) > 1 and path not in _ALWAYS and path.rpartition(".")[2] not in varied
    ]
    kept: list[str] = []
    kinds = {_parts(values[path]) for path in shared if path.endswith("spec")}
    for path in sorted(wanted, key=lambda path: not path.endswith("spec")):
        is_new = all(values[path] != values[other] for other in kept)
        if is_new and (path.endswith("spec") or _parts(values[path]) not in kinds):
            kept.append(path)
    always = {path: name for path, name in _ALWAYS.items() if any(path in s for s in specs)}
    for n_parts in range(1, 9):
        short = {path: _short(path, n_parts) for path in kept}
        taken = Counter([*always.values(), *short.values()])
        always |= {path: name for path, name in short.items() if taken[name] == 1}
        kept = [path for path in kept if path not in always]
    return always


def _parts(values: Sequence[str]) -> tuple[int, ...]:
    """Returns which values are equal: for each value, the place of the first equal value."""
    return tuple(values.index(value) for value in values)


def parameters(study: Study, job: Job) -> dict[str, Any]:
    """Returns the parameters that the run of a cell shows, by short name.

    Args:
        study: study of the cell.
        job: first job of the cell.
    """
    spec = job.flat()
    return {name: spec[path] for path, name in parameter_names(study).items() if path in spec}


def run_name(study: Study, cell: Cell) -> str:
    """Returns the name of a cell's run, such as "ALS n=1 · adversarial".

    Rows that differ in sampler and steps per level are named after these; a part that is equal in
    all cells is left out.

    Args:
        study: study of the cell.
        cell: the cell.
    """
    rows = {of.row: _sampler(of) for of in study.cells if of.is_measured}
    is_told = len(set(rows.values())) == len(rows) > 1 and None not in rows.values()
    row = (is_told and rows.get(cell.row)) or cell.row
    columns = {of.column for of in study.cells}
    n_rows = len({of.row for of in study.cells})
    parts = [row] * (n_rows > 1 or len(columns) == 1) + [cell.column] * (len(columns) > 1)
    return " · ".join(parts)


def _spec(cell: Cell) -> Mapping[str, Any]:
    """Returns the fields of a cell's job as far as they are known before any search."""
    jobs = cell.jobs(cell.search.space.template if cell.search else None)
    return jobs[0].flat() if jobs else {}


def _sampler(cell: Cell) -> str | None:
    """Returns sampler and steps per level of a cell, such as "ALS n=1"; None without them."""
    spec = _spec(cell)
    kind, steps = (spec.get(f"sample.sampler.{name}") for name in ("spec", "n_sigma"))
    return None if kind is None or steps is None else f"{str(kind).upper()} n={steps}"


def _short(path: str, n_parts: int) -> str:
    """Returns the last parts of a path; the kind of a component has the name of the component."""
    return ".".join(path.removesuffix(".spec").split(".")[-n_parts:]).replace("spec", "job")
