"""Tests of specs: stable Merkle keys, JSON in both directions, typed fields, changes by path."""

import hashlib
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from types import MappingProxyType
from typing import ClassVar, Literal

import pytest

from scorelib import spec
from scorelib.data import Digits
from scorelib.errors import InputError
from scorelib.spec import Spec, added_later, from_json, stored_as
from scorelib.spec_paths import replace_paths


@dataclass(frozen=True, kw_only=True)
class Leaf(Spec):
    KIND = "Leaf"

    rate: float = 0.1
    sizes: tuple[int, ...] = (1, 2)
    kind: Literal["a", "b"] = "a"


@dataclass(frozen=True, kw_only=True)
class Node(Spec):
    KIND = "Node"

    leaf: Leaf = Leaf()
    count: int = 3
    name: str | None = None

    def validate(self):
        if self.count < self.leaf.sizes[0]:
            raise InputError("count must be at least the first size")


def test_equal_specs_have_equal_keys_and_any_changed_field_another():
    keys = {
        Node().key,
        Node(count=4).key,
        Node(leaf=Leaf(rate=0.2)).key,
        Node(leaf=Leaf(sizes=(2, 1))).key,
        Node(name="x").key,
    }
    assert len(keys) == 5
    assert Node(leaf=Leaf(rate=0.1)).key == Node().key


def test_an_int_for_a_float_is_the_same_work():
    assert Leaf(rate=1).key == Leaf(rate=1.0).key


def test_the_key_is_the_same_in_another_process_with_another_hash_seed():
    seed = "2" if os.environ.get("PYTHONHASHSEED") == "1" else "1"
    code = "from scorelib.data import Digits; print(hash('digits'), Digits().key)"
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True,
        env={"PYTHONHASHSEED": seed, "PATH": ""},
    )  # fmt: skip
    its_hash, its_key = done.stdout.split()
    assert int(its_hash) != hash("digits") and its_key == Digits().key and len(its_key) == 32


def test_raising_the_version_of_a_nested_spec_renews_all_that_rests_on_it(monkeypatch):
    other = Leaf(rate=0.5).key
    before = Node(leaf=Leaf()).key
    monkeypatch.setattr(Leaf, "VERSION", 2)
    assert Node(leaf=Leaf()).key != before
    assert Leaf(rate=0.5).key != other


def test_json_gives_the_spec_back():
    spec = Node(leaf=Leaf(rate=3e-7, sizes=(5,)), count=7, name="n")
    assert from_json(spec.to_json()) == spec


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({"spec": "Nonsense"}, "a spec must be of a known kind"),
        ({"spec": "Leaf", "speed": 1}, "no field 'speed'"),
        ({"spec": "Leaf", "rate": "fast"}, "Leaf.rate must be float"),
        ({"spec": "Leaf", "rate": float("nan")}, "Leaf.rate must be float"),
        ({"spec": "Leaf", "sizes": 3}, "Leaf.sizes must be a list, in JSON such as"),
        ({"spec": "Leaf", "kind": "c"}, "must be one of 'a', 'b'"),
        ({"spec": "Node", "count": True}, "Node.count must be int"),
        ({"spec": "Node", "leaf": {"spec": "Node"}}, "Node.leaf must be Leaf"),
    ],
)
def test_wrong_json_is_refused_with_what_must_hold(data, message):
    with pytest.raises(InputError, match=message):
        from_json(data)


def test_changes_by_path_are_made_together_and_checked_after():
    # A single change sizes=[9] would be refused, because count is still 3.
    changed = replace_paths(Node(), {"leaf.sizes": "[9]", "count": "9", "name": "x"})
    assert changed == Node(leaf=Leaf(sizes=(9,)), count=9, name="x")


def test_an_unknown_path_names_the_nearest():
    with pytest.raises(InputError, match=r"got 'leaf.rat'; the nearest is 'leaf.rate'"):
        replace_paths(Node(), {"leaf.rat": "1"})


def test_a_changed_value_of_the_wrong_type_is_refused():
    with pytest.raises(InputError, match=r"Leaf.rate must be float; got 'quick'"):
        replace_paths(Node(), {"leaf.rate": "quick"})


def test_a_refused_change_says_which_paths_were_set():
    with pytest.raises(InputError) as caught:
        replace_paths(Node(), {"leaf.sizes": "[9]", "name": "x"})
    assert caught.value.fields == ("leaf.sizes", "name")
    with pytest.raises(InputError) as caught:
        replace_paths(Node(), {"leaf.rat": "1"})
    assert caught.value.fields == ("leaf.rate",)


def test_a_kind_of_a_module_that_is_not_imported_names_the_module():
    with pytest.raises(
        InputError, match=r"got 'their.networks:Unet': import its module their.networks"
    ):
        from_json({"spec": "their.networks:Unet"})


def test_a_class_of_a_script_must_declare_its_kind():
    """Every script is called __main__, so classes of two scripts would share keys."""
    with pytest.raises(TypeError, match="in a script or a notebook: put the class in a file"):
        type("Mine", (Leaf,), {"__module__": "__main__"})
    declared = {"__module__": "__main__", "KIND": "my script's leaf"}
    assert type("Mine", (Leaf,), declared).KIND == "my script's leaf"


def test_two_specs_of_one_kind_are_refused():
    with pytest.raises(TypeError, match=r"spec classes must have different kinds.* both 'Leaf'"):
        type("Other", (Spec,), {"__module__": "elsewhere", "KIND": "Leaf"})


def test_a_kind_is_declared_in_the_class_s_own_body_and_never_inherited():
    """A class of another distribution must not share the keys of the class that it extends."""

    @dataclass(frozen=True, kw_only=True)
    class Mine(Leaf):
        pass

    assert f"{__name__}:{Mine.__qualname__}" == Mine.KIND and Mine.__qualname__.endswith(".Mine")
    assert Mine().key != Leaf().key
    assert Mine().to_json()["spec"] == Mine.KIND and type(from_json(Mine().to_json())) is Mine


def test_equal_classes_of_two_modules_are_two_kinds():
    made = [
        dataclass(frozen=True, kw_only=True)(
            type("Mine", (Leaf,), {"__module__": module, "__qualname__": "Mine"})
        )
        for module in ("here", "there")
    ]
    assert [cls.KIND for cls in made] == ["here:Mine", "there:Mine"]
    assert made[0]().key != made[1]().key


def test_a_renamed_class_keeps_its_kind_and_so_its_results():
    body = {"__module__": "elsewhere", "KIND": "Sapling", "__annotations__": {"height": int}}
    old = dataclass(frozen=True, kw_only=True)(type("Sapling", (Spec,), body))
    stored = old(height=3)
    spec._KINDS.pop("Sapling")
    new = dataclass(frozen=True, kw_only=True)(type("YoungTree", (Spec,), body))
    assert new(height=3).key == stored.key and from_json(stored.to_json()) == new(height=3)


@pytest.mark.parametrize("package", ["scorelib", "tuning", "studies", "dashboards"])
def test_a_class_of_ours_must_declare_its_kind(package):
    with pytest.raises(TypeError, match="must declare KIND in its body"):
        type("Forgotten", (Leaf,), {"__module__": f"{package}.room.forgotten"})


@dataclass(frozen=True, kw_only=True)
class Renamed(Spec):
    KIND = "Renamed"

    images: str = stored_as("objective", "denoised")
    count: int = stored_as("number")


def test_a_field_that_python_renamed_is_known_to_the_store_by_its_earlier_name():
    made = Renamed(images="raw", count=2)
    assert made.to_json() == {"spec": "Renamed", "objective": "raw", "number": 2}
    assert from_json(made.to_json()) == made
    body = json.dumps(["Renamed", 1, {"objective": "raw", "number": 2}], sort_keys=True)
    assert made.key == hashlib.sha256(body.encode()).hexdigest()[:32]
    with pytest.raises(InputError, match="Renamed has no field 'images'"):
        from_json({"spec": "Renamed", "images": "raw", "number": 2})


def test_flat_names_every_field_and_every_kind_of_spec():
    assert Node().flat() == {
        "spec": "Node", "leaf.spec": "Leaf", "leaf.rate": 0.1, "leaf.sizes": (1, 2),
        "leaf.kind": "a", "count": 3, "name": None,
    }  # fmt: skip


def test_class_variables_are_no_fields():
    @dataclass(frozen=True, kw_only=True)
    class WithFact(Spec):
        fact: ClassVar[int] = 1
        x: int = 2

    assert WithFact().to_json() == {"spec": WithFact.KIND, "x": 2}


@dataclass(frozen=True, kw_only=True)
class Grown(Spec):
    KIND = "Grown"

    old: int
    new: float = added_later(2.0)


def test_a_field_that_came_later_changes_the_key_only_where_it_is_set():
    body = json.dumps(["Grown", 1, {"old": 3}], sort_keys=True)
    before = hashlib.sha256(body.encode()).hexdigest()[:32]
    assert Grown(old=3).key == before, "what is stored would be lost"
    assert Grown(old=3, new=3.0).key != before
    assert from_json(Grown(old=3, new=3.0).to_json()) == Grown(old=3, new=3.0)


@dataclass(frozen=True, kw_only=True)
class Shrunk(Spec):
    KIND = "Shrunk"
    REMOVED = MappingProxyType({"gone": False})

    old: int


def test_a_field_that_was_removed_stays_in_the_key_and_in_json_with_its_last_value():
    body = json.dumps(["Shrunk", 1, {"old": 3, "gone": False}], sort_keys=True)
    assert Shrunk(old=3).key == hashlib.sha256(body.encode()).hexdigest()[:32]
    assert from_json({"spec": "Shrunk", "old": 3, "gone": False}) == Shrunk(old=3)
    with pytest.raises(InputError, match="Shrunk has no field 'gone'"):
        from_json({"spec": "Shrunk", "old": 3, "gone": True})
