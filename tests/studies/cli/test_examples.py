"""Tests of the examples in ``docs/examples``: short, and measured through the real jobs."""

import sys
from pathlib import Path

import pytest

from dashboards.table import main as table
from studies.opening.open_study import configured, record_last_run
from studies.registry import find_study
from tests.tuning.draining import drain
from tuning import own_modules
from tuning.store.store import Store

RINGS = Path(__file__).parents[3] / "docs" / "examples" / "rings.py"
SMALL = {"widths": "[4]", "iterations": "40"}
"""Small values of settings, in place of those of the example."""


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    monkeypatch.setattr(own_modules, "_LOADED", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("rings", None)


def test_the_example_has_at_most_sixty_lines_of_code():
    docstring, *code = [line for line in RINGS.read_text().splitlines() if line.strip()]
    assert docstring.startswith('"""') and docstring.endswith('"""') and len(code) <= 60


def test_own_data_network_schedule_extractor_and_metric_fill_a_table(tmp_path, capsys):
    changes = [f"{path}={value}" for path, value in SMALL.items()]
    settings = configured(str(RINGS), "demo", changes)
    study = find_study(str(RINGS)).study("demo", settings)
    assert len(study.cells) == 2
    store = Store(str(tmp_path / "store"), create=True)
    record_last_run(store, study)
    drain(study, store)
    assert table([str(RINGS), "--store", store.url, "--format", "csv"]) == 0
    printed = capsys.readouterr().out
    assert "fd[blur]" in printed and "ink" in printed
    (values,) = [line for line in printed.splitlines() if "width 4,ink,raw" in line] or [printed]
    assert "nan" not in values
