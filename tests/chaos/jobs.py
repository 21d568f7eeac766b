"""Scenarios that are files of tests on a real head: pytest runs each file."""

import re
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def submitted(folder: Path) -> str:
    """Runs the tests of job submission, which start one real head and share it."""
    n_passed = _passed(HERE / "test_job_submission.py", folder)
    return f"{n_passed} tests: it goes on, stops cleanly, continues, tells its exit code"


def blind_nodes(folder: Path) -> str:
    """Runs the tests of nodes that lack the store or a module."""
    _passed(HERE / "test_blind_nodes.py", folder)
    return "exit code 2 with one line that names the node; no job ran, nothing was written"


def _passed(tests: Path, folder: Path) -> int:
    """Returns how many tests of a file passed; raises AssertionError unless all did."""
    command = [sys.executable, "-m", "pytest", "-q", str(tests), f"--basetemp={folder / 'pytest'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    return int(passed.group(1))
