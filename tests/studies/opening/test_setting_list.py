"""Tests of the list of settings: every field of every study has a meaning, and a line."""

import dataclasses
import re
import typing

from scorelib.field_docs import field_docs
from scorelib.field_names import MEANINGS
from scorelib.spec import Spec, is_ours, kinds_below, type_hints
from studies.opening.setting_list import as_text, settings_list
from studies.registry import STUDIES, find_study

NAME = "cifar_sampling_eps"


def reachable():
    """Returns the classes of all specs that the settings of a study hold or may hold."""
    found, new = set(), set()
    for name in STUDIES:
        for scale in ("demo", "paper"):
            new |= {type(part) for part in find_study(name).settings(scale).parts()}
    while new:
        found |= new
        bases = {t for cls in new for t in _component_types(cls)}
        new = {k for base in bases for k in kinds_below(base) if is_ours(k.__module__)} - found
    return found


def _component_types(cls):
    """Returns the types of specs that fields of a class may hold."""
    options = [o for hint in type_hints(cls).values() for o in (*typing.get_args(hint), hint)]
    return {o for o in options if isinstance(o, type) and issubclass(o, Spec)}


def test_every_field_of_every_study_s_settings_has_a_meaning():
    classes = reachable()
    assert len(classes) > 60
    for cls in classes:
        for field in dataclasses.fields(cls):
            doc = field_docs(cls).get(field.name)
            assert doc and len(doc.meaning) > 3 and "\n" not in doc.meaning, (cls, field.name)


def test_every_number_has_a_range_unless_any_value_is_good():
    free = {
        "seed",
        "split_seed",
        "alpha",
        "centres",
        "n_classes",
        "multipliers",
        "attention_levels",
    }
    for name in STUDIES:
        for scale in ("demo", "paper"):
            for one in settings_list(find_study(name).settings(scale)):
                if "number" in one.type and one.path.rpartition(".")[2] not in free:
                    assert one.range, (name, one.path)


def test_the_meanings_of_wrong_names_are_fields():
    known = {field.name for cls in reachable() for field in dataclasses.fields(cls)}
    known |= {"epsilon", "n_steps"}  # of samplers, which settings name by their own fields
    assert {name for names in MEANINGS.values() for name in names} <= known


def test_each_line_shows_path_value_type_range_and_meaning():
    settings = find_study(NAME).settings("demo")
    lines = {line.split(" = ")[0]: line for line in as_text(settings).splitlines()}
    assert list(lines) == [one.path for one in settings_list(settings)]
    for path, words in {
        "train.schedule.sigma_L": r"= 0.1 .* number, > 0: smallest noise level, data units$",
        "start": r'= "noise" .* "noise" \| "uniform" \| "data": distribution',
        "n_sigma": r"= \[1, 5\] .* list of whole number, >= 1, at most 10,000, "
        "at most 1,000 values: numbers of steps",
        "train.schedule": r"= GeometricSchedule .* \| ExplicitSchedule \| .*: noise levels$",
        "search": "= SearchSettings .* group: settings of the searches over step sizes$",
        "search.cas_epsilon": r"= null .* number \| null, > 0: first step size of CAS",
    }.items():
        assert re.search(words, lines[path]), lines[path]
