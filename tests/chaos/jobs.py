"""Scenario of a study that is submitted to a cluster as a job: pytest runs its tests."""

import re
import subprocess
import sys
from pathlib import Path

TESTS = Path(__file__).with_name("test_job_submission.py")


def submitted(folder: Path) -> str:
    """Runs the tests of job submission, which start one real head and share it."""
    command = [sys.executable, "-m", "pytest", "-q", str(TESTS), f"--basetemp={folder / 'pytest'}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stdout
    passed = re.search(r"(\d+) passed", done.stdout)
    assert passed, done.stdout
    return f"{passed.group(1)} tests: it goes on, stops cleanly, continues, tells its exit code"
