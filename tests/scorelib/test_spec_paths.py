"""Tests of components by setting: another kind of spec at a path, with shared fields."""

import re
import sys
from dataclasses import dataclass

import pytest

from scorelib import spec
from scorelib.data import DataSpec, Digits, Photographs
from scorelib.errors import InputError
from scorelib.schedules import GeometricSchedule, LinearSchedule, Schedule
from scorelib.spec import Spec
from scorelib.spec_paths import UnknownPathError, component_types, kinds_at, replace_paths


@dataclass(frozen=True, kw_only=True)
class Inner(Spec):
    KIND = "test-paths-inner"

    data: DataSpec
    schedule: Schedule


@dataclass(frozen=True, kw_only=True)
class Outer(Spec):
    KIND = "test-paths-outer"

    train: Inner
    extra: DataSpec | None = None
    n: int = 3


OUTER = Outer(
    train=Inner(data=Digits(), schedule=GeometricSchedule(sigma_1=7.0, sigma_L=0.05, n_levels=20))
)


def test_a_kind_alone_keeps_the_shared_fields():
    changed = replace_paths(OUTER, {"train.schedule": "LinearSchedule"})
    assert changed.train.schedule.KIND == "LinearSchedule"
    shared = {name: getattr(changed.train.schedule, name) for name in ("sigma_1", "n_levels")}
    assert shared == {"sigma_1": 7.0, "n_levels": 20}
    assert changed.train.data == OUTER.train.data


@pytest.mark.parametrize("kind", ["LinearSchedule", "linear", '{"spec": "linear"}'])
def test_a_family_of_schedules_may_be_given_by_its_name(kind):
    assert replace_paths(OUTER, {"train.schedule": kind}).train.schedule.KIND == "LinearSchedule"


def test_json_sets_fields_and_paths_below_set_more():
    changed = replace_paths(
        OUTER,
        {"train.data": '{"spec": "Photographs", "size": 8}', "train.data.n": "40", "n": "5"},
    )
    assert changed.train.data == Photographs(size=8, n=40) and changed.n == 5


def test_json_without_a_kind_changes_fields_of_the_present_one():
    changed = replace_paths(OUTER, {"train.schedule": '{"n_levels": 7}'})
    assert changed.train.schedule == OUTER.train.schedule.replace(n_levels=7)


def test_a_component_can_be_a_spec_and_may_be_absent():
    changed = replace_paths(OUTER, {"extra": Photographs(), "train.data": Photographs()})
    assert changed.extra == changed.train.data == Photographs()
    assert replace_paths(changed, {"extra": "null"}).extra is None


@pytest.mark.parametrize(
    ("path", "value", "words"),
    [
        ("train.data", "Digitz", "must be one of the kinds .*; the nearest is 'Digits'"),
        ("train.data", "GeometricSchedule", "train.data must be one of the kinds"),
        ("train.data", "DataSpec", "train.data must be one of the kinds"),
        ("train.data", '{"spec": [1]}', "train.data must be one of the kinds"),
        ("extra", '{"n": 3}', "extra must be one of the kinds .*, but got None"),
        ("extra.n", "3", "extra must be one of the kinds .*, but got None"),
        ("train.data", "3", "train.data must be one of the kinds"),
        ("train.data", "null", "must be DataSpec"),
        ("train.data", '{"spec": "Photographs", "sise": 8}', "the nearest is 'train.data.size'"),
        ("train.data", '{"spec": "Photographs", "size": 1}', "4 <= size"),
        ("train.data", '{"spec": "ImageFolder", "folder": "x"}', "needs the field"),
        ("train.dada", "Digits", "the nearest is 'train.data'"),
        ("train.data", "", "train.data must be one of the kinds"),
        ("train.data.n.x", "3", "must be a field"),
        ("n.x", "3", "must be a field"),
    ],
)  # fmt: skip
def test_what_cannot_fit_is_refused(path, value, words):
    with pytest.raises(InputError, match=words):
        replace_paths(OUTER, {path: value})


@pytest.mark.parametrize(
    ("changes", "nearest"),
    [
        ({"train.schedule": "ExplicitSchedule", "train.schedule.n_levels": "3"}, None),
        ({"train.schedule": "ExplicitSchedule", "train.schedule.sgmas": "3"}, "sigmas"),
        ({"train.schedule": "linear", "train.schedule.sigmal": "3"}, "sigma_L"),
    ],
)
def test_a_suggestion_is_a_field_of_the_component_that_is_given(changes, nearest):
    """The fields of the component before the change would be a wrong suggestion."""
    wrong = list(changes)[-1]
    with pytest.raises(UnknownPathError, match=f"got '{wrong}'") as refused:
        replace_paths(OUTER, changes)
    suggested = re.findall(r"'([\w.]+)'", str(refused.value).partition("nearest")[2])
    assert wrong not in suggested
    assert suggested == [f"train.schedule.{nearest}"] if nearest else "sigma_1" not in suggested


def test_messages_name_the_place_within_larger_settings():
    with pytest.raises(UnknownPathError, match=r"got 'at\.extar'; the nearest is 'at\.extra'$"):
        replace_paths(OUTER, {"extar": "Digits"}, "at.")


def test_one_word_for_two_kinds_is_refused():
    @dataclass(frozen=True, kw_only=True)
    class Ours(Photographs):
        KIND = "mine:Twice"

    @dataclass(frozen=True, kw_only=True)
    class Theirs(Photographs):
        KIND = "theirs:Twice"

    try:
        with pytest.raises(InputError, match="'Twice' may be mine:Twice or theirs:Twice"):
            replace_paths(OUTER, {"train.data": "Twice"})
        assert replace_paths(OUTER, {"train.data": "theirs:Twice"}).train.data == Theirs()
        assert Ours.short_kind() == Theirs.short_kind()
    finally:
        del spec._KINDS[Ours.KIND], spec._KINDS[Theirs.KIND]


def test_the_types_of_components_are_known_by_path():
    assert component_types(OUTER, "train.data") == (DataSpec,)
    assert component_types(OUTER, "extra") == (DataSpec,)
    assert component_types(OUTER, "n") == component_types(OUTER, "no.such.path") == ()


def test_a_kind_and_changes_below_it_are_made_together():
    """A schedule of listed levels has no default: the kind alone would be refused."""
    changes = {"train.schedule": "ExplicitSchedule", "train.schedule.sigmas": "[7, 3, 0.05]"}
    assert replace_paths(OUTER, changes).train.schedule.sigmas == (7.0, 3.0, 0.05)
    assert replace_paths(OUTER, dict(reversed(changes.items()))).train.schedule.n_levels == 3
    with pytest.raises(InputError, match="kind ExplicitSchedule needs the field 'sigmas'"):
        replace_paths(OUTER, {"train.schedule": "ExplicitSchedule"})


def test_a_list_of_levels_as_json():
    value = '{"spec": "ExplicitSchedule", "sigmas": [7, 3, 1, 0.3, 0.05]}'
    schedule = replace_paths(OUTER, {"train.schedule": value}).train.schedule
    assert (schedule.sigma_1, schedule.sigma_L, schedule.n_levels) == (7.0, 0.05, 5)


def test_fields_of_a_component_inside_a_component_carry_over():
    value = '{"schedule": {"spec": "LinearSchedule", "n_levels": 4}, "data": "Photographs"}'
    changed = replace_paths(OUTER, {"train": value}).train
    assert changed.schedule == LinearSchedule(sigma_1=7.0, sigma_L=0.05, n_levels=4)
    assert changed.data == Photographs()


def test_a_refusal_names_the_paths_of_the_spec_that_refuses():
    changes = {"n": "4", "train.schedule.n_levels": "0", "train.schedule.sigma_1": "9"}
    with pytest.raises(InputError) as caught:
        replace_paths(OUTER, changes)
    assert caught.value.fields == ("train.schedule.n_levels", "train.schedule.sigma_1")


def test_the_kinds_of_a_component_are_listed():
    assert "ExplicitSchedule" in kinds_at(OUTER, "train.schedule")
    assert not {"Schedule", "SpacedSchedule", "Digits"} & set(kinds_at(OUTER, "train.schedule"))
    assert kinds_at(OUTER, "n") == []


@pytest.mark.parametrize("calls", [sys.getrecursionlimit(), 20_000])
def test_deeply_nested_lists_are_refused_however_deeply_functions_may_call(calls):
    given = sys.getrecursionlimit()
    try:
        sys.setrecursionlimit(calls)
        for depth in (31, 900):
            with pytest.raises(InputError, match="a flat list, but got deeply nested lists"):
                replace_paths(Photographs(size=8, n=40), {"size": "[" * depth + "]" * depth})
    finally:
        sys.setrecursionlimit(given)
