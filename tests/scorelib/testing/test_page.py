"""Tests of the example in docs/own_components.md: it passes, and fails with the line shown."""

import importlib.util
import re
from pathlib import Path

import pytest

import scorelib.testing

PAGE = (Path(__file__).parents[3] / "docs" / "own_components.md").read_text()
(EXAMPLE,) = re.findall(r"^```python\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)


def imported(tmp_path, code):
    """Returns the module of a user's file with some code."""
    file = tmp_path / "my_network.py"
    file.write_text(code)
    found = importlib.util.spec_from_file_location("my_network", file)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


def test_the_example_passes_and_is_short(tmp_path):
    imported(tmp_path, EXAMPLE).test_my_network()
    assert len([line for line in EXAMPLE.splitlines() if line.strip()]) <= 20


def test_the_example_fails_with_the_line_shown(tmp_path):
    (shown,) = re.findall(r"^    AssertionError: (.*)$", PAGE, re.MULTILINE)
    returned = "return self.outer(self.inner(x).relu()) / sigma.reshape(-1, 1, 1, 1)"
    assert returned in EXAMPLE
    broken = EXAMPLE.replace(returned, returned.replace("return ", "return (") + ")[:, :1]")
    with pytest.raises(AssertionError) as caught:
        imported(tmp_path, broken).test_my_network()
    assert str(caught.value) == shown


def test_the_page_names_every_contract():
    in_tuning = {"check_protocol", "check_job", "check_score_model"}
    assert {*re.findall(r"`(check_\w+)", PAGE)} == {*scorelib.testing.__all__, *in_tuning}


def test_the_contracts_import_no_test_framework():
    for path in Path(scorelib.testing.__file__).parent.glob("*.py"):
        imported_names = re.findall(r"^ *(?:import|from) (\w+)", path.read_text(), re.MULTILINE)
        assert not {*imported_names} & {"pytest", "unittest", "hypothesis"}
