"""Tests of damaged documents: 24 kinds of damage to every kind of document of a store."""

import json

import pytest

from tests.tuning.miniature import miniature_study
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.drivers.lock import StudyLock
from tuning.search.search import SearchRun
from tuning.store.documents import DamagedDocumentError
from tuning.store.ledger import Ledger
from tuning.store.shapes import SHAPES
from tuning.store.store import Store

KEY = "0" * 32
HOLDER = {"driver": "d", "host": "h", "pid": 1, "started": "1", "place": "1:2"}
VALID = {
    "studies": {"spec": "Settings", "seeds": 1},
    "launches": [{"date": "2026-11-28T12:00:00+00:00", "commit": None, "packages": {"torch": "2"},
                  "data": {}, "python": "3.12"}],
    "history": [{"date": "2026-11-28T12:00:00+00:00", "commit": None, "machine": "h",
                 "changed": {"seeds": "1 -> 2"}}],
    "status": {"date": "2026-11-28T12:00:05+00:00", "started": "2026-11-28T12:00:00+00:00",
               "stages": [], "running": [], "searches": [], "failures": [], "n_failures": 0,
               "gpus": None, "seconds_left": 1.5, "is_estimate": False},
    "own-studies": {"file": "/my_study.py"},
    "ledger": {"proposals": [{"epsilon": 0.5, "sampler": "cas"}]},
    "code": {"m:f": "1"},
    "kinds": {"kind": "mine", "version": 1, "source": "ab"},
    "data": {"name": "digits", "digests": {"train": "a", "test": "b"},
             "n_distinct": {"train": 2, "test": 1}, "n_shared": 0, "remarks": []},
    "rates": {"train": [4, 40.0, 1e9]},
    "gpu-memory": {"peak_bytes": 10, "total_bytes": 20},
    "locks": HOLDER, "leases": HOLDER, "drivers": HOLDER | {"beat": 3},
}  # fmt: skip

DAMAGES = {
    "empty": lambda text: "",
    "cut": lambda text: text[:-3],
    "zeros": lambda text: "\0" * len(text),
    "not UTF-8": lambda text: b"\xff\xfe" + text.encode(),
    "of two encodings": lambda text: text.encode("utf-16")[2:] + b"\x80",
    "twice": lambda text: text + text,
    "more behind it": lambda text: text + "}",
    "a list": lambda text: "[]",
    "a list of a number": lambda text: "[1]",
    "in a list": lambda text: f"[[{text}]]",
    "a number": lambda text: "3",
    "null": lambda text: "null",
    "a text": lambda text: '"text"',
    "true": lambda text: "true",
    "an empty object": lambda text: "{}",
    "NaN": lambda text: "NaN",
    "an endless number": lambda text: "9" * 5001,
    "lists nested deeply": lambda text: "[" * 100_000,
    "objects nested deeply": lambda text: '{"a":' * 50_000 + "1" + "}" * 50_000,
    "no first field": lambda text: edited(text, lambda body: body.pop(next(iter(body)))),
    "null in the first field": lambda text: edited(text, lambda body: put(body, None)),
    "a list in the first field": lambda text: edited(text, lambda body: put(body, [[]])),
    "an infinite first field": lambda text: edited(text, lambda body: put(body, float("inf"))),
    "of another version": lambda text: '{"version": 9, "content": [1, 2]}',
}  # fmt: skip


def put(body, value):
    body[next(iter(body))] = value


def edited(text, change):
    body = json.loads(text)
    change(body[0] if isinstance(body, list) else body)
    return json.dumps(body)


def write(store, folder, damaged):
    path = store.folder / folder / "a-demo.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    return path


def test_every_folder_of_documents_has_a_shape_and_an_example_here():
    assert VALID.keys() == SHAPES.keys() and len(DAMAGES) == 24


@pytest.mark.parametrize("folder", VALID)
def test_what_is_not_damaged_is_read_as_it_is(store, folder, caplog):
    store.put_document(folder, "a-demo", VALID[folder])
    assert store.document(folder, "a-demo") == VALID[folder] and not caplog.text
    assert store.document(folder, "b-demo") is None


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("folder", VALID)
def test_a_damaged_document_is_named_or_set_aside(store, folder, damage, caplog):
    damaged = DAMAGES[damage](json.dumps(VALID[folder]))
    path = write(store, folder, damaged)
    content = path.read_bytes()
    if folder in ("studies", "kinds", "data"):
        with pytest.raises(DamagedDocumentError) as refusal:
            store.document(folder, "a-demo")
        line = str(refusal.value)
        assert f"{folder}/a-demo.json of the store '{store.url}' must hold" in line
        assert "is damaged" in line and "\n" not in line and len(line) < 600
        assert path.read_bytes() == content
        return
    assert store.document(folder, "a-demo") is None
    if folder in ("locks", "leases", "drivers"):
        assert path.read_bytes() == content, "the next driver takes it over"
        return
    (line,) = caplog.messages
    assert f"{folder}/a-demo.json of the store '{store.url}' is damaged" in line
    assert "\n" not in line
    (kept,) = (store.folder / "set-aside").iterdir()
    assert kept.read_bytes() == content and kept.name.startswith(f"{folder}-a-demo-")
    store.put_document(folder, "a-demo", VALID[folder])
    assert store.document(folder, "a-demo") == VALID[folder]


HOLDERS = {
    "a list": [1], "a pid in words": HOLDER | {"pid": "one"}, "a broken pid": HOLDER | {"pid": 1.5},
    "a huge pid": HOLDER | {"pid": 2**40}, "a path": HOLDER | {"driver": "../../x"},
    "no driver": {"host": "h"}, "an empty driver": HOLDER | {"driver": ""},
}  # fmt: skip


@pytest.mark.parametrize("holder", HOLDERS)
@pytest.mark.parametrize("suffix", ["", ".taken-over"])
def test_a_lock_or_lease_with_a_damaged_holder_blocks_no_run(store, holder, suffix):
    with Driver(store) as driver:
        body = HOLDERS[holder]
        if isinstance(body, dict) and "host" in body:
            body = body | {"host": driver.me["host"], "place": driver.me["place"]}
        for folder, name in (("locks", "study-demo"), ("leases", KEY)):
            store.put_document(folder, f"{name}{suffix}", body)
            if suffix:
                store.put_document(folder, name, driver.me | {"started": "1", "driver": "dead"})
        with StudyLock(driver, "study-demo"):
            assert Leases(driver).take(KEY)
            assert store.document("locks", "study-demo") == driver.me
    assert store.document_names("locks") == []


def test_a_damaged_heartbeat_is_no_death(store):
    with Driver(store) as driver:
        stranger = HOLDER | {"driver": "stranger", "host": "elsewhere/1"}
        write(store, "drivers", "[1]").rename(store.folder / "drivers/stranger.json")
        assert driver.is_alive(stranger)


@pytest.mark.parametrize(
    "values", [{}, {"other": 0.01}, {"epsilon": 0.01, "more": 1}, {"epsilon": "small"}]
)
def test_a_round_of_another_search_is_proposed_again(store, values, caplog):
    search = miniature_study().searches[0]
    run = SearchRun(search, Ledger(store), lambda job: None)
    assert run.propose()
    (proposed,) = [store.document(f"ledger/{run.ledger_key}", "round-0000")]
    store.put_document(f"ledger/{run.ledger_key}", "round-0000", {"proposals": [values]})
    again = SearchRun(search, Ledger(store), lambda job: None)
    assert again.trials == [] and "not those of the search" in caplog.text
    assert again.propose()
    assert store.document(f"ledger/{run.ledger_key}", "round-0000") == proposed


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_manifest_is_set_aside(store, damage):
    path = committed(store, KEY)
    damaged = DAMAGES[damage](path.read_text())
    path.write_bytes(damaged if isinstance(damaged, bytes) else damaged.encode())
    assert store.manifest("score", KEY) is None and not path.exists()


def test_the_manifest_of_another_job_is_set_aside(store):
    path, other = committed(store, KEY), committed(store, "1" * 32)
    path.write_bytes(other.read_bytes())
    assert store.manifest("score", KEY) is None and not path.exists()


def committed(store: Store, key):
    files, code = {"a.bin": b"abc"}, {"score": ["1"]}
    store.commit("score", key, spec={}, result={}, cost={}, files=files, code=code)
    return store.folder / f"objects/score/{key}/manifest.json"
