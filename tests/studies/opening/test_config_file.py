"""Tests of files of settings: changes, refusals, and going round for all studies."""

import tomllib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scorelib.errors import InputError
from scorelib.schedules import ExplicitSchedule, LinearSchedule
from scorelib.spec_paths import replace_paths
from studies.opening.open_study import configured
from studies.opening.setting_list import _toml, as_toml
from studies.registry import STUDIES, find_study

NAME = "cifar_sampling_eps"


@pytest.fixture
def write(tmp_path):
    """Returns a function that writes a file of settings and returns its path."""

    def written(text):
        (tmp_path / "my.toml").write_text(text)
        return str(tmp_path / "my.toml")

    return written


@pytest.mark.parametrize("scale", ["demo", "paper"])
@pytest.mark.parametrize("name", STUDIES)
def test_a_written_file_gives_the_settings_back_at_either_scale(name, scale, write):
    settings = find_study(name).settings(scale)
    file = write(as_toml(settings))
    for at in ("demo", "paper"):
        assert configured(name, at, [], file) == settings


def test_changed_settings_go_round_too(write):
    changes = {
        "train.schedule": '{"spec": "ExplicitSchedule", "sigmas": [7, 3, 1, 0.3, 1e-05]}',
        "search.als_epsilon": "0.001", "execution.timeouts.train": "1e17",
        "data.root": 'a "b" \\ é',
        "train.data": "Photographs", "projections.optuna": "sqlite:///x.db",
    }  # fmt: skip
    settings = replace_paths(find_study(NAME).settings("demo"), changes)
    assert configured(NAME, "demo", [], write(as_toml(settings))) == settings


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_text_is_written_as_toml_reads_it(text):
    assert tomllib.loads(f"a = {_toml(text)}") == {"a": text}


def test_tables_dotted_keys_and_kinds_change_settings(write):
    file = write("""
        seeds = 3
        train.optimizer.learning_rate = 2e-4
        extractor.classifier.width = 4
        "train.seed" = 5
        search.als_epsilon = "null"
        [train.schedule]
        spec = "ExplicitSchedule"
        sigmas = [7, 3, 1, 0.3, 0.05]
    """)
    at, default = configured(NAME, "demo", [], file), find_study(NAME).settings("demo")
    assert (at.seeds, at.train.optimizer.learning_rate, at.extractor.classifier.width) == (
        3,
        2e-4,
        4,
    )
    assert at.train.schedule == ExplicitSchedule(sigmas=(7, 3, 1, 0.3, 0.05)) and at.train.seed == 5
    assert at.search.als_epsilon is None
    assert at.train.network == default.train.network and at.search == default.search


def test_changes_of_the_command_line_come_after_the_file(write):
    file = write(
        'seeds = 3\nn_images = 50\n[train.schedule]\nspec = "LinearSchedule"\nn_levels = 9'
    )
    at = configured(NAME, "demo", ["seeds=4", "train.schedule.sigma_1=5"], file)
    assert (at.seeds, at.n_images) == (4, 50)
    assert at.train.schedule == LinearSchedule(sigma_1=5.0, sigma_L=0.1, n_levels=9)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("train.sede = 1", "got 'train.sede'; the nearest is 'train.seed'$"),
        ("[trian]", "got 'trian'; the nearest is 'train'$"),
        ("lr = 1", "the nearest are 'train.optimizer.learning_rate', "),
        ("spec = 'x'", "got 'spec'"),
        ("seeds = 0", "my.toml: seeds must be at least 1, but got 0$"),
        ("n_images = 50\nseeds = 0\nema = 0.99", "my.toml: seeds must be at least 1"),
        ("search.keep = 0\nsearch.n_trials = 0", "my.toml, search.keep, search.n_trials: a search"),
        ("[train]\nseed = 'one'", "my.toml, train.seed: TrainSpec.seed must be int; got 'one'$"),
        ("[train]\nseed = '1'", "my.toml, train.seed: TrainSpec.seed must be int; got '1'$"),
        ("train.optimizer.learning_rate = nan", "train.optimizer.learning_rate: .*got nan"),
        ("[train.schedule]\nspec = 'Linar'", "my.toml: train.schedule must be one of the kinds"),
        ("[train.schedule]\nspec = 'ExplicitSchedule'", "my.toml: .*needs the field 'sigmas'"),
        ("[train.schedule]\nspec = 'LinearSchedule'\nlevels = 3", "'train.schedule.n_levels'"),
        ("seeds = 2026-01-01", "my.toml, seeds: values must be text, numbers, .*got 2026-01-01$"),
        ("seeds = ", "my.toml must hold TOML, but does not: Invalid value"),
        ("seeds = 1\nseeds = 2", "my.toml must hold TOML, but does not: Cannot overwrite"),
        ("data.root = 1", "my.toml, data.root: Files.root must be"),
    ],
)  # fmt: skip
def test_a_wrong_file_is_refused_with_its_name_and_the_key(write, text, words):
    with pytest.raises(InputError, match=words) as caught:
        configured(NAME, "demo", [], write(text))
    assert "my.toml" in str(caught.value) and caught.value.fields == ("config",)
    assert "\n" not in str(caught.value)


def test_a_file_that_is_not_there_or_no_text_is_refused(tmp_path):
    for path, words in ((tmp_path / "no.toml", "No such file"), (tmp_path, "Is a directory")):
        with pytest.raises(InputError, match=f"reading {path} failed .*{words}"):
            configured(NAME, "demo", [], str(path))
    (tmp_path / "x.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(InputError, match="must hold TOML"):
        configured(NAME, "demo", [], str(tmp_path / "x.toml"))
