"""Tests of a user's study in a file, through the installed command in a folder of its own."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import studies
from dashboards.compare import main as compare
from dashboards.live.store import LiveStore
from dashboards.report import main as report
from dashboards.sync import main as sync
from dashboards.table import main as table
from dashboards.web.site import Place, Site
from scorelib.errors import InputError
from studies.run import main
from tests.displays import empty_database
from tests.studies.own_study import TEXT
from tuning import own_modules
from tuning.store.history import history, latest_status
from tuning.store.store import Store

TOLD = "(echo $SCORE_STUDIES_EVENT $SCORE_STUDIES_STUDY; cat) >> told"
"""A command that writes what it is told to a file."""

KIT = "from studies import kit\n\ndef study():\n    return kit.Study("


def command(folder, *arguments):
    """Returns the arguments and options to start the installed command in a folder."""
    code = "import sys; from studies.cli.score_studies import main; sys.exit(main())"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "COLUMNS": "120"}
    # The folders named as our packages must not hide the packages: -P as installed commands have.
    return [sys.executable, "-P", "-c", code, *arguments], {
        "cwd": folder, "env": environment | {"PYTHONPATH": str(Path(__file__).parents[3])},
        "text": True, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE,
    }  # fmt: skip


def run(folder, *arguments):
    words, options = command(folder, *arguments)
    return subprocess.run(words, **options, timeout=300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Returns a user's folder, with folders that are named as our packages."""
    folder = tmp_path_factory.mktemp("user")
    for name in ("studies", "scorelib", "tuning"):
        (folder / name).mkdir()
        (folder / name / "__init__.py").write_text("raise RuntimeError('the wrong package')\n")
    (folder / "my_study.py").write_text(TEXT)
    return folder


@pytest.fixture(scope="module")
def finished(folder):
    """Returns what a run printed for programs; `tests.tutorial` also kills one and continues."""
    empty_database(Store(str(folder / "store"), create=True).folder / "mlflow.db")
    done = run(folder, "run", "./my_study.py", "--cpus", "1", "--json", "--notify", TOLD)
    assert done.returncode == 0, done.stderr + done.stdout
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_a_study_in_a_file_is_run_and_its_output_for_programs_is_json_alone(folder, finished):
    assert {line["kind"] for line in finished} <= {"progress", "note", "result"}
    progress = [line for line in finished if line["kind"] == "progress"]
    assert progress[-1]["stages"][-1]["done"] == progress[-1]["stages"][-1]["jobs"] > 0
    result = finished[-1]
    assert (result["kind"], result["state"], result["failures"]) == ("result", "complete", [])
    assert {cell["row"] for cell in result["cells"]} == {"width 4", "width 8"}
    assert all(cell["value"] is not None for cell in result["cells"])
    assert not list(folder.glob("store/locks/*.json"))
    kept = Store(str(folder / "store"))
    (document,) = (folder / "store" / "studies").iterdir()
    assert document.name.startswith("my_study.")
    assert latest_status(kept, document.stem) == {
        name: value for name, value in progress[-1].items() if name != "kind"
    }
    (start,) = history(kept, document.stem)
    assert start.machine and start.changed == {}


def test_the_end_is_told_to_a_command_that_no_document_keeps(folder, finished):
    (document,) = (folder / "store" / "studies").iterdir()
    assert (folder / "told").read_text().splitlines() == [
        f"done {document.stem}", f"{document.stem}: done: complete, 2 of 2 cells measured",
    ]  # fmt: skip
    assert TOLD not in "".join(file.read_text() for file in (folder / "store").rglob("*.json"))


@pytest.fixture
def here(folder, finished, monkeypatch):
    """Runs commands of a test in this process and in the user's folder."""
    monkeypatch.chdir(folder)
    monkeypatch.setattr(own_modules, "_LOADED", {})
    monkeypatch.delitem(sys.modules, "my_study", raising=False)  # of other tests
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield folder
    for name in ("my_study", "my_bad"):
        sys.modules.pop(name, None)


def test_a_finished_study_is_shown_with_what_to_do_next_or_quietly(here, capsys):
    assert main(["./my_study.py"]) == 0
    printed = capsys.readouterr().out
    assert "width 4" in printed and "width 8" in printed and "the width of my network" in printed
    assert "report ./my_study.py" in printed
    assert "--scale paper" not in printed  # the file has no such scale
    assert main(["./my_study.py", "--quiet"]) == 0
    quiet = capsys.readouterr()
    assert quiet.out.startswith("my_study (demo)") and "Next:" not in quiet.out
    assert quiet.err == ""


def test_every_command_takes_the_file(here, capsys):
    assert table(["my_study.py", "--format", "csv"]) == 0
    assert "width 4" in capsys.readouterr().out
    assert compare(["store", "store", "my_study.py"]) == 0
    assert "width 4" in capsys.readouterr().out
    assert main(["my_study.py", "--list"]) == 0
    assert "my_study " in capsys.readouterr().out
    assert report(["my_study.py"]) == 0 and (here / "my_study-demo.html").is_file()
    assert sync(["--module", "my_study.py"]) == 0


def test_a_store_never_imports_and_names_the_module_to_give(here, capsys):
    assert sync([]) == 1
    said = capsys.readouterr().err
    assert "--module FILE.py" in said and str(here / "my_study.py") in said
    assert "my_study" not in sys.modules


def test_settings_are_changed_by_path(here, capsys):
    assert main(["my_study.py", "--set", "widths=[4, 8, 16]", "--plan"]) == 0
    assert "train" in capsys.readouterr().out
    assert main(["my_study.py", "--set", "widhts=[4]"]) == 2
    assert "the nearest is 'widths'" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("def f(:\n", "must be valid Python"),
        ("x = 1\n", "must have a function study()"),
        ("def study():\n    return 3\n", "returned int"),
        ("def study():\n    return 1 / 0\n", "ZeroDivisionError"),
        ("SCALES = {'demo': 3}\ndef study(at):\n    pass\n", "SCALES of"),
        ("SCALES = {'de-mo': dict}\ndef study(at):\n    pass\n", "SCALES of"),
        ("SCALES = {'demo': lambda x: 3}\ndef study(at):\n    pass\n", "must return settings, but"),
        ("def study():\n    return 1 / 0\n", "study() must not fail, but"),
        ("def study(a, b, c):\n    pass\n", "or study(scale, settings), but the function at"),
        ("from functools import partial\nstudy = partial(lambda x: x, 3)\n", "returned int"),
        ("study = dict\n", "a function study must be study(), study(settings) or"),
        ("class study:\n    pass\n", "returned study"),
        (KIT + "cells=())\n", "a study must have at least one cell"),
        (KIT + "cells=3)\n", "Study.cells must be a list"),
        (KIT + "cells=(3,))\n", "Study.cells must be Cell; got 3"),
        (KIT + "cells=[kit.Cell(row='a', column=3)])\n", "my_bad.py:4: Cell.column must be str"),
        (KIT + "cells=[kit.Cell(row='a', column='b', n_seeds='2')])\n", "Cell.n_seeds must be int"),
        (KIT + "cells=[kit.Cell(row='a', column='b', job=3)])\n", "Cell.job must be"),
        (KIT + "cells=[], searches=[3])\n", "Study.searches must be Search; got 3"),
        (KIT + "sells=3)\n", "unexpected keyword argument 'sells'"),
        ("SCALES = {'demo': dict}\ndef study(at):\n    pass\n", "derive the class from"),
    ],
)
def test_files_without_a_study_are_refused_in_one_line(
    here, tmp_path, monkeypatch, capsys, text, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_bad.py").write_text(text)
    assert main(["my_bad.py"]) == 2
    said = capsys.readouterr()
    assert said.out == "" and said.err.count("\n") == 1 and words in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["my_bad.py"]


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("self.net(u)", "self.net(u @ u)", "your code must not fail, but"),
        ("return Eps(", "return 1 / 0 + Eps(", "ZeroDivisionError"),
        (
            ".reshape(x.shape)",
            "",
            "my_bad.py: the output of EpsSpec for two examples of shape "
            "(1, 8, 8) must have the shape (2, 1, 8, 8), but got (2, 64)",
        ),
        ("flatten(1) - 1", "flatten(1) - sigma", "EpsSpec must work on two examples, but"),
        ("return -(", "return None and -(", "must have the shape (2, 1, 8, 8), but got NoneType"),
        ("+ self.net(u)", "+ self.net(u).detach()", "does not require grad"),
    ],
)
def test_a_component_that_fails_before_any_job_is_refused_with_its_line(
    here, tmp_path, monkeypatch, capsys, old, new, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_bad.py").write_text(TEXT.replace(old, new))
    for options in ([], ["--plan"]):
        assert main(["my_bad.py", *options]) == 2
        said = capsys.readouterr()
        assert said.out == "" and said.err.count("\n") == 1 and words in said.err
        assert "my_bad.py:" in said.err and "please report" not in said.err
    assert [p.name for p in tmp_path.iterdir()] == ["my_bad.py"]


def test_a_module_of_a_name_and_scales_of_a_user_are_compared(here, capsys):
    assert compare(["store", "store@demo", "my_study", "--module", "my_study.py"]) == 0
    assert "width 4" in capsys.readouterr().out
    assert compare(["store", "store@large", "my_study.py"]) == 2
    assert "'store@large' must hold the study my_study." in capsys.readouterr().err


def test_a_short_name_that_the_store_knows_names_the_module_to_give(here, capsys):
    for command, words in (
        (table, ["my_study"]), (report, ["my_study"]), (compare, ["store", "store", "my_study"])
    ):  # fmt: skip
        assert command(words) == 2
        said = capsys.readouterr().err
        assert "user's own: give its file or module (it was run from" in said
        assert str(here / "my_study.py") in said and said.endswith(" (--module FILE.py|NAME)\n")
    page = Site([Place(1, LiveStore(Store("store"), ""), None)]).home()
    assert "--module FILE.py|NAME" in page and "user&#39;s own" in page
    assert "my_study" not in sys.modules


def test_python_names_its_argument_and_opens_a_study_of_a_user(here):
    contents = studies.open("store")
    (state,) = contents.table()["state"]
    assert "user's own" in state and 'modules=["FILE.py"]' in state and "--" not in state
    with pytest.raises(InputError, match=r'modules=\["FILE\.py"\]') as refusal:
        contents.run("my_study")
    assert "--" not in str(refusal.value) and "my_study" not in sys.modules
    assert contents.run(Path("my_study.py")).is_complete
    assert studies.open("store", modules=["my_study.py"]).run("my_study").is_complete
    assert contents.table()["state"].tolist() == ["done"]


@pytest.mark.parametrize(
    ("text", "words"),
    [(TEXT, "comes from"), (TEXT.replace("width: int = 8", "width: int = 9"), "VERSION")],
)
def test_a_file_of_another_person_on_the_same_store_is_refused(
    here, tmp_path, monkeypatch, capsys, text, words
):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "my_study.py").write_text(text)
    assert main(["my_study.py", "--set", "widths=[4, 8, 16]", "--store", str(here / "store")]) == 2
    said = capsys.readouterr().err
    assert said.count("\n") == 1 and words in said
