"""Tests of a store on S3: differences from a folder, and changes by other processes.

tests/tuning/store/test_store.py tests the contract that all stores share, including stores on S3.
"""

import contextlib
import re
import subprocess
import sys
import threading
import uuid
from datetime import UTC, datetime, timedelta

import pytest

from scorelib.errors import InputError
from tuning.drivers.driver import Driver
from tuning.drivers.lock import StudyLock
from tuning.store.store import CorruptObjectError, Store

KEY, OTHER = "1" * 32, "2" * 32


@pytest.fixture
def store(s3):
    return Store(f"s3://bucket/{uuid.uuid4().hex}", create=True)


def commit(store, key=KEY, data=b"data"):
    store.commit("score", key, spec={}, result={"data": data.decode()}, cost={}, files={"a": data})


def elsewhere(store, code, returncode=0):
    """Runs code on the same store in another process."""
    program = (
        f"import os\nfrom tuning.store.store import Store\nstore = Store({store.url!r})\n{code}"
    )
    done = subprocess.run([sys.executable, "-c", program], check=False)
    assert done.returncode == returncode


def test_of_many_who_create_a_document_at_once_one_does(store):
    for number in range(10):
        start, created = threading.Barrier(4), []

        def create(me, name=f"round-{number}", start=start, created=created):
            start.wait()
            if store.create_document("code", name, {"me": str(me)}):
                created.append(str(me))

        threads = [threading.Thread(target=create, args=(me,)) for me in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.document("code", f"round-{number}")["me"]] == created


def test_creating_is_exclusive_on_the_server_and_not_by_looking_first(store, s3):
    assert store.create_document("locks", "it", {})
    assert not store.create_document("locks", "it", {})
    puts = re.findall(r'"[^"]*PUT /bucket/\S*/locks/it\.json HTTP/1\.1[^"]*" (\d+)', s3.log)
    assert puts == ["200", "412"], "the second was not refused by If-None-Match"


def test_a_commit_killed_before_its_manifest_is_invisible_and_can_be_made_again(store):
    dying = f"""
put = store._put
def die(path, data):
    if path.endswith("manifest.json"):
        os.kill(os.getpid(), 9)
    put(path, data)
store._put = die
store.commit("score", "{KEY}", spec={{}}, result={{}}, cost={{}}, files={{"a": b"x"}})
"""
    elsewhere(store, dying, returncode=-9)
    left = store._fs.find(store._path("objects"))
    assert len(left) == 1 and left[0].endswith("/a"), "the data should be there"
    assert not store.has("score", KEY) and store.stored_keys() == set()
    assert store.manifest("score", KEY) is None
    commit(store)
    assert store.read("score", KEY, "a") == b"data"


def test_what_another_process_commits_is_seen(store):
    commit(store)
    assert store.stored_keys() == {KEY} and not store.has("score", OTHER)
    elsewhere(
        store, f'store.commit("score", "{OTHER}", spec={{}}, result={{}}, cost={{}}, files={{}})'
    )
    assert store.has("score", OTHER) and store.stored_keys() == {KEY, OTHER}


def test_what_another_process_sets_aside_can_be_committed_again(store):
    commit(store)
    assert store.stored_keys() == {KEY} and store.has("score", KEY)
    elsewhere(store, f'store.set_aside("score", "{KEY}")')
    assert not store.has("score", KEY) and store.stored_keys() == set()
    commit(store, data=b"again")
    assert store.manifest("score", KEY).result == {"data": "again"}


def test_documents_of_another_process_are_listed(store):
    assert store.document_names("leases") == []
    elsewhere(store, 'store.put_document("leases", "one", {})')
    assert store.document_names("leases") == ["one"]
    elsewhere(store, 'store.remove_document("leases", "one")')
    assert store.document_names("leases") == [] and store.document("leases", "one") is None


def test_a_dead_drivers_lock_is_taken_over_by_one_of_many(store):
    dead = {"driver": "dead", "host": "", "pid": 0, "started": "0"}
    store.put_document("locks", "it", dead)
    with contextlib.ExitStack() as stack:
        drivers = [stack.enter_context(Driver(store)) for _ in range(4)]
        dead["host"] = drivers[0].me["host"]
        store.put_document("locks", "it", dead)
        barrier, held = threading.Barrier(4), []

        def attempt(driver):
            barrier.wait()
            try:
                StudyLock(driver, "it").__enter__()
                held.append(driver.me)
            except InputError:
                pass

        threads = [threading.Thread(target=attempt, args=(driver,)) for driver in drivers]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert [store.document("locks", "it")] == held


def test_the_stored_keys_come_in_one_request_a_thousand_files(store, s3):
    for number in range(20):
        commit(store, f"{number:032x}")
    before = len(s3.log)
    assert len(store.stored_keys()) == 20
    requests = re.findall(r'"[^"]*(?:GET|HEAD) /\S+', s3.log[before:])
    assert len(requests) == 1, requests


def test_a_result_has_the_date_at_which_it_was_stored(store):
    assert store.committed_at("score", KEY) is None
    commit(store, KEY)
    assert abs(datetime.now(UTC) - store.committed_at("score", KEY)) < timedelta(minutes=10)


def test_a_file_travels_to_a_node_once_whatever_the_number_of_its_processes(store, s3):
    data = uuid.uuid4().bytes * 1000
    store.commit("score", KEY, spec={}, result={}, cost={}, files={"a": data})
    for _ in range(2):
        elsewhere(store, f'assert len(store.read("score", "{KEY}", "a")) == {len(data)}')
    assert store.read("score", KEY, "a") == data
    folder = store.url.removeprefix("s3://")
    gets = re.findall(rf'"[^"]*GET /{folder}/\S*/a HTTP', s3.log)
    assert len(gets) == 1, gets


def test_a_file_altered_on_the_server_is_found_by_a_node_that_has_not_read_it(store):
    commit(store, data=uuid.uuid4().hex.encode())
    path = f"{store._object('score', KEY)}/{store.manifest('score', KEY).files['a']['path']}"
    store._fs.pipe_file(path, b"datA")
    with pytest.raises(CorruptObjectError):
        store.read("score", KEY, "a")


def test_a_bucket_that_is_not_there_is_refused(s3):
    with pytest.raises(InputError, match=r"has no store\.json"):
        Store("s3://nowhere/store")
