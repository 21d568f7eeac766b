"""What failed in a study, why, and what became of each failure."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dashboards.results.cells import StudyView

_BECAME = {
    "a result": "kept as the job's result; the study goes on",
    "tried again": "the job runs again",
    "given up": "given up after three attempts; the next launch tries again",
}


@dataclass(frozen=True)
class FailureLine:
    """A failure.

    Attributes:
        what: job, cell or trial that failed.
        cause: cause of the failure.
        then: what became of the failure.
    """

    what: str
    cause: str
    then: str


def failure_lines(view: StudyView, status: Mapping[str, Any] | None) -> list[FailureLine]:
    """Returns the failures of the latest launch, and those that are results of cells and trials.

    Args:
        view: results of the study so far.
        status: status of the latest launch; None if there is none.
    """
    found = [
        FailureLine(f["job"], f["cause"], _BECAME.get(f["then"], f["then"]))
        for f in (status["failures"] if status else [])
        if f["then"] != "a result"
    ]
    for cell in view.cells:
        if cell.failed:
            found.append(FailureLine(f"cell {cell.cell.name}", cell.failed, "the cell stays empty"))
    for run in view.runs.values():
        failed = [t for t in run.trials if t.result is not None and t.result.failed]
        for cause in dict.fromkeys(t.result.failed for t in failed if t.result):
            numbers = [t.number for t in failed if t.result and t.result.failed == cause]
            named = ", ".join(map(str, numbers[:5])) + (", ..." if len(numbers) > 5 else "")
            what = f"{run.search.name}: {len(numbers)} of {len(run.trials)} trials ({named})"
            found.append(FailureLine(what, str(cause), _BECAME["a result"]))
    return found
