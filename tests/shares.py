"""Shares of the tests, which `make test` gives to one process at a time, the longest first.

A long share that started late would run alone at the end. `make durations` measures the times of
the shares and stores them in `durations.json`.
"""

import json
import math
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
DURATIONS = Path(__file__).with_name("durations.json")


TOGETHER = {
    "tests/services/": "tests/services",
    "tests/studies/whole/": "tests/studies/whole",
    "tests/dashboards/test_whole_studies.py": "tests/studies/whole",
    "tests/tuning/execution/runner/": "tests/tuning/execution/runner",
}
"""Shares of files whose tests run in one process, one after another; a key begins their names."""


def share(nodeid):
    """Returns the share of a test: that of `TOGETHER`, or else its file.

    One share for the tests that need the servers of a team starts the servers only once, one for
    the tests of whole studies builds the studies once, and one for the tests of the runner starts
    Ray once. The share of the servers also runs
    tests/services/test_mlflow.py, which counts all runs, before test_secrets.py, which adds runs.
    """
    file = nodeid.split("::")[0]
    return next((of for start, of in TOGETHER.items() if file.startswith(start)), file)


def recorded():
    """Returns the seconds of each share as last recorded."""
    return json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}


def longest_first(shares, seconds):
    """Returns the shares in the order in which they should start.

    Args:
        shares: names of the shares.
        seconds: time of each measured share; a share without a time may be long, so it comes first.
    """
    return sorted(shares, key=lambda name: -seconds.get(name, math.inf))


class DurationRecorder:
    """A plugin of the process that distributes the tests: records the time of each share."""

    def __init__(self):
        self._seconds = Counter()

    def pytest_runtest_logreport(self, report):
        """Adds the time of the setup, the call or the teardown of a test."""
        self._seconds[share(report.nodeid)] += report.duration

    def pytest_sessionfinish(self):
        """Writes the times of the shares that ran; removes shares that no longer exist."""
        kept = {name: of for name, of in recorded().items() if (ROOT / name).exists()}
        kept |= {name: round(of, 1) for name, of in self._seconds.items()}
        DURATIONS.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n")
