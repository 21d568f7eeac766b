"""Tests of the import of users' modules: from text, once, and refused in one line."""

import importlib
import sys

import pytest

from scorelib.errors import InputError
from scorelib.sources import own_source
from tuning import own_modules
from tuning.own_modules import import_all, import_own


@pytest.fixture(autouse=True)
def clean(monkeypatch):
    """Undoes imports: modules, kinds and the search path."""
    monkeypatch.setattr(own_modules, "_LOADED", {})
    monkeypatch.setattr(sys, "path", list(sys.path))
    before = set(sys.modules)
    yield
    for name in set(sys.modules) - before:
        del sys.modules[name]


COMPONENT = """
from dataclasses import dataclass
from scorelib.spec import Spec

@dataclass(frozen=True, kw_only=True)
class {name}(Spec):
    n: int = {n}
"""


def test_a_file_is_imported_once_under_its_name(tmp_path):
    file = tmp_path / "mine_once.py"
    file.write_text("import sibling_of_mine\nvalue = [sibling_of_mine.x]\n")
    (tmp_path / "sibling_of_mine.py").write_text("x = 3\n")
    module = import_own(str(file))
    assert module.value == [3] and sys.modules["mine_once"] is module
    assert import_own(str(file)).value is module.value
    (own,) = own_modules.own_modules()
    assert (own.name, own.file, own.source) == ("mine_once", str(file), file.read_text())


def test_workers_run_the_text_that_the_driver_read(tmp_path, monkeypatch):
    file = tmp_path / "mine_text.py"
    file.write_text(COMPONENT.format(name="Sent", n=1))
    digest = own_source(import_own(str(file)).Sent)
    travelling = own_modules.own_modules()
    file.write_text(COMPONENT.format(name="Sent", n=2))
    monkeypatch.setattr(own_modules, "_LOADED", {})
    del sys.modules["mine_text"]
    import_all(travelling)
    assert sys.modules["mine_text"].Sent().n == 1
    assert own_source(sys.modules["mine_text"].Sent) == digest
    file.unlink()
    import_all(travelling)


def test_a_package_is_imported_by_name(tmp_path, monkeypatch):
    (tmp_path / "mine_pack").mkdir()
    (tmp_path / "mine_pack" / "__init__.py").write_text("")
    (tmp_path / "mine_pack" / "part.py").write_text("value = 4\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert import_own("mine_pack.part").value == 4
    (own,) = own_modules.own_modules()
    assert own.source is None and own.package == tmp_path / "mine_pack"


def test_a_module_that_the_user_has_imported_is_adopted(tmp_path, monkeypatch):
    (tmp_path / "mine_adopted.py").write_text("value = 5\n")
    monkeypatch.syspath_prepend(tmp_path)
    imported = importlib.import_module("mine_adopted")
    own_modules.adopt(["mine_adopted", "mine_adopted"])
    (own,) = own_modules.own_modules()
    assert (own.name, own.source) == ("mine_adopted", "value = 5\n")
    assert sys.modules["mine_adopted"] is imported


def test_classes_of_a_script_or_notebook_are_refused():
    with pytest.raises(InputError, match="put the class in a file"):
        own_modules.adopt(["__main__"])


def test_what_a_module_prints_goes_to_stderr(tmp_path, capsys):
    file = tmp_path / "mine_loud.py"
    file.write_text("import torch\nimport torch\nprint('hello')\n")
    import_own(str(file))
    assert capsys.readouterr() == ("", "hello\n")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", r"must be valid Python, but .*mine_bad\.py:1: "),
        ("x = 1\nimport no_such_module_at_all\n", r"mine_bad\.py:2: ModuleNotFoundError"),
        ("\n\nraise ValueError('two\\nlines')\n", r"mine_bad\.py:3: ValueError: two lines"),
        ("raise SystemExit(3)\n", r"mine_bad\.py:1: SystemExit: 3"),
        (
            COMPONENT.format(name="A", n=1) + "    KIND = 'twice'\n"
            + COMPONENT.format(name="B", n=1) + "    KIND = 'twice'\n",
            r"mine_bad\.py:\d+: TypeError: .*twice",
        ),
        ("\0", "must be"),
        (
            COMPONENT.format(name="A", n=1) + COMPONENT.format(name="A", n=2),
            r"different kinds, but lines 6 and 13 of .*mine_bad\.py both define A: rename one",
        ),
    ],
)  # fmt: skip
def test_what_cannot_be_imported_is_refused_with_file_and_line(tmp_path, text, words):
    file = tmp_path / "mine_bad.py"
    file.write_text(text)
    with pytest.raises(InputError, match=words) as refusal:
        import_own(str(file))
    assert "\n" not in str(refusal.value) and "mine_bad" not in sys.modules
    assert not own_modules.own_modules()


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("torch.py", "the name of a module must be free, but 'torch' is also"),
        ("json.py", "'json' is also"),
        ("scorelib.py", "'scorelib' is also"),
        ("my-study.py", "named like a Python variable, but got 'my-study.py'"),
    ],
)
def test_names_that_are_taken_or_no_names_are_refused(tmp_path, name, words):
    (tmp_path / name).write_text("")
    with pytest.raises(InputError, match=words):
        import_own(str(tmp_path / name))


def test_two_files_of_one_name_are_refused(tmp_path):
    for folder in ("a", "b"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "mine_two.py").write_text("")
    import_own(str(tmp_path / "a" / "mine_two.py"))
    with pytest.raises(InputError, match="two modules must not have one name"):
        import_own(str(tmp_path / "b" / "mine_two.py"))


@pytest.mark.parametrize(
    "given",
    ["nowhere/mine.py", "no_such_package.part", "no_such_name", "", ".", "..up", "a/b", "a..b",
     "sys", "os"],
)  # fmt: skip
def test_modules_that_are_not_there_or_built_in_are_refused(given):
    with pytest.raises(InputError, match=r"a module must be .* but") as refusal:
        import_own(given)
    assert "<frozen" not in str(refusal.value) and "/frozen" not in str(refusal.value)


def test_a_class_that_is_no_component_may_be_defined_again(tmp_path):
    file = tmp_path / "mine_again.py"
    file.write_text("class A:\n    n = 1\nclass A(A):\n    m = 2\n")
    assert import_own(str(file)).A.n == 1


def test_a_fault_in_code_of_the_user_is_known_by_its_line(tmp_path):
    file = tmp_path / "mine_faulty.py"
    file.write_text("def f():\n    return g()\n\ndef g():\n    raise KeyError('two\\nlines')\n")
    with pytest.raises(KeyError) as raised:
        import_own(str(file)).f()
    assert own_modules.fault_of_own_code(raised.value) == f"{file}:5: KeyError: 'two\\nlines'"
    with pytest.raises(KeyError) as raised:
        {}["ours"]
    assert own_modules.fault_of_own_code(raised.value) is None


def test_a_file_that_is_no_text_is_refused(tmp_path):
    (tmp_path / "mine_bytes.py").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match="it is not UTF-8 text"):
        import_own(str(tmp_path / "mine_bytes.py"))
