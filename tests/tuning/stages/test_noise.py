"""Tests of the noise stage: its stored result, and the general contract of jobs."""

import pytest

from scorelib.errors import InputError
from scorelib.exact.noise_level import closed_form
from scorelib.samplers import Als, Cas
from scorelib.schedules import GeometricSchedule
from scorelib.spec import from_json
from tuning.job_runs import execute
from tuning.jobs import ExecutionContext, Work
from tuning.stages import NoiseLevel
from tuning.store.store import Store

SCHEDULE = GeometricSchedule(sigma_1=50.0, sigma_L=0.01, n_levels=232)
ALS = NoiseLevel(schedule=SCHEDULE, sampler=Als(epsilon=2e-6, n_sigma=5))
CAS = NoiseLevel(schedule=SCHEDULE, sampler=Cas(epsilon=2e-5, n_sigma=100))


def finish(job, store):
    list(execute(job, ExecutionContext(store=store)))
    return store.manifest(job.stage, job.key)


def test_langevins_noise_is_stored_level_by_level_with_its_quarters(store):
    result = finish(ALS, store).result
    levels = ALS.levels(ExecutionContext(store=store))
    assert levels == pytest.approx(closed_form(ALS.sampler, SCHEDULE)[::5].tolist(), rel=1e-9)
    ends = {"L/4": levels[58], "L/2": levels[116], "3L/4": levels[174], "L": levels[232]}
    assert result == pytest.approx(ends, rel=1e-12)


def test_consistent_samplings_noise_is_the_schedule_however_dilated(store):
    assert finish(CAS, store).result["L/2"] == pytest.approx((50 * 0.01) ** 0.5, rel=1e-9)
    levels = CAS.levels(ExecutionContext(store=store))
    assert levels == pytest.approx(SCHEDULE.sigmas, rel=1e-9)


def test_equal_curves_are_equal_bytes(store, tmp_path):
    other = Store(str(tmp_path / "other"), create=True)
    finish(ALS, store), finish(ALS, other)
    ours, theirs = (place.read("noise", ALS.key, "levels.json") for place in (store, other))
    assert ours == theirs


def test_it_needs_nothing_and_costs_nothing():
    assert ALS.inputs() == () and ALS.work() == Work() and not ALS.wants_gpu()
    assert ALS.title() == "noise level of als, n_sigma 5"
    assert ALS.key != CAS.key


def test_it_comes_back_from_json():
    assert from_json(ALS.to_json()) == ALS and from_json(CAS.to_json()).key == CAS.key


def test_inadmissible_step_sizes_are_refused_before_anything_runs():
    with pytest.raises(InputError, match=r"epsilon must be in \(.*\) for cas"):
        NoiseLevel(schedule=SCHEDULE, sampler=Cas(epsilon=1e-9))
