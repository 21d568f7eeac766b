"""Runs faults one after another: ``python -m tests.chaos [NAME ...]`` prints a table of outcomes.

A scenario is a function that takes an empty folder. It returns its measurements as text or raises
AssertionError.
"""

import shutil
import sys
import tempfile
import time
import traceback
from pathlib import Path

from rich.console import Console
from rich.table import Table

from tests.chaos import SCENARIOS

FAILED, WRONG = 1, 2


def main(names: list[str]) -> int:
    """Runs the named scenarios, or all; returns 1 if any failed, 2 if a name is unknown."""
    console = Console(width=120)
    if unknown := [name for name in names if name not in SCENARIOS]:
        print(f"no such scenario: {unknown[0]}; there are {', '.join(SCENARIOS)}", file=sys.stderr)
        return WRONG
    table = Table("fault", "outcome", "seconds", title="Faults and outcomes")
    failed = False
    for name in names or SCENARIOS:
        fault, scenario = SCENARIOS[name]
        console.print(f"{name}: {fault} ...", highlight=False)
        folder, started = Path(tempfile.mkdtemp(prefix="chaos-")), time.monotonic()
        try:
            outcome = scenario(folder)
        except Exception as error:
            traceback.print_exc()
            failed, outcome = True, f"[bold]FAILED[/bold]: {error!r}"
        else:
            shutil.rmtree(folder)
        table.add_row(fault, outcome, f"{time.monotonic() - started:.0f}")
    console.print(table)
    return FAILED if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
