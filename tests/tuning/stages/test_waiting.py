"""Tests of sampling without waiting: draws by a thread, checks at intervals, the first bad step."""

import itertools
import threading
from dataclasses import dataclass

import pytest
import torch

from scorelib.devices import ahead as module
from scorelib.samplers import Als, Cas, Langevin, PredictorCorrector, Sampler, Update
from tests.scorelib.devices.waits import Waits
from tests.tuning.miniature import first_score, miniature_study
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext
from tuning.stages import sample as stage
from tuning.stages.sample import walk_chunk
from tuning.testing import finish

SAMPLERS = [
    Als(epsilon=0.01, n_sigma=2, extra_call=True), Cas(epsilon=0.01),
    Langevin(sigma=1.0, epsilon=0.1, n_steps=5), PredictorCorrector(n_steps=4),
]  # fmt: skip


@pytest.fixture
def chunk(store):
    """Returns a chunk of the miniature's images, whose network is stored."""
    found = first_score(miniature_study()).chunks()[0]
    for job in found.inputs():
        finish(job, ExecutionContext(store=store))
    return found


def with_sampler(chunk, sampler):
    return chunk.replace(sample=chunk.sample.replace(sampler=sampler))


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.KIND)
def test_a_thread_changes_no_bit_of_a_chain(chunk, store, sampler, monkeypatch):
    states = []
    for with_thread in (False, True):
        monkeypatch.setattr(module, "draws_ahead", lambda device, on=with_thread: on)
        sample = with_sampler(chunk, sampler).sample
        states.append(list(walk_chunk(sample, 0, ExecutionContext(store=store))))
    assert len(states[0]) == len(states[1]) > 3
    assert all(torch.equal(a.x, b.x) for a, b in zip(*states, strict=True))
    assert torch.equal(states[0][-1].denoised, states[1][-1].denoised)


def test_a_closed_job_ends_its_thread(chunk, store, monkeypatch):
    monkeypatch.setattr(module, "draws_ahead", lambda device: True)
    running = execute(chunk, ExecutionContext(store=store))
    next(running), next(running)
    assert [t.name for t in threading.enumerate() if t.name.startswith("draws")]
    running.close()
    assert not [t.name for t in threading.enumerate() if t.name.startswith("draws")]


@pytest.mark.parametrize("sampler", SAMPLERS, ids=lambda sampler: sampler.KIND)
def test_a_chain_waits_for_the_device_at_its_checks_only(chunk, store, sampler, monkeypatch):
    monkeypatch.setattr(stage, "CHECK_EVERY_STEPS", 3)
    running = with_sampler(chunk, sampler).run(ExecutionContext(store=store))
    waits, found = Waits(), []
    with waits:
        next(running), waits.clear()  # the weights are read before the first step
        for _ in itertools.islice(running, 3):
            found.append(waits.clear())
    assert found == [[], ["aten::_local_scalar_dense"], []]
    running.close()


@dataclass(frozen=True)
class Doubling(Update):
    grows: bool

    def step(self, x, scaled_score, draw):
        return x * torch.inf if self.grows else x


@dataclass(frozen=True, kw_only=True)
class Diverging(Sampler):
    KIND = "tests:Diverging"

    n_steps: int
    bad: int

    def n_evaluations(self, schedule):
        return self.n_steps

    def require_admissible(self, schedule):
        pass

    def updates(self, schedule):
        return [Doubling(1.0, step == self.bad) for step in range(1, self.n_steps + 1)]


@pytest.mark.parametrize(("n_steps", "bad"), [(50, 3), (50, 20), (50, 21), (50, 50), (7, 7)])
def test_the_first_step_that_is_not_finite_is_named_wherever_it_was(chunk, store, n_steps, bad):
    job = with_sampler(chunk, Diverging(n_steps=n_steps, bad=bad))
    finish(job, ExecutionContext(store=store))
    found = store.manifest(job.stage, job.key).result
    assert found == {"failed": f"non-finite sample at step {bad}"}
