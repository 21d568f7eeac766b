"""Tests of names of the same letters in two Unicode forms: equal where typed, said where stored."""

import dataclasses
import unicodedata

import pytest
from PIL import Image

from scorelib.data import ImageFolder
from scorelib.data.own import own_data
from scorelib.errors import InputError, MissingDataError
from scorelib.spec import Spec
from scorelib.spec_paths import component_types, replace_paths, replaced
from scorelib.unicode_forms import known_form, letters, other_form

COMPOSED, APART = "caf\u00e9", "cafe\u0301"


def test_a_known_name_is_found_by_its_letters():
    assert letters(APART) == COMPOSED != APART
    assert known_form(APART, ["x", COMPOSED]) == COMPOSED
    assert known_form(COMPOSED, [APART]) == APART
    assert known_form(APART, [COMPOSED, APART]) == APART, "the exact name comes first"
    assert known_form("cafe", [COMPOSED]) == "cafe" and known_form(APART, []) == APART


def test_a_hint_names_the_file_of_the_same_letters(tmp_path):
    (tmp_path / COMPOSED).write_text("")
    assert r"'caf\xe9' there has the same letters" in other_form(tmp_path / APART)
    assert other_form(tmp_path / "cafe") == other_form(tmp_path / COMPOSED) == ""
    assert other_form(tmp_path / "nowhere" / APART) == ""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Sizes(Spec):
    KIND = "SizesOfATest"
    größe: int = 1


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_path_of_settings_is_found_in_both_forms(form):
    path = unicodedata.normalize(form, "gr\u00f6\u00dfe")
    assert replace_paths(Sizes(), {path: 3}) == Sizes(größe=3)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outer(Spec):
    KIND = "ÄußeresOfATest"
    inner: Sizes = Sizes()


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_paths_kinds_and_fields_of_components_are_found_in_both_forms(form):
    def written(text):
        return unicodedata.normalize(form, text)

    wanted = Outer(inner=Sizes(größe=3))
    assert replace_paths(Outer(), {written("inner.größe"): 3}) == wanted
    assert replace_paths(Outer(), {"inner": {written("größe"): 3}}) == wanted
    assert replaced(Outer(), {written("inner.größe"): 3}) == wanted
    assert component_types(Group(), written("äußeres.inner")) == (Sizes,)
    assert replace_paths(Group(), {written("äußeres"): written("ÄußeresOfATest")}) == Group()
    with pytest.raises(InputError, match="größe must be int") as refusal:
        replace_paths(Outer(), {written("inner.größe"): "x"})
    assert refusal.value.fields == (written("inner.größe"),)


def test_a_field_that_is_given_in_both_forms_is_refused():
    both = {unicodedata.normalize(form, "inner.größe"): 3 for form in ("NFC", "NFD")}
    with pytest.raises(InputError, match=r"inner\.größe must be given once, but .* two Unicode"):
        replace_paths(Outer(), both)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Group(Spec):
    KIND = "GroupOfATest"
    äußeres: Outer = Outer()


def fill(folder, *names):
    folder.mkdir(parents=True)
    for i, name in enumerate(names):
        Image.new("L", (8, 8), 20 * i).save(folder / f"{name}.png")


def test_classes_of_two_splits_in_two_forms_are_told_apart_in_words(tmp_path):
    fill(tmp_path / "train" / COMPOSED, "a", "b")
    fill(tmp_path / "test" / APART, "a", "b")
    with pytest.raises(MissingDataError, match="two Unicode forms: rename one of them") as caught:
        ImageFolder.of(tmp_path, size=8)
    assert r"'cafe\u0301' in test and 'caf\xe9' in train" in str(caught.value)


def test_files_whose_names_changed_their_form_are_said_to_be_the_same(tmp_path):
    names = "\u00e9", "f", "x", "z\u00e9"
    fill(tmp_path / "a" / "pictures", *names)
    fill(tmp_path / "b" / "pictures", *(unicodedata.normalize("NFD", name) for name in names))
    data = ImageFolder.of(tmp_path / "a" / "pictures", size=8)
    moved = ImageFolder.of(tmp_path / "b" / "pictures", size=8)
    for spec, folder, form in ((data, "b", "NFC"), (moved, "a", "NFD")):
        with pytest.raises(MissingDataError, match="the same images have the same letters") as at:
            spec.load("train", tmp_path / folder)
        assert f"another Unicode form than {form}: rename them" in str(at.value)
    fill(tmp_path / "c" / "pictures", *names, "more")
    with pytest.raises(MissingDataError, match="must hold the images of digest"):
        data.load("train", tmp_path / "c")


def test_a_folder_in_the_other_form_is_pointed_at(tmp_path):
    fill(tmp_path / COMPOSED, "a", "b", "c", "d", "e")
    data = own_data(tmp_path / COMPOSED, {"size": 8})
    (tmp_path / COMPOSED).rename(tmp_path / APART)
    with pytest.raises(InputError, match=r"'cafe\\u0301' there has the same letters"):
        data.load("train", tmp_path)
