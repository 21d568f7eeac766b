"""Shares of the tests: what `make test` gives to one process at a time, the longest first.

A long share that is begun late would run alone at the end. How long each takes is measured by
`make durations` and kept in `durations.json`.
"""

import json
import math
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).parent.parent
DURATIONS = Path(__file__).with_name("durations.json")


def share(nodeid):
    """The share that a test belongs to: its file, or all tests that need the team's servers.

    So the servers are started once, and tests/services/test_mlflow.py, which counts what there is,
    comes before test_secrets.py, which adds to it.
    """
    return "tests/services" if nodeid.startswith("tests/services/") else nodeid.split("::")[0]


def recorded():
    """Seconds of each share as they were last recorded."""
    return json.loads(DURATIONS.read_text()) if DURATIONS.exists() else {}


def longest_first(shares, seconds):
    """The shares in the order in which they should begin.

    Args:
        shares: their names.
        seconds: of those that were measured; a share that was not may be long, so it comes first.
    """
    return sorted(shares, key=lambda name: -seconds.get(name, math.inf))


class DurationRecorder:
    """A plugin of the process that hands out the tests: records what each share took."""

    def __init__(self):
        self._seconds = Counter()

    def pytest_runtest_logreport(self, report):
        """Adds the setup, the call or the teardown of a test."""
        self._seconds[share(report.nodeid)] += report.duration

    def pytest_sessionfinish(self):
        """Writes the times of the shares that ran; drops those of shares that are no more."""
        kept = {name: of for name, of in recorded().items() if (ROOT / name).exists()}
        kept |= {name: round(of, 1) for name, of in self._seconds.items()}
        DURATIONS.write_text(json.dumps(kept, indent=0, sort_keys=True) + "\n")
