"""Shared fixtures: one torch thread, a fresh store, tiny specs."""

import os

# Before torch is imported anywhere: tests share two cores with Ray's workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import hypothesis
import pytest
import torch

from tuning.store.store import Store

# What tables look like, and the way to servers of this machine, is for tests to say, not for the
# terminal and the network they are started from.
os.environ |= {
    "TERM": "xterm",
    "NO_PROXY": "127.0.0.1,localhost",
    "no_proxy": "127.0.0.1,localhost",
}
for name in ("NO_COLOR", "FORCE_COLOR", "TTY_COMPATIBLE", "COLUMNS"):
    os.environ.pop(name, None)

torch.set_num_threads(1)
# A busy machine stalls any example now and then.
hypothesis.settings.register_profile("tests", deadline=None)
hypothesis.settings.load_profile("tests")


@pytest.fixture
def store(tmp_path):
    """An empty store in a folder of its own."""
    return Store(str(tmp_path / "store"), create=True)


LONGEST_FIRST = (
    "tests/services", "tests/studies/cli/test_crashes.py",
    "tests/tuning/execution/test_runner_failures.py", "tests/studies/test_studies.py",
    "tests/tuning/scheduling/test_scheduler.py", "tests/tuning/execution/test_session.py",
    "tests/tuning/execution/test_runner.py", "tests/dashboards/test_serve.py",
)  # fmt: skip
"""The longest shares of the tests: begun late, one of them would run alone at the end."""


def share(nodeid):
    """What `make test` gives to one process: a file, or all tests that need the team's servers.

    So the servers are started once, and tests/services/test_mlflow.py, which counts what there is,
    comes before test_secrets.py, which adds to it.
    """
    return "tests/services" if nodeid.startswith("tests/services/") else nodeid.split("::")[0]


def pytest_collection_modifyitems(items):
    def place(item):
        name = share(item.nodeid)
        return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    if config.getoption("dist") != "loadfile":
        return None
    from xdist.scheduler import LoadFileScheduling

    class Shares(LoadFileScheduling):
        def _split_scope(self, nodeid):
            return share(nodeid)

    return Shares(config, log)
