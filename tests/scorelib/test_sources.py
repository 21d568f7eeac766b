"""Tests that the digests of a class change exactly if code changes that the class uses."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from scorelib.samplers import Als, Cas
from scorelib.sources import definitions, own_source
from scorelib.spec import _KINDS
from tests.scorelib.modules import imported, write

TEXT = '''"""A module."""

from dataclasses import dataclass
from math import sqrt
from typing import TYPE_CHECKING

import torch
from scorelib.samplers import Langevin
from scorelib.seeds import seed_of
from scorelib.spec import Spec

import beside
from elsewhere import Tested, called

if TYPE_CHECKING:
    from elsewhere import never

SCALE = 2.0
"""A factor."""

UNUSED = 1


def half(x: Tested) -> float:
    """Halves."""
    return x / SCALE


def unused():
    return UNUSED


@dataclass(frozen=True, kw_only=True)
class Mine(Spec):
    """A class."""

    x: float = 1.0
    other: Tested | None = None

    def run(self, other):
        # A comment.
        if isinstance(other, Langevin | Tested):
            return seed_of("x")
        return half(self.x) + beside.third(self.x) + called()


@dataclass(frozen=True, kw_only=True)
class Derived(Mine):
    y: float = 1.0
'''
BESIDE = "def third(x):\n    return x / 3\n"
ELSEWHERE = """
class Tested:
    pass


def called():
    return 1


def never():
    return 2
"""
FILES = {"mine_of_sources": TEXT, "beside": BESIDE, "elsewhere": ELSEWHERE}


def digests(monkeypatch, folder, name="Mine", **changes):
    """Returns the digests of a class after (old, new) changes of the texts of modules."""
    for module, text in FILES.items():
        for old, new in changes.get(module, ()):
            assert old in text
            text = text.replace(old, new)
        write(folder, module, text)
    for module in ("beside", "elsewhere"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    cls = getattr(imported(monkeypatch, folder, "mine_of_sources"), name)
    return definitions(cls), own_source(cls)


@pytest.fixture
def before(monkeypatch, tmp_path):
    """Returns the digests of the unchanged class."""
    return digests(monkeypatch, tmp_path / "before")


def test_a_class_consists_of_what_it_uses_and_no_more(before):
    found, _ = before
    assert set(found) == {
        "mine_of_sources:Mine", "mine_of_sources:half", "mine_of_sources:SCALE", "beside:third",
        "elsewhere:called", "scorelib.seeds:seed_of",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("module", "old", "new"),
    [
        ("mine_of_sources", '"""A module."""', '"""Another."""'),
        ("mine_of_sources", '"""A class."""', '"""Another\n\n    class."""'),
        ("mine_of_sources", '    """Halves."""\n', ""),
        ("mine_of_sources", '"""A factor."""', '"""A number."""'),
        ("mine_of_sources", "# A comment.", "# Another."),
        ("mine_of_sources", "return half(self.x) + ", "return (half(self.x)\n            ) + "),
        ("mine_of_sources", "UNUSED = 1", "UNUSED = 2"),
        ("mine_of_sources", "y: float = 1.0", "y: float = 2.0"),
        ("mine_of_sources", "from math import sqrt\n", "import math\n"),
        ("elsewhere", "class Tested:\n    pass", "class Tested:\n    z = 1"),
        ("elsewhere", "return 2", "return 3"),
    ],
)
def test_words_and_unrelated_code_change_no_digest(monkeypatch, tmp_path, before, module, old, new):
    assert digests(monkeypatch, tmp_path / "after", **{module: [(old, new)]}) == before


@pytest.mark.parametrize(
    ("module", "old", "new", "definition"),
    [
        ("mine_of_sources", "x: float = 1.0", "x: float = 1", "mine_of_sources:Mine"),
        ("mine_of_sources", 'seed_of("x")', 'seed_of("y")', "mine_of_sources:Mine"),
        ("mine_of_sources", "x / SCALE", "x * SCALE", "mine_of_sources:half"),
        ("mine_of_sources", "SCALE = 2.0", "SCALE = 3.0", "mine_of_sources:SCALE"),
        ("beside", "x / 3", "x / 3.0", "beside:third"),
        ("elsewhere", "return 1", "return True", "elsewhere:called"),
    ],
)
def test_code_that_is_used_changes_its_own_digest_and_that_of_the_class(
    monkeypatch, tmp_path, before, module, old, new, definition
):
    (old_found, old_source), (found, source) = (
        before, digests(monkeypatch, tmp_path / "after", **{module: [(old, new)]})
    )  # fmt: skip
    assert {name for name in found if found[name] != old_found[name]} == {definition}
    assert source != old_source


def test_a_statement_that_binds_nothing_is_part_of_every_class_of_its_module(
    monkeypatch, tmp_path, before
):
    text = [("UNUSED = 1", "torch.set_default_dtype(torch.float32)\nUNUSED = 1")]
    found, source = digests(monkeypatch, tmp_path / "after", mine_of_sources=text)
    assert found.keys() - before[0].keys() == {"mine_of_sources:"} and source != before[1]


def test_a_script_and_a_module_of_one_file_have_one_source(monkeypatch, tmp_path, before):
    text = [("x: float = 1.0", 'KIND = "Mine"\n    x: float = 1.0')]
    _, as_module = digests(monkeypatch, tmp_path / "after", mine_of_sources=text)
    script = (tmp_path / "after" / "mine_of_sources.py").read_text()
    write(tmp_path / "after", "mine_as_script", script.replace("(Mine)", "(Spec)"))
    monkeypatch.delitem(_KINDS, "Mine")  # in life, the two are in two processes
    module = imported(monkeypatch, tmp_path / "after", "mine_as_script")
    assert own_source(module.Mine) == as_module != before[1]


def test_a_base_class_is_a_part(monkeypatch, tmp_path):
    found, _ = digests(monkeypatch, tmp_path, "Derived")
    assert {"mine_of_sources:Derived", "mine_of_sources:Mine", "beside:third"} <= found.keys()


@pytest.mark.parametrize(
    ("place", "is_part"), [("lib", True), ("venv/site-packages", False), ("dist-packages", False)]
)
def test_a_library_elsewhere_is_a_part_unless_it_is_installed(
    monkeypatch, tmp_path, place, is_part
):
    found = []
    for person in ("hers", "his"):
        library = tmp_path / person / place
        write(library, "beside", BESIDE if person == "hers" else BESIDE.replace("3", "4"))
        monkeypatch.syspath_prepend(str(library))
        monkeypatch.delitem(sys.modules, "beside", raising=False)
        write(tmp_path / person, "elsewhere", ELSEWHERE)
        write(tmp_path / person, "mine_of_sources", TEXT)
        found.append(own_source(imported(monkeypatch, tmp_path / person, "mine_of_sources").Mine))
    assert (found[0] != found[1]) == is_part


def test_what_a_package_passes_on_is_a_part(monkeypatch, tmp_path, before):
    write(tmp_path / "after", "third_of_sources", BESIDE)
    text = [(BESIDE, "from third_of_sources import third\n")]
    found, _ = digests(monkeypatch, tmp_path / "after", beside=text)
    assert found.keys() - before[0].keys() == {"third_of_sources:third"}


def test_a_digest_is_that_of_the_syntax_without_positions(monkeypatch, tmp_path, before):
    # `ast.dump` differs between versions of Python.
    plain = "[['Assign', ('targets', [['Name', ('id', 'SCALE'), ('ctx', ['Store'])]]), " \
            "('value', ['Constant', ('value', 2.0)])]]"  # fmt: skip
    wanted = hashlib.sha256(plain.encode()).hexdigest()[:16]
    assert before[0]["mine_of_sources:SCALE"] == wanted


def test_digests_are_those_of_another_process(monkeypatch, tmp_path):
    text = """
from dataclasses import dataclass
from scorelib.spec import Spec
NAMES = {"a", "b", "c"}
@dataclass(frozen=True, kw_only=True)
class Small(Spec):
    x: int = len(NAMES)
"""
    write(tmp_path, "small_of_sources", text)
    wanted = own_source(imported(monkeypatch, tmp_path, "small_of_sources").Small)
    code = (
        "from scorelib.sources import own_source\nfrom small_of_sources import Small\n"
        "print(own_source(Small))"
    )
    for seed in "12":
        path = f"{tmp_path}:{Path(__file__).parent.parent.parent}"
        done = subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True,
            env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": path},
        )  # fmt: skip
        assert done.stdout.strip() == wanted


def test_a_sampler_consists_of_its_module_its_base_and_the_step_sizes():
    modules = {name.partition(":")[0] for name in definitions(Cas)}
    assert modules == {
        "scorelib.samplers.cas", "scorelib.samplers.base", "scorelib.schedules.families",
        "scorelib.step_size",
    }  # fmt: skip
    assert "scorelib.samplers.als:Als" in definitions(Als)


def test_a_class_without_a_file_has_no_source(monkeypatch):
    namespace = {"__name__": "typed_into_an_interpreter"}
    exec(
        "from dataclasses import dataclass\nfrom scorelib.spec import Spec\n"
        "@dataclass(frozen=True, kw_only=True)\nclass Typed(Spec):\n    x: int = 1\n",
        namespace,
    )
    assert definitions(namespace["Typed"]) == {} and own_source(namespace["Typed"]) is None
