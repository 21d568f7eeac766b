"""Tests that two people's classes of one name share no results on one store."""

import pytest

from dashboards.report import main as report
from dashboards.table import main as table
from studies import registry
from studies.opening.open_study import last_run_studies, record_last_run
from studies.run import main
from tests.scorelib.modules import imported, write
from tests.tuning.draining import drain
from tuning import own_modules
from tuning.execution.trainable import Execution, JobTrainable
from tuning.store.store import Store

STUDY = '''"""A study of one number."""

from dataclasses import dataclass
from typing import ClassVar

from studies.common.execution_settings import StudySettings
from tuning.jobs import Job, Outcome, Progress, Stage
from tuning.cells import Cell
from tuning.study import Study


@dataclass(frozen=True, kw_only=True)
class Settings(StudySettings):
    number: int = 3


@dataclass(frozen=True, kw_only=True)
class Power(Job):
    """A power of a number."""

    STAGE: ClassVar[Stage] = Stage("power", 85, "score")
    number: int

    def title(self):
        return f"power of {self.number}"

    def run(self, at):
        yield Progress(0, 1, "powers")
        return Outcome({"power": float(self.number ** 2)})


def demo():
    return Settings()


def paper():
    return Settings(number=4)


def study(scale, at):
    cell = Cell(row="power", column="it", job=Power(number=at.number), quantities=("power",))
    return Study(
        name="my_study", scale=scale, paper="none", exhibit="Table 0", title="A power",
        question="How large?", settings=at, cells=(cell,),
    )
'''
CUBES = STUDY.replace("** 2", "** 3")


@pytest.fixture
def person(monkeypatch, tmp_path):
    """Returns a function that makes a person's file the study of this process."""
    entry = registry.Entry("my_study", "a study of one number")
    monkeypatch.setitem(registry.STUDIES, "my_study", entry)
    monkeypatch.setattr(own_modules, "_LOADED", {})  # a launch adopts the person's module

    def become(name, text):
        write(tmp_path / name, "my_study", text)
        return imported(monkeypatch, tmp_path / name, "my_study")

    return become


@pytest.fixture
def store(person, tmp_path):
    """Returns a store on which one person has run her study."""
    store = Store(str(tmp_path / "store"), create=True)
    module = person("hers", STUDY)
    study = module.study("demo", module.demo())
    record_last_run(store, study)
    drain(study, store)
    return store


def contents(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_the_same_file_is_accepted_with_other_words_and_other_settings(store, person, capsys):
    person(
        "hers",
        STUDY.replace("A power of", "The power of").replace("number: int = 3", "number: int = 5"),
    )
    assert main(["my_study", "--store", store.url, "--plan"]) == 0
    assert table(["my_study", "--store", store.url, "--format", "csv"]) == 0
    assert ",9.0," in capsys.readouterr().out


@pytest.mark.parametrize("number", ["3", "7"])
def test_another_persons_file_of_the_same_name_is_refused(store, person, tmp_path, capsys, number):
    person("his", CUBES)
    before, changes = contents(tmp_path / "store"), ["--set", f"number={number}"]
    for command, arguments in (
        (main, ["my_study", *changes]),
        (main, ["my_study", *changes, "--plan"]),
        (table, ["my_study"]),
        (report, ["my_study", "-o", str(tmp_path / "report.html")]),
    ):
        assert command([*arguments, "--store", store.url]) == 2
        printed = capsys.readouterr()
        assert printed.out == "" and printed.err.count("\n") == 1
        assert f"the source of Power in {tmp_path / 'his' / 'my_study.py'} must be" in printed.err
        assert "raise VERSION in the class" in printed.err and "another KIND" in printed.err
    assert contents(tmp_path / "store") == before
    found = last_run_studies(store)
    assert found.studies == []
    assert "the source of Power in" in str(found.unreadable["my_study-demo"])


def test_it_is_accepted_once_its_version_is_raised(store, person, capsys):
    module = person("his", CUBES.replace("    number: int\n", "    VERSION = 2\n    number: int\n"))
    assert main(["my_study", "--store", store.url, "--plan"]) == 0
    study = module.study("demo", module.demo())
    drain(study, store)
    capsys.readouterr()
    assert table(["my_study", "--store", store.url, "--format", "csv"]) == 0
    assert ",27.0," in capsys.readouterr().out
    person("hers", STUDY)
    assert table(["my_study", "--store", store.url, "--format", "csv"]) == 0
    assert ",9.0," in capsys.readouterr().out


def test_a_worker_refuses_a_class_with_other_source(store, person):
    job = person("his", CUBES).Power(number=3)
    report = JobTrainable(config=Execution(store_url=store.url).config(job, gpus=0.0)).train()
    assert report["outcome"] == "refused" and report["done"]
    assert "for the kind 'my_study:Power', version 1, but differs" in report["cause"]
