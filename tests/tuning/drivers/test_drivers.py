"""Tests of drivers, the study lock and leases: one active holder, replaced after its end."""

import os
import queue
import subprocess
import sys
import threading

import pytest

from scorelib.errors import InputError
from tests.tuning.draining import fill
from tests.tuning.miniature import miniature_study
from tuning.drivers import driver as driver_module
from tuning.drivers import lease as lease_module
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.drivers.lock import StudyLock
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.store.documents import StoreWriteError
from tuning.store.store import Store

HOLD = """
import sys
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.drivers.lock import StudyLock
from tuning.store.store import Store
with Driver(Store(sys.argv[1])) as driver, StudyLock(driver, "study-demo"):
    for key in sys.argv[2:]:
        assert Leases(driver).take(key)
    print("held", flush=True)
    sys.stdin.read()
"""


def hold(store, *keys, prefix=()):
    """Starts another process that holds the study and leases of some keys until its input ends."""
    process = subprocess.Popen(
        [*prefix, sys.executable, "-c", HOLD, store.url, *keys], stdin=subprocess.PIPE,
        stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout.readline() == "held\n"
    return process


def kill(process):
    process.kill()
    process.wait()


@pytest.fixture
def driver(store):
    with Driver(store) as entered:
        yield entered


@pytest.fixture
def stranger(store):
    """Returns a driver of another host that exists only as a document with a counter."""
    holder = {"driver": "stranger", "host": "elsewhere/1", "pid": 1, "started": "1"}
    store.put_document("drivers", "stranger", holder | {"beat": 0})
    return holder


@pytest.fixture
def clock(monkeypatch):
    """Replaces the monotonic clock of the observer; tests move the clock, and waiting moves it."""

    class Clock:
        now = 1000.0

        def monotonic(self):
            return self.now

        def sleep(self, seconds):
            self.now += seconds

    made = Clock()
    for module in (driver_module, lease_module, sys.modules["tuning.drivers.lock"]):
        monkeypatch.setattr(module, "time", made)
    return made


def test_a_living_holder_is_named_and_a_killed_one_succeeded(store, driver):
    process = hold(store)
    with pytest.raises(InputError, match=rf"process {process.pid} on .* runs it: wait"):
        StudyLock(driver, "study-demo").__enter__()
    with StudyLock(driver, "other-demo"):
        pass  # another study is not blocked
    kill(process)
    with StudyLock(driver, "study-demo"):
        assert store.document("locks", "study-demo")["pid"] == os.getpid()
    assert store.document("locks", "study-demo") is None


def test_a_driver_that_leaves_leaves_nothing(store, driver):
    hold(store, "00ff").communicate()
    assert store.document_names("locks") == []
    assert store.document_names("drivers") == [driver.me["driver"]]


def test_a_killed_driver_is_buried_by_the_next(store, driver):
    kill(hold(store))
    assert len(store.document_names("drivers")) == 2
    with StudyLock(driver, "study-demo"):
        assert store.document_names("drivers") == [driver.me["driver"]]


def test_a_reused_process_number_does_not_count_as_alive(store, driver):
    store.put_document("locks", "study-demo", driver.me | {"started": "12345", "driver": "old"})
    with StudyLock(driver, "study-demo"):
        pass


def test_a_corrupt_lock_is_replaced(store, driver):
    (store.folder / "locks").mkdir()
    (store.folder / "locks" / "study-demo.json").write_text('{"driver": "x", ')
    with StudyLock(driver, "study-demo"):
        assert store.document("locks", "study-demo") == driver.me


def test_a_holder_on_another_host_is_alive_while_its_counter_moves(store, driver, stranger, clock):
    store.put_document("locks", "study-demo", stranger)

    def sleep(seconds):
        clock.now += seconds
        store.put_document("drivers", "stranger", stranger | {"beat": 1})

    clock.sleep = sleep
    with pytest.raises(InputError, match="process 1 on elsewhere runs it"):
        StudyLock(driver, "study-demo").__enter__()
    assert clock.now == 1001.0, "refused as soon as the counter had moved"


def test_a_holder_on_another_host_whose_counter_stood_still_for_a_minute_is_succeeded(
    store, driver, stranger, clock, caplog
):
    store.put_document("locks", "study-demo", stranger)
    with StudyLock(driver, "study-demo"):
        assert store.document("locks", "study-demo") == driver.me
    assert 1060.0 <= clock.now < 1063.0
    assert "checking for up to a minute" in caplog.text
    assert store.document("drivers", "stranger") is None


def test_clocks_of_two_hosts_are_never_compared(store, driver, stranger, clock):
    # The clock of the stranger is hours off: neither its documents nor the time of a file contain
    # it.
    path = store.folder / "drivers" / "stranger.json"
    for offset in (-7200, 7200):
        os.utime(path, (path.stat().st_atime, path.stat().st_mtime + offset))
        assert driver.is_alive(stranger)
    clock.now += 59
    assert driver.is_alive(stranger)
    clock.now += 2
    assert not driver.is_alive(stranger)


def test_a_driver_taken_for_dead_learns_of_it(store, monkeypatch):
    monkeypatch.setattr(driver_module, "_BEAT_SECONDS", 0.01)
    reasons = queue.Queue()
    with Driver(store, on_lost=reasons.put) as suspended, Driver(store) as other:
        other.remove_dead(suspended.me)
        assert reasons.get(timeout=30).startswith("another driver took this study over")
    assert store.document_names("drivers") == []


def test_a_driver_whose_store_is_gone_says_so(store, monkeypatch):
    monkeypatch.setattr(driver_module, "_BEAT_SECONDS", 0.01)
    reasons = queue.Queue()
    with Driver(store, on_lost=reasons.put):
        store.folder.rename(store.folder.with_name("elsewhere"))
        assert reasons.get(timeout=30) == "the store no longer exists"
    assert not store.folder.exists()


def test_what_ended_the_work_is_told_although_the_lock_cannot_be_given_back(store, monkeypatch):
    def read_only(folder, name):
        raise StoreWriteError("the store must be writable")

    with (
        pytest.raises(InputError, match="the cause"),
        Driver(store) as driver,
        StudyLock(driver, "a-demo"),
    ):
        monkeypatch.setattr(store, "remove_document", read_only)
        raise InputError("the cause")


def test_a_store_away_for_a_moment_does_not_end_the_heart(store, monkeypatch):
    monkeypatch.setattr(driver_module, "_BEAT_SECONDS", 0.01)
    read, asked = store.document_bytes, threading.Semaphore(0)

    def away(folder, name):
        asked.release()
        raise OSError("the file system is away")

    with Driver(store) as alive:
        monkeypatch.setattr(store, "document_bytes", away)
        assert all(asked.acquire(timeout=30) for _ in range(3)), "it gave up"
        monkeypatch.setattr(store, "document_bytes", read)
        before = read("drivers", alive.me["driver"])
        while read("drivers", alive.me["driver"]) == before:
            assert alive._thread.is_alive()
            alive._thread.join(0.01)


def test_of_two_that_take_over_at_once_one_does_and_the_other_sees_it(store, driver):
    dead = {"driver": "dead", "host": driver.me["host"], "pid": 0, "started": "0"}
    store.put_document("locks", "study-demo", dead)
    with Driver(store) as other:
        # The other driver has read the inactive holder too and is slow: this one takes over first.
        assert driver.take_over("locks", "study-demo", dead)
        assert store.create_document("locks", "study-demo", driver.me)
        assert other.take_over("locks", "study-demo", dead)
        assert store.document("locks", "study-demo") == driver.me, "a living lock was removed"
        # While one driver takes over, the other waits.
        assert store.create_document("locks", "study-demo.taken-over", driver.me)
        assert not other.take_over("locks", "study-demo", driver.me)
    assert store.document("locks", "study-demo") == driver.me


def test_one_that_died_while_taking_over_is_no_hindrance(store, driver):
    dead = {"driver": "dead", "host": driver.me["host"], "pid": 0, "started": "0"}
    store.put_document("locks", "study-demo", dead)
    store.put_document("locks", "study-demo.taken-over", dead | {"driver": "dead too"})
    with StudyLock(driver, "study-demo"):
        assert store.document_names("locks") == ["study-demo"]


def test_a_holder_that_lost_its_lock_does_not_remove_the_successors(store, driver, stranger):
    with StudyLock(driver, "study-demo"):
        store.put_document("locks", "study-demo", stranger)
    assert store.document("locks", "study-demo") == stranger


def test_of_many_that_try_at_once_one_succeeds(store):
    held, refused = [], []
    release = threading.Event()

    def attempt():
        with Driver(store) as driver:
            try:
                with StudyLock(driver, "study-demo"):
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


# -- leases --------------------------------------------------------------------------------------


def test_a_leased_job_is_left_to_its_driver_until_that_is_dead(store, driver, clock):
    process = hold(store, "00ff")
    leases = Leases(driver)
    assert leases.take("11ff") and not leases.has_company
    assert not leases.take("00ff") and leases.has_company
    kill(process)
    assert not leases.take("00ff"), "looked at again only after a while"
    clock.now += 2.5
    assert leases.take("00ff")
    assert store.document("leases", "00ff") == driver.me


def test_a_lease_of_another_host_lasts_while_its_counter_moves(store, driver, stranger, clock):
    store.put_document("leases", "00ff", stranger)
    leases = Leases(driver)
    for beat in range(10):
        clock.now += 30
        store.put_document("drivers", "stranger", stranger | {"beat": beat})
        assert not leases.take("00ff")
    clock.now += 59
    assert not leases.take("00ff")
    clock.now += 2
    assert leases.take("00ff")


def test_a_lease_given_back_is_free_and_ones_own_can_be_taken_again(store, driver):
    leases = Leases(driver)
    assert leases.take("00ff") and leases.take("00ff")
    leases.drop("00ff")
    assert store.document_names("leases") == []


def test_two_schedulers_never_hand_out_the_same_job_at_a_time(store):
    with Driver(store) as one, Driver(store) as two:
        schedulers = [Scheduler(miniature_study(), store, leases=Leases(d)) for d in (one, two)]
        out = [[], []]
        for number, scheduler in enumerate(schedulers):
            while (job := scheduler.next_job()) not in list(Wait):
                out[number].append(job.key)
            # The first has taken all jobs; the second waits for the first and does not end.
            assert job is Wait.NOTHING_READY
        assert out[0] and not out[1]
        schedulers[0].forget_running()
        assert store.document_names("leases") == []


def test_what_another_driver_finished_is_not_run_again(store, clock):
    with Driver(store) as one, Driver(store) as two:
        first = Scheduler(miniature_study(), store, leases=Leases(one))
        second = Scheduler(miniature_study(), store, leases=Leases(two))
        while first.next_job() not in list(Wait):
            pass
        assert second.next_job() is Wait.NOTHING_READY
        fill(miniature_study(), store)  # the first driver finishes all jobs and ends
        first.forget_running()
        clock.now += 3
        assert second.next_job() is Wait.FINISHED and second.is_complete()


def test_a_driver_on_another_host_is_told_from_one_here(store):
    """Runs a driver in separate namespaces (host name, process numbers), as on another machine."""
    unshare = ["unshare", "--uts", "--pid", "--fork", "--mount-proc"]
    if subprocess.run([*unshare, "true"], capture_output=True).returncode:
        pytest.skip("needs the right to make namespaces (unshare)")
    process = hold(Store(store.url), "00ff", prefix=unshare)
    with Driver(store) as driver:
        holder = store.document("leases", "00ff")
        assert holder["host"] != driver.me["host"] and holder["pid"] != process.pid
        assert driver.is_alive(holder)
        # Its process number is invalid here or means another process: only its counter counts.
        assert not Leases(driver).take("00ff")
    process.communicate()


def test_what_killed_drivers_left_is_removed_and_nothing_else(store, driver, stranger):
    kill(hold(store, "00ff", "11ff"))
    living = hold(store, "22ff")
    store.put_document("leases", "33ff", stranger)
    store.put_document("leases", "44ff", driver.me)
    kept = {*store.document_names("drivers")} - {
        store.document("leases", key)["driver"] for key in ("00ff",)
    }
    Leases(driver).remove_dead()
    driver.remove_dead_drivers()
    assert store.document_names("leases") == ["22ff", "33ff", "44ff"]
    assert {*store.document_names("drivers")} == kept and len(kept) == 3
    living.communicate()
