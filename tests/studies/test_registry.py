"""Tests that studies are found by name, and that scales are turned into settings in one place."""

from importlib import import_module

import pytest

from scorelib.errors import InputError
from studies.registry import STUDIES, find_study


@pytest.mark.parametrize("name", STUDIES)
def test_settings_of_a_scale_are_the_module_s_of_that_name(name):
    module, found = import_module(STUDIES[name].module), find_study(name)
    assert found.settings("demo") == module.demo()
    assert found.settings("paper") == module.paper()


@pytest.mark.parametrize("name", STUDIES)
def test_an_unknown_scale_is_refused_with_the_choices(name):
    with pytest.raises(InputError, match="must be one of demo, paper, but got 'study'"):
        find_study(name).settings("study")


def test_an_unknown_name_is_refused_with_the_nearest():
    with pytest.raises(InputError, match="nearest is 'dlsm_lambda'"):
        find_study("dlsm_lamda")


def test_a_name_is_taken_for_a_file_only_if_the_file_is_there(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        find_study("my_study")
    assert "nearest" not in str(refused.value)
    (tmp_path / "my_study.py").touch()
    with pytest.raises(InputError, match=r"the nearest is 'my_study\.py'$"):
        find_study("my_study")
