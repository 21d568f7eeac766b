"""The study lock: one living driver; the dead are succeeded at once."""

import os
import subprocess
import sys
import threading

import pytest

from scorelib.errors import InputError
from tuning import lock as lock_module
from tuning.lock import StudyLock

HOLD = """
import sys
from tuning.lock import StudyLock
from tuning.store import Store
with StudyLock(Store(sys.argv[1]), "study-demo"):
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(store):
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, store.url], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
        text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    return process


def test_a_living_holder_is_named_and_a_killed_one_succeeded(store):
    process = hold(store)
    with pytest.raises(InputError, match=rf"process {process.pid} on .* does: wait"):
        StudyLock(store, "study-demo").__enter__()
    with StudyLock(store, "other-demo"):
        pass  # another study is not in the way
    process.kill()
    process.wait()
    with StudyLock(store, "study-demo"):
        assert store.document("locks", "study-demo")["pid"] == os.getpid()
    assert store.document("locks", "study-demo") is None


def test_a_lock_is_released_when_its_holder_leaves(store):
    process = hold(store)
    process.communicate()
    with StudyLock(store, "study-demo"):
        pass


def test_a_reused_process_number_does_not_count_as_alive(store):
    me = StudyLock(store, "study-demo")._me
    store.put_document("locks", "study-demo", me | {"started": "12345", "beat": 3})
    with StudyLock(store, "study-demo"):
        pass


def test_a_holder_on_another_host_is_alive_while_its_counter_moves(store, monkeypatch):
    monkeypatch.setattr(lock_module, "_DEAD_AFTER_SECONDS", 5.0)
    holder = {"host": "elsewhere", "pid": 1, "started": "1", "beat": 0}
    store.put_document("locks", "study-demo", holder)
    looked = threading.Event()
    document = store.document

    def watched(folder, name):
        found = document(folder, name)
        if looked.is_set():
            store.put_document("locks", "study-demo", holder | {"beat": 1})
        looked.set()
        return found

    monkeypatch.setattr(store, "document", watched)
    with pytest.raises(InputError, match="process 1 on elsewhere"):
        StudyLock(store, "study-demo").__enter__()


def test_a_holder_on_another_host_whose_counter_stands_still_is_succeeded(store, monkeypatch):
    monkeypatch.setattr(lock_module, "_DEAD_AFTER_SECONDS", 0.1)
    store.put_document("locks", "study-demo", {"host": "elsewhere", "pid": 1, "beat": 0})
    with StudyLock(store, "study-demo"):
        assert store.document("locks", "study-demo")["pid"] == os.getpid()


def test_a_lock_taken_over_meanwhile_is_put_back_and_left_alone(store):
    dead = {"host": "here", "pid": 1, "beat": 0}
    living = {"host": "there", "pid": 2, "beat": 5}
    store.put_document("locks", "study-demo", living)
    # One who still believes the lock dead moves it aside, sees another's, and puts it back.
    store.take_away("locks", "study-demo", dead)
    assert store.document("locks", "study-demo") == living
    store.take_away("locks", "study-demo", living)
    assert store.document("locks", "study-demo") is None
    assert store.document_names("locks") == []


def test_a_holder_that_lost_its_lock_does_not_remove_the_successors(store):
    successor = {"host": "there", "pid": 2, "beat": 5}
    with StudyLock(store, "study-demo"):
        store.put_document("locks", "study-demo", successor)
    assert store.document("locks", "study-demo") == successor


def test_of_many_that_try_at_once_one_succeeds(store):
    held, refused = [], []
    release = threading.Event()

    def attempt():
        try:
            with StudyLock(store, "study-demo"):
                held.append(1)
                release.wait(30)
        except InputError:
            refused.append(1)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    while len(held) + len(refused) < 8:
        threads[0].join(0.01)
    release.set()
    for thread in threads:
        thread.join()
    assert (len(held), len(refused)) == (1, 7)
