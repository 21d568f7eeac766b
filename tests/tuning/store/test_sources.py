"""Tests of the code that results name, and of the classes whose kinds a store knows."""

import json
import uuid
from dataclasses import dataclass
from typing import ClassVar

import pytest

from scorelib.errors import InputError
from scorelib.sources import definitions, own_source
from scorelib.spec import _KINDS, is_ours
from tests.scorelib.modules import imported, write
from tests.tuning.edited_sources import edited, forget
from tests.tuning.miniature import BRIEF, first_score, miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Job, Outcome, Progress, Stage
from tuning.stages import Snapshot
from tuning.store.documents import FORMAT, as_json
from tuning.store.node_cache import sha256
from tuning.store.sources import changed_modules, codes_of, note_code, require_own_sources
from tuning.store.store import Store

STUDY = '''"""A study of somebody."""

from dataclasses import dataclass

from scorelib.samplers import Als


@dataclass(frozen=True, kw_only=True)
class Mine(Als):
    """Somebody's sampler."""

    factor: float = 1.0

    def unused(self):
        return 2


def demo():
    return Mine(n_sigma=1, epsilon=0.01)
'''


@dataclass(frozen=True, kw_only=True)
class Sum(Job):
    """A job that adds its number to those of its inputs."""

    STAGE: ClassVar[Stage] = Stage("sum", 80, "score")
    number: int
    of: tuple[Job, ...] = ()

    def title(self):
        return f"sum {self.number}"

    def inputs(self):
        return self.of

    def run(self, at):
        yield Progress(0, 1, "sums")
        return Outcome({"sum": self.number + sum(at.manifest(i).result["sum"] for i in self.of)})


@dataclass(frozen=True, kw_only=True)
class Part(Sum):
    """A job of another stage."""

    STAGE: ClassVar[Stage] = Stage("part", 79, "score")


def run(job, store):
    for _ in execute(job, ExecutionContext(store=store)):
        pass
    return store.manifest(job.stage, job.key)


def mine(monkeypatch, folder, text=STUDY):
    """Returns the sampler of the module `my_study` of a person, who has a folder."""
    write(folder, "my_study", text)
    return imported(monkeypatch, folder, "my_study").demo()


# -- the code of results ---------------------------------------------------------------------------


def test_a_result_names_its_code_and_that_of_its_inputs_by_stage(store):
    parts = (Part(number=1), Part(number=2))
    code = run(parts[0], store).code
    assert code == {"part": [note_code(store, parts[0].parts())]}
    assert run(parts[1], store).code == code, "equal classes have equal code"
    total = Sum(number=3, of=parts)
    manifest = run(total, store)
    assert manifest.result == {"sum": 6}
    assert manifest.code == code | {"sum": [note_code(store, total.parts())]}
    (name,) = code["part"]
    definitions = store.document("code", name)
    assert {f"{__name__}:Part", f"{__name__}:Sum"} <= definitions.keys()


def test_an_input_of_an_older_version_is_unknown(store):
    part = Part(number=1)
    store.commit("part", part.key, spec={}, result={"sum": 1}, cost={}, files={})
    assert store.manifest("part", part.key).code is None
    assert run(Sum(number=1, of=(part,)), store).code["part"] == [None]


def test_a_manifest_without_the_field_is_valid_and_unknown(store, tmp_path):
    job = Part(number=1)
    run(job, store)
    path = tmp_path / "store" / "objects" / "part" / job.key / "manifest.json"
    without_code(path)
    manifest = store.manifest("part", job.key)
    assert manifest.code is None and manifest.result == {"sum": 1}


def without_code(path):
    """Rewrites a manifest as version 0.2 wrote it."""
    body = {k: v for k, v in json.loads(path.read_text()).items() if k not in ("code", "digest")}
    path.write_bytes(as_json(body | {"digest": sha256(as_json(body))}))


def test_codes_are_joined_by_stage():
    inputs = [("a", {"a": ["1"], "z": ["9"]}), ("a", {"a": ["2"]}), ("b", None)]
    assert codes_of("c", "3", inputs) == {"a": ["1", "2"], "b": [None], "c": ["3"], "z": ["9"]}
    assert codes_of("a", "3", inputs)["a"] == ["1", "2", "3"]
    assert codes_of("c", None, []) == {"c": [None]}


@pytest.mark.parametrize(
    ("results", "changed"),
    [
        ([{"s": ["one"]}, {"s": ["one"]}], []),
        ([{"s": ["one"]}, {"s": ["two"]}], ["m.x"]),
        ([{"s": ["one", "two"]}], ["m.x"]),
        ([{"s": ["one"], "t": ["two"]}], []),  # each stage by itself
        ([{"s": ["one"]}, {"s": [None]}], []),
        ([{"s": ["one"]}, {}], []),
        ([{"s": ["one", None]}, {"s": ["two"]}], ["m.x"]),
        ([{"s": ["one"]}, {"s": ["three"]}], []),  # another definition, of another class
        ([{"s": ["two"]}, {"s": ["four"]}, {"t": ["one"]}], ["m", "m.x"]),
        ([{"s": ["one"]}, {"s": ["lost"]}], []),
    ],
)
def test_versions_differ_where_one_definition_has_two_digests_in_a_stage(store, results, changed):
    store.put_document("code", "one", {"m.x:f": "1", "m:g": "1"})
    store.put_document("code", "two", {"m.x:f": "2", "m:g": "1"})
    store.put_document("code", "three", {"m.x:h": "3", "m:g": "1"})
    store.put_document("code", "four", {"m.x:f": "3", "m:g": "4"})
    assert changed_modules(store, results) == changed


def test_the_code_of_a_score_changes_with_a_sampler_and_not_with_its_words(
    store, monkeypatch, tmp_path
):
    score = first_score(miniature_study())  # by consistent annealed sampling
    forget(monkeypatch)
    before = note_code(store, score.parts())
    edited(monkeypatch, tmp_path, "scorelib.samplers.als", "def updates", "def updated")
    assert note_code(store, score.parts()) == before
    with monkeypatch.context() as today:
        edited(today, tmp_path, "scorelib.samplers.cas", "any schedule.\n\nThe", "any one.\n\nThe")
        assert note_code(store, score.parts()) == before
    edited(monkeypatch, tmp_path, "scorelib.samplers.cas", "def updates", "def updated")
    after = note_code(store, score.parts())
    assert changed_modules(store, [{"s": [before]}, {"s": [after]}]) == ["scorelib.samplers.cas"]


def test_a_training_does_not_depend_on_samplers(store, monkeypatch, tmp_path):
    snapshot = Snapshot(train=BRIEF, iteration=2)
    forget(monkeypatch)
    before = note_code(store, snapshot.parts())
    edited(monkeypatch, tmp_path, "scorelib.samplers.base", "def walk", "def walked")
    assert note_code(store, snapshot.parts()) == before


def test_every_class_of_this_distribution_has_a_source_of_its_own():
    ours = [cls for cls in _KINDS.values() if is_ours(cls.__module__)]
    assert len(ours) > 40
    for cls in ours:
        name = cls.__qualname__.partition(".")[0]
        if cls.__module__ != "scorelib.spec":
            assert f"{cls.__module__}:{name}" in definitions(cls), cls
        assert own_source(cls) is None


# -- the classes of kinds --------------------------------------------------------------------------


@pytest.fixture(params=["folder", "memory"])
def used(request, tmp_path, monkeypatch):
    """Returns a store that has seen somebody's class, and the class's spec."""
    url = str(tmp_path / "s") if request.param == "folder" else f"memory://{uuid.uuid4().hex}"
    store, spec = Store(url, create=True), mine(monkeypatch, tmp_path / "hers")
    require_own_sources(store, [spec])
    assert store.document_names("kinds") == [], "a check alone writes nothing"
    require_own_sources(store, [spec], note=True)
    (name,) = store.document_names("kinds")
    assert store.document("kinds", name)["kind"] == "my_study:Mine"
    return store, spec


def test_the_same_class_is_accepted_again_wherever_its_file_lies(used, tmp_path, monkeypatch):
    store, spec = used
    words = STUDY.replace("Somebody's sampler", "The same").replace("epsilon=0.01", "epsilon=0.02")
    other = mine(monkeypatch, tmp_path / "elsewhere", words)
    assert type(other) is not type(spec)
    require_own_sources(store, [spec, other], note=True)


OTHER = STUDY.replace("return 2", "return 3")


@pytest.mark.parametrize("note", [True, False])
def test_another_class_of_the_same_kind_is_refused(used, tmp_path, monkeypatch, note):
    store, spec = used
    other = mine(monkeypatch, tmp_path / "his", OTHER)
    assert other.key == spec.key, "the two would share results"
    with pytest.raises(InputError) as refused:
        require_own_sources(store, [other], note=note)
    message = str(refused.value)
    assert f"Mine in {tmp_path / 'his' / 'my_study.py'}" in message and "\n" not in message
    assert "raise VERSION" in message and "KIND" in message
    require_own_sources(store, [spec], note=True)


@pytest.mark.parametrize("line", ["VERSION = 2", 'KIND = "His"'])
def test_it_is_accepted_with_a_version_or_a_kind_of_its_own(used, tmp_path, monkeypatch, line):
    store, spec = used
    text = OTHER.replace("    factor:", f"    {line}\n    factor:")
    other = mine(monkeypatch, tmp_path / "his", text)
    require_own_sources(store, [other, spec], note=True)
    assert len(store.document_names("kinds")) == 2 and other.key != spec.key


def test_classes_that_declare_one_kind_in_two_modules_are_told_apart(used, tmp_path, monkeypatch):
    store, _ = used
    named = STUDY.replace("    factor:", '    KIND = "Shared"\n    factor:')
    require_own_sources(store, [mine(monkeypatch, tmp_path / "a", named)], note=True)
    other = mine(monkeypatch, tmp_path / "b", named.replace("return 2", "return 3"))
    with pytest.raises(InputError, match="'Shared', version 1"):
        require_own_sources(store, [other])


def test_a_changed_class_of_this_distribution_is_not_refused(store, monkeypatch, tmp_path):
    score = first_score(miniature_study())
    ours = [part for part in score.parts() if type(part).__module__.startswith("scorelib")]
    require_own_sources(store, ours, note=True)
    edited(monkeypatch, tmp_path, "scorelib.samplers.cas", "def updates", "def updated")
    require_own_sources(store, ours, note=True)
    assert store.document_names("kinds") == []


# -- older versions --------------------------------------------------------------------------------


def test_a_store_that_is_opened_to_run_jobs_gets_the_format_of_its_new_manifests(tmp_path):
    """Version 0.2 would set manifests with the new field aside, so it must not open the store."""
    file = tmp_path / "store.json"
    file.write_text(json.dumps({"format": 1}))
    Store(str(tmp_path))
    assert json.loads(file.read_text()) == {"format": 1}
    Store(str(tmp_path), create=True)
    assert json.loads(file.read_text()) == {"format": FORMAT} and FORMAT == 2
