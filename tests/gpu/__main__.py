"""Runs the script: ``python -m tests.gpu [--miniature] [--output FILE] [--seconds N]``."""

import argparse
import json
import sys
import time
from pathlib import Path
from typing import Any

import torch

from tests.gpu.equality import check_all
from tests.gpu.machine import Machine
from tests.gpu.memory import check_memory
from tests.gpu.rows import Table, hours_of_table_1
from tests.gpu.sizes import MINIATURE, PAPER
from tests.gpu.study import try_study

LIMIT_SECONDS = 420.0
"""Seconds after which no further part starts; one may then still be running."""


def main(arguments: list[str] | None = None) -> int:
    """Returns the exit code: 0 if all checks passed, 1 if one failed, 2 without a GPU."""
    parser = argparse.ArgumentParser(prog="python -m tests.gpu", description=__doc__)
    parser.add_argument("--miniature", action="store_true", help="small sizes, also on a CPU")
    parser.add_argument("--output", type=Path, default=Path("gpu.json"), help="JSON file to write")
    parser.add_argument("--seconds", type=float, default=LIMIT_SECONDS, help="time limit")
    options = parser.parse_args(arguments)
    if not torch.cuda.is_available() and not options.miniature:
        print(
            "error: this script needs a GPU that PyTorch sees, but there is none: run it on a "
            "machine with a GPU, or add --miniature to try it on a CPU",
            file=sys.stderr,
        )
        return 2
    device = torch.device("cuda:0" if torch.cuda.is_available() else "cpu")
    found = measured(Machine(device, options.seconds), miniature=options.miniature)
    options.output.write_text(json.dumps(found, indent=1))
    print("\n".join(lines(found)))
    print(f"written to {options.output}")
    return 0 if all(check["passed"] for check in found["checks"]) else 1


def measured(machine: Machine, *, miniature: bool) -> dict[str, Any]:
    """Runs all parts that the machine and the time allow; returns the content of the JSON file."""
    started, sizes = time.monotonic(), MINIATURE if miniature else PAPER
    check_all(machine, sizes)
    with machine.part("memory"):
        check_memory(machine, sizes)
    study = try_study(machine)
    found: dict[str, Any] = {"machine": machine.described(), "study": study, "rows": []}
    with machine.part("table of times"):
        table = Table(machine, sizes)
        found |= {"rows": table.rows, "peaks": table.peaks}
        table.measure_all()
    with machine.part("hours of Table 1"):
        found["hours_of_table_1"] = hours_of_table_1(found["rows"])
    return found | {
        "checks": machine.checks, "skipped": machine.skipped, "miniature": miniature,
        "seconds": time.monotonic() - started,
    }  # fmt: skip


def lines(found: dict[str, Any]) -> list[str]:
    """Returns the lines of the table."""
    machine = found["machine"]
    said = [f"{machine['device']}, torch {machine['torch']}, {found['seconds']:.0f} s"]
    failed = [check for check in found["checks"] if not check["passed"]]
    said.append(f"{len(found['checks'])} checks, {len(failed)} failed")
    said += [f"FAILED {c['name']}: {c.get('error', c.get('value'))}" for c in failed]
    said += [f"skipped {what}" for what in found["skipped"]]
    for precision, peak in found.get("peaks", {}).items():
        said.append(f"peak of a matrix product, {precision}: {peak / 1e12:.4g}e12 multiply-adds/s")
    said.append(
        f"{'ours / plain':54} ratio  quartiles      ms  bf16    images/s  busy  of peak  bf16"
    )
    for row in found["rows"]:
        low, high = row["quartiles"]
        busy = "   -" if row["busy"] is None else f"{row['busy']:4.2f}"
        said.append(
            f"{row['name']:54} {row['ratio']:5.3f}  {low:.3f}-{high:.3f} "
            f"{1000 * row['ours_seconds']:6.0f} {row['bf16_ratio']:5.3f} "
            f"{row['images_per_second']:11.1f}  {busy}  {row['share_of_peak']:6.1%} "
            f"{row['bf16_share_of_peak']:6.1%}"
        )
    for name, hours in found.get("hours_of_table_1", {}).items():
        said.append(f"Table 1, {name}: {hours:.4g} hours")
    for run in found["study"]:
        said.append(f"study at {run['share']} GPU a sampling job: {run['seconds']:.0f} s")
    return said


if __name__ == "__main__":
    sys.exit(main())
