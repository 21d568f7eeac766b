"""Tests of the scheduler's invariants under any interleaving of two drivers and their crashes."""

import math
import shutil
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.tuning.miniature import miniature_study
from tuning.drivers import lease
from tuning.drivers.driver import Driver
from tuning.drivers.lease import Leases
from tuning.scheduling.scheduler import Scheduler, Wait
from tuning.search.search import SearchRun
from tuning.store.ledger import Ledger
from tuning.store.store import Store

DRIVERS = st.sampled_from(["one", "two"])
STUDY = miniature_study(search__n_images="20", search__top_images="40", n_images="40")


def result_of(job):
    """Returns the result of a job: a function of its spec alone, as for real jobs."""
    if job.stage != "score":
        return {}
    depth = math.log(job.sample.sampler.epsilon / 0.02) ** 2 + job.protocol.n_images / 1000
    depth += job.sample.ema + job.sample.model.iteration / 1000
    if job.sample.sampler.epsilon > 0.2:
        return {"failed": "non-finite sample at step 3"}
    return {"raw": depth + 1, "denoised": depth}


def commit(store, job):
    files = {"x": job.key.encode()} if job.stage != "score" else {}
    store.commit(job.stage, job.key, spec={}, result=result_of(job), cost={}, files=files)


def finish_all(store):
    """Runs the whole study without interruption."""
    scheduler = Scheduler(STUDY, store)
    while (job := scheduler.next_job()) not in list(Wait):
        commit(store, job)
        scheduler.report_stored(job.key)
    assert scheduler.is_complete()
    return scheduler


def outcome(store):
    """Returns the content of a finished study: winners, ledger, and the keys of all results."""
    scheduler = Scheduler(STUDY, store)
    winners = {name: run.winner.values for name, run in scheduler.searches.items()}
    ledger = {
        str(path.relative_to(store.folder)): path.read_bytes()
        for path in store.folder.glob("ledger/*/*.json")
    }
    return winners, ledger, store.stored_keys()


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    store = Store(str(tmp_path_factory.mktemp("undisturbed") / "store"), create=True)
    finish_all(store)
    return outcome(store)


class StandInDriver(Driver):
    """A driver that is alive or dead as the state machine decides."""

    def __init__(self, store, name, living):
        super().__init__(store)
        self.me, self._living = self.me | {"driver": name}, living

    def is_alive(self, holder):
        return holder["driver"] in self._living


class Drivers(RuleBasedStateMachine):
    """Two drivers on one store; the model is the set of facts that must never change."""

    expected = None

    @initialize()
    def begin(self):
        self.folder = Path(tempfile.mkdtemp())
        self.store = Store(str(self.folder / "store"), create=True)
        self.living, self.n_starts = set(), 0
        self.schedulers, self.names, self.out = {}, {}, {"one": [], "two": []}
        self.rounds_seen, self.stored_seen, self.spoiled = {}, set(), set()

    @rule(who=DRIVERS)
    def start(self, who):
        """Starts or restarts a driver, which forgets its running jobs."""
        self.crash(who)
        self.n_starts += 1
        self.names[who] = f"{who}-{self.n_starts}"
        self.living.add(self.names[who])
        driver = StandInDriver(self.store, self.names[who], self.living)
        self.schedulers[who] = Scheduler(STUDY, self.store, leases=Leases(driver))

    @rule(who=DRIVERS)
    def crash(self, who):
        """Kills a driver as kill -9 does: it releases nothing and reports nothing."""
        self.living.discard(self.names.pop(who, None))
        self.schedulers.pop(who, None)
        self.out[who] = []

    @precondition(lambda self: self.schedulers)
    @rule(who=DRIVERS, n=st.integers(1, 6))
    def hand_out(self, who, n):
        """Proposes rounds and starts jobs, as when workers become free."""
        scheduler = self.schedulers.get(who)
        for _ in range(n if scheduler else 0):
            job = scheduler.next_job()
            if isinstance(job, Wait):
                assert job is not Wait.FINISHED or scheduler.is_complete() or scheduler.given_up
                return
            elsewhere = [j.key for other in self.out.values() for j in other]
            assert job.key not in elsewhere, "two living drivers run the same job"
            assert all(self.store.has(needed.stage, needed.key) for needed in job.inputs())
            self.out[who].append(job)

    @precondition(lambda self: any(self.out.values()))
    @rule(data=st.data(), who=DRIVERS)
    def finish(self, data, who):
        """Stores the result of a worker and reports it."""
        if self.out[who]:
            job = self.take(data, who)
            commit(self.store, job)
            self.schedulers[who].report_stored(job.key)

    @precondition(lambda self: any(self.out.values()))
    @rule(data=st.data(), who=DRIVERS, how=st.sampled_from(["failure", "stopped", "missing"]))
    def end_without_result(self, data, who, how):
        """Ends a job because its worker fails, is stopped, or misses an input."""
        if self.out[who]:
            scheduler, job = self.schedulers[who], self.take(data, who)
            if how == "failure":
                scheduler.report_failure(job.key, "its worker process died")
            elif how == "stopped":
                scheduler.report_stopped(job.key)
            else:
                scheduler.report_missing_input(job.key)

    @precondition(lambda self: any(self.out.values()))
    @rule(data=st.data(), who=DRIVERS, half=st.booleans())
    def crash_while_storing(self, data, who, half):
        """Kills the driver and its worker after the files, or after the manifest."""
        if self.out[who]:
            job = self.take(data, who)
            if half:
                attempt = self.store.folder / "objects" / job.stage / job.key / "0123456789ab"
                attempt.mkdir(parents=True, exist_ok=True)
                (attempt / "x").write_bytes(b"hal")
            else:
                commit(self.store, job)
            self.crash(who)

    @precondition(lambda self: self.stored_seen)
    @rule(data=st.data(), truncate=st.booleans())
    def corrupt(self, data, truncate):
        """Damages a manifest; drivers that have read it may not read it again."""
        paths = sorted(self.store.folder.glob("objects/*/*/manifest.json"))
        path = data.draw(st.sampled_from(paths))
        body = path.read_bytes()
        path.write_bytes(body[: len(body) // 2] if truncate else body.replace(b"1", b"2", 1))
        self.spoiled.add(path.parent.name)
        for who in ("one", "two"):
            self.crash(who)  # other tests cover corruption in a running study

    def take(self, data, who):
        return self.out[who].pop(data.draw(st.integers(0, len(self.out[who]) - 1)))

    @invariant()
    def what_was_once_so_stays_so(self):
        if not hasattr(self, "folder"):
            return
        stored = self.store.stored_keys()
        assert stored | self.spoiled >= self.stored_seen, "a stored result is gone"
        self.stored_seen = stored
        for path in self.store.folder.glob("ledger/*/*.json"):
            text = path.read_bytes()
            assert self.rounds_seen.setdefault(path, text) == text, "a proposed round changed"
        for folder in self.store.folder.glob("ledger/*"):
            numbers = sorted(int(p.stem.removeprefix("round-")) for p in folder.glob("*.json"))
            assert numbers == list(range(len(numbers))), "a round is missing"

    def teardown(self):
        """Checks that the study always ends with the same results."""
        if hasattr(self, "folder"):
            self.living.clear()
            finish_all(self.store)
            winners, ledger, stored = outcome(self.store)
            assert (winners, ledger) == self.expected[:2]
            assert stored == self.expected[2], "jobs were run that nobody needed"
            shutil.rmtree(self.folder)


def test_any_interleaving_of_steps_and_crashes_comes_to_the_same_end(undisturbed, monkeypatch):
    monkeypatch.setattr(lease, "_LOOK_SECONDS", 0.0)
    monkeypatch.setattr(Drivers, "expected", undisturbed)
    run_state_machine_as_test(
        Drivers,
        settings=settings(
            max_examples=15, stateful_step_count=40, derandomize=True, database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )  # fmt: skip


class Gate:
    """Blocks one thread until another is done, or waits for a lock that the first thread holds."""

    def __init__(self):
        self.reached, self.open = threading.Event(), threading.Event()
        self._lock = threading.RLock()

    def __enter__(self):
        if not self._lock.acquire(blocking=False):
            self.open.set()
            self._lock.acquire()

    def __exit__(self, *_):
        self._lock.release()


def test_a_display_that_reads_while_a_round_is_proposed_loses_nothing(store):
    gate = Gate()

    class Gated(Ledger):
        def rounds(self, search_key, fits):
            found = super().rounds(search_key, fits)
            if threading.current_thread() is not threading.main_thread():
                gate.reached.set()
                assert gate.open.wait(30)
            return found

    run = SearchRun(STUDY.searches[0], Gated(store), lambda job: None, lock=gate)
    display = threading.Thread(target=lambda: run.trials)
    display.start()
    assert gate.reached.wait(30), "the display has read the ledger: there is nothing yet"
    assert run.propose()
    wanted = run.wanted()
    gate.open.set()
    display.join()
    assert wanted and [trial.score for trial in run.trials] == wanted
