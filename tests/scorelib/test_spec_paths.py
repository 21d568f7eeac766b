"""Tests of components by setting: another kind of spec at a path, with shared fields."""

from dataclasses import dataclass

import pytest

from scorelib.data import DataSpec, Digits, Photographs
from scorelib.errors import InputError
from scorelib.schedules import GeometricSchedule, Schedule
from scorelib.spec import Spec
from scorelib.spec_paths import component_types, replace_paths


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
        ("train.data", "3", "train.data must be one of the kinds"),
        ("train.data", "null", "must be DataSpec"),
        ("train.data", '{"spec": "Photographs", "sise": 8}', "no field 'sise'; the nearest"),
        ("train.data", '{"spec": "Photographs", "size": 1}', "4 <= size"),
        ("train.data", '{"spec": "ImageFolder", "folder": "x"}', "needs the field"),
        ("train.dada", "Digits", "the nearest is 'train.data'"),
        ("train.data.n.x", "3", "must be a field"),
        ("n.x", "3", "must be a field"),
    ],
)  # fmt: skip
def test_what_cannot_fit_is_refused(path, value, words):
    with pytest.raises(InputError, match=words):
        replace_paths(OUTER, {path: value})


def test_the_types_of_components_are_known_by_path():
    assert component_types(OUTER, "train.data") == (DataSpec,)
    assert component_types(OUTER, "extra") == (DataSpec,)
    assert component_types(OUTER, "n") == component_types(OUTER, "no.such.path") == ()
