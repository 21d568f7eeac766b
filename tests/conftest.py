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
