"""Tests that a stage defined only in this file is planned, timed, run and displayed in order."""

import io
import json
from dataclasses import dataclass, replace
from typing import ClassVar

import pytest
from rich.console import Console

from scorelib.data import Digits
from scorelib.samplers import Als
from scorelib.schedules import GeometricSchedule
from tests.tuning.draining import drain
from tuning.cells import Cell
from tuning.execution.resources import GpuShares, gpu_share
from tuning.execution.searcher import JobSearcher
from tuning.execution.trainable import Execution, JobTrainable
from tuning.jobs import Job, Outcome, Progress, Stage, Work
from tuning.scheduling.forecast import forecast
from tuning.scheduling.progress import Display
from tuning.scheduling.rates import ASSUMED_MULTIPLY_ADDS_PER_SECOND, Rates
from tuning.scheduling.scheduler import Scheduler
from tuning.stages import DataShares, NoiseLevel
from tuning.store.documents import as_name
from tuning.study import Study

CPU = "cpu x1"


@dataclass(frozen=True, kw_only=True)
class Polish(Job):
    """A stage between training and sampling, without a network."""

    STAGE: ClassVar[Stage] = Stage("polish", 25, "sample", assumed_seconds=18.0)
    seed: int

    def title(self):
        return f"polish {self.seed}"

    def work(self):
        return Work(images=10)

    def wants_gpu(self):
        return True

    def run(self, at):
        yield Progress(0, 1, "parts")
        return Outcome(result={"shine": float(self.seed)})


@dataclass(frozen=True, kw_only=True)
class Grow(Job):
    """A stage after all others, with a network; its jobs form a chain and fill a GPU."""

    STAGE: ClassVar[Stage] = Stage("grow", 999, "train", fills_gpu=True)
    to: int

    @property
    def chain(self):
        return "grow"

    @property
    def position(self):
        return self.to

    @property
    def rate_name(self):
        return "grow tall"

    def title(self):
        return f"grow to {self.to}"

    def work(self):
        return Work(images=self.to, multiply_adds=1e9 * self.to)

    def wants_gpu(self):
        return True

    def run(self, at):
        yield Progress(0, 1, "parts")
        return Outcome(result={"height": float(self.to)}, cost={"started_at": self.to - 10})


@pytest.fixture(scope="module")
def study():
    """Returns a study with jobs of two known stages and of the two new stages."""
    schedule = GeometricSchedule(sigma_1=1.0, sigma_L=0.1, n_levels=4)
    noise = NoiseLevel(schedule=schedule, sampler=Als(n_sigma=1, epsilon=0.01))
    shares = DataShares(data=Digits(), split="test")
    jobs = [Grow(to=30), shares, Polish(seed=2), noise, Grow(to=10), Polish(seed=3)]
    cells = tuple(Cell(row=job.title(), column="made", job=job, quantities=()) for job in jobs)
    return Study(
        name="new", scale="demo", paper="", exhibit="", title="", question="", settings=schedule,
        cells=cells,
    )  # fmt: skip


def by_stage(study, store, device=CPU):
    return {row.stage: row for row in forecast(Scheduler(study, store), store, device)}


def test_it_is_planned_in_its_place_with_its_time(study, store):
    rows = by_stage(study, store)
    assert list(rows) == ["polish", "noise", "shares", "grow"]
    polish, grow = rows["polish"], rows["grow"]
    assert (polish.n_to_run, polish.work.images, polish.is_estimate) == (2, 20, True)
    assert polish.hours == pytest.approx(2 * 18 / 3600)
    # The job at 30 comes first and does all work from the start; nothing is left for the job at 10.
    assert (grow.n_to_run, grow.work.images, grow.work.multiply_adds) == (2, 30, 30e9)
    assumed = ASSUMED_MULTIPLY_ADDS_PER_SECOND["cpu"]
    assert grow.is_estimate and grow.hours == pytest.approx(30e9 / assumed / 3600)
    display = Display(Scheduler(study, store), store, CPU, 1, Console(file=io.StringIO()))
    assert "polish 0/2 noise 0/1 shares 0/1 grow 0/2" in display._line(list(rows.values()))


def test_it_runs_in_the_order_of_its_chain_and_is_shown_as_done(study, store):
    scheduler = Scheduler(study, store)
    names = {job.key: job.title() for job in study.fixed_jobs}
    ran = [names[key] for stage, key in drain(study, store, scheduler=scheduler)
           if stage in ("polish", "grow")]  # fmt: skip
    assert sorted(ran) == ["grow to 10", "grow to 30", "polish 2", "polish 3"]
    assert ran.index("grow to 10") < ran.index("grow to 30")
    assert scheduler.is_complete() and scheduler.finished_here["polish"] == 2
    assert store.manifest("polish", Polish(seed=3).key).result == {"shine": 3.0}
    rows = by_stage(study, store)
    assert (rows["polish"].n_stored, rows["polish"].n_to_run, rows["polish"].hours) == (2, 0, 0)


def test_it_is_timed_by_job_or_by_the_work_done(study, store):
    rates, scheduler = Rates(store), Scheduler(study, store)
    drain(study, store, scheduler=scheduler)
    for job in (Polish(seed=2), Grow(to=30)):
        manifest = store.manifest(job.stage, job.key)
        cost = manifest.cost | {"seconds": 6.0, "device": CPU}
        rates.note(job, replace(manifest, cost=cost))
    hours, is_estimate = rates.hours("polish", Polish.STAGE, Work(images=10), 5, CPU)
    assert not is_estimate and hours == pytest.approx(5 * 6 / 3600)
    # The job at 30 continued from 20: 10e9 multiply-adds in 6 seconds.
    hours, is_estimate = rates.hours("grow tall", Grow.STAGE, Work(multiply_adds=50e9), 1, CPU)
    assert not is_estimate and hours == pytest.approx(50 / 10 * 6 / 3600)
    assert rates.hours("grow", Grow.STAGE, Work(multiply_adds=2e10), 1, CPU)[1], "another rate"


def test_totals_without_multiply_adds_are_read_and_begun_anew(study, store):
    """Version 0.1 stored such totals of frames and accuracies."""
    rates, job = Rates(store), Grow(to=10)
    store.put_document("rates", as_name(CPU), {"grow tall": (4, 40.0, 0.0)})
    hours, is_estimate = rates.hours("grow tall", Grow.STAGE, Work(multiply_adds=1e9), 3, CPU)
    assert not is_estimate and hours == pytest.approx(3 * 10 / 3600)
    drain(study, store)
    manifest = store.manifest(job.stage, job.key)
    cost = manifest.cost | {"seconds": 5.0, "device": CPU}
    rates.note(job, replace(manifest, cost=cost))
    hours, _ = rates.hours("grow tall", Grow.STAGE, Work(multiply_adds=20e9), 1, CPU)
    assert hours == pytest.approx(20 / 10 * 5 / 3600)


def test_its_time_out_and_its_share_of_a_gpu_are_those_of_its_class(store, monkeypatch):
    execution = Execution(store_url=store.url, timeouts={"sample": 7.0, "train": 9.0})
    shares = GpuShares(train=0.9, sample=0.2)
    watched = []
    monkeypatch.setattr(
        "faulthandler.dump_traceback_later", lambda seconds, exit: watched.append(seconds)
    )
    for job, seconds, share in ((Polish(seed=1), 7.0, 0.2), (Grow(to=10), 9.0, 0.9)):
        assert gpu_share(job, shares) == share
        worker = JobTrainable.__new__(JobTrainable)
        worker.setup(execution.config(job, gpus=0.0))
        assert worker._execution.timeouts[job.STAGE.timeout] == seconds
        assert json.loads(worker._job_json)["spec"] == job.KIND
        assert worker.step() == {"outcome": "stored", "done": True}
        assert watched.pop() == pytest.approx(seconds + 1)
        assert store.has(job.stage, job.key)


def test_a_worker_of_it_that_hung_is_said_to_have_hung(study, store, monkeypatch):
    scheduler = Scheduler(study, store)
    searcher = JobSearcher(
        scheduler, Execution(store_url=store.url, timeouts={"sample": 7.0}), None
    )
    while searcher._jobs.get("trial") is None or searcher._jobs["trial"].stage != "polish":
        searcher.suggest("trial")
    searcher._heard["trial"] -= 8.0
    searcher.report_death("trial", "worker died")
    (failure,) = scheduler.failures.values()
    assert failure.cause == "no progress for 7 s, the time-out of its stage"
