"""Shared fixtures: one torch thread, a fresh store, tiny specs."""

import os

# Before torch is imported anywhere: tests share two cores with Ray's workers.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from tuning.store import Store

torch.set_num_threads(1)


@pytest.fixture
def store(tmp_path):
    """An empty store in a folder of its own."""
    return Store(str(tmp_path / "store"), create=True)


LONGEST_FIRST = (
    "studies/test_crashes.py", "tuning/test_runner_failures.py", "studies/test_studies.py",
    "tuning/test_engine.py", "services/test_secrets.py", "tuning/test_session.py",
    "tuning/test_runner.py", "dashboards/test_serve.py", "services/test_mlflow.py",
)  # fmt: skip
"""The longest files, which `make test` shares out to processes as they are: begun late, one of them
would run alone at the end."""


def pytest_collection_modifyitems(items):
    def place(item):
        name = "/".join(item.path.parts[-2:])
        return LONGEST_FIRST.index(name) if name in LONGEST_FIRST else len(LONGEST_FIRST)

    items.sort(key=place)
