"""Tests of a user's data as the value of a setting, through the real settings of studies."""

import json

import numpy as np
import pytest
from PIL import Image

from scorelib.data import Digits, ImageFolder
from scorelib.errors import InputError
from studies.opening.open_study import changed_settings, configured

NAME = "cifar_sampling_eps"


@pytest.fixture
def pics(tmp_path):
    folder = tmp_path / "photos" / "pics"
    folder.mkdir(parents=True)
    for i in range(8):
        pixels = np.random.default_rng(i).integers(0, 256, (12, 12, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / f"{i}.png")
    return folder


def settings_of(*changes):
    return configured(NAME, "demo", ["train.batch_size=2", *changes])


def test_a_folder_becomes_the_data_and_its_parent_the_root(pics):
    settings = settings_of(f"train.data={pics}")
    data = settings.train.data
    assert isinstance(data, ImageFolder) and data.folder == "pics"
    assert (data.size, data.channels) == (8, 3)  # those of the photographs
    assert settings.data.root == str(pics.parent)


def test_python_values_give_the_same_settings_as_text(pics):
    options = {"folder": str(pics), "size": 12, "n_test": 3}
    for text, value in ((str(pics), str(pics)), (json.dumps(options), options)):
        expected = configured(NAME, "demo", ["train.batch_size=2", f"train.data={text}"])
        values = {"train.batch_size": 2, "train.data": value}
        assert changed_settings(NAME, "demo", values) == expected
    digits = changed_settings(NAME, "demo", {"train.data": Digits(), "data.root": None})
    assert digits.train.data == Digits() and digits.data.root is None


def test_options_are_given_as_json(pics):
    options = {"folder": str(pics), "size": 12, "channels": 3, "n_test": 3, "split_seed": 5}
    data = settings_of(f"train.data={json.dumps(options)}").train.data
    assert (data.shape, data.n_test, data.split_seed) == ((3, 12, 12), 3, 5)


def test_a_name_is_looked_for_in_data_root(pics, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    settings = settings_of("train.data=pics", f"data.root={pics.parent}")
    assert settings.train.data.folder == "pics" and settings.data.root == str(pics.parent)


def test_a_home_folder_is_expanded(pics, monkeypatch):
    monkeypatch.setenv("HOME", str(pics.parent))
    assert settings_of("train.data=~/pics").data.root == str(pics.parent)


def test_kinds_and_specs_stay_what_they_are():
    assert settings_of("train.data=Digits").train.data == Digits()


def test_data_sets_in_two_folders_are_refused(pics, tmp_path):
    with pytest.raises(InputError, match="must be in one folder") as refusal:
        settings_of(f"train.data={pics}", f"data.root={tmp_path}")
    assert refusal.value.fields == ("data.root",)


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("/no/such/folder", "must be a folder"),
        ("Digitz", "train.data must be a folder .*or one of the kinds .*; the nearest is 'Digits'"),
        ('{"folder": "/no/such/folder"}', "must be a folder"),
        ('{"folder": "PICS", "sise": 3}', "must have options among"),
        ('{"folder": "PICS", "n_test": 7}', "2 <= n_test <= 6"),
        ('{"folder": "PICS", "size": 2}', "at least 4 pixels"),
    ],
)
def test_folders_and_options_that_cannot_be_are_refused(pics, value, words):
    with pytest.raises(InputError, match=words):
        settings_of(f"train.data={value.replace('PICS', str(pics))}")


def test_shares_of_classes_need_a_classifier_of_as_many_classes(pics):
    changes = ["train.batch_size=2", f"train.data={pics}"]
    with pytest.raises(InputError, match="the 1 classes of pics, but digits has 10"):
        configured("mnist_initial_noise", "demo", changes)
    changes.append(f"classifier.data={pics}")
    assert configured("mnist_initial_noise", "demo", changes).classifier.data.name == "pics"


def test_a_folder_may_stand_in_a_file_and_later_folders_are_looked_up_beside_it(pics, tmp_path):
    file = tmp_path / "my.toml"
    file.write_text(f'train.batch_size = 2\n[train.data]\nfolder = "{pics}"\nn_test = 3\n')
    at = configured(NAME, "demo", [], str(file))
    assert at.train.data.n_test == 3 and at.data.root == str(pics.parent)
    again = configured(NAME, "demo", ["extractor.classifier.data=pics"], str(file))
    assert again.extractor.classifier.data.digest == at.train.data.digest
    assert again.data == at.data


def test_a_root_may_be_given_as_json(pics):
    settings = settings_of(f'data.root="{pics.parent}"', "train.data=pics")
    assert settings.data.root == str(pics.parent) and settings.train.data.folder == "pics"
