"""Tests of the runner on real Ray in this process: failing jobs, fits and disks."""

import os

import pytest

from scorelib.errors import InputError
from tests.disks import mounted
from tests.tuning.draining import drain
from tests.tuning.miniature import miniature_study
from tuning.execution import runner
from tuning.execution.ray_import import ray
from tuning.execution.runner import run_until_complete
from tuning.execution.stop import StopRequest
from tuning.execution.trainable import Execution
from tuning.scheduling.scheduler import Scheduler
from tuning.store.store import Store

SMALL = {"search__n_trials": "1", "n_sigma": "[1]"}


def test_a_job_that_raises_is_given_up_with_its_cause_and_the_run_ends(capacity, store):
    scheduler = Scheduler(miniature_study(), store)
    execution = Execution(store_url=store.url, data_root=None, gpu_device="cuda")
    for snapshot in miniature_study().snapshots:
        # A damaged result with the suffix of a safetensors file.
        store.commit(
            "train", snapshot.key, spec=snapshot.to_json(), result={}, cost={},
            files={"ema-0.999.safetensors": b"junk"},
        )  # fmt: skip
    scheduler = Scheduler(miniature_study(), store)
    run_until_complete(scheduler, execution, capacity, StopRequest(), max_concurrent=1)
    assert not scheduler.is_complete()
    causes = {cause for _, cause in scheduler.given_up.values()}
    assert any("SafetensorError" in cause for cause in causes), causes


def test_a_fit_ended_for_lack_of_memory_is_followed_by_one_with_fewer_jobs(
    capacity, store, monkeypatch
):
    concurrent = []

    def dying(searcher, stop, at_a_time):
        concurrent.append(at_a_time)
        raise RuntimeError("Caught unexpected exception") from ray.exceptions.OutOfMemoryError("")

    monkeypatch.setattr(runner, "_fit", dying)
    scheduler = Scheduler(miniature_study(), store)
    run_until_complete(
        scheduler, Execution(store_url=store.url), capacity, StopRequest(), max_concurrent=8
    )
    assert concurrent == [8, 4, 2, 1, 1, 1]


def test_a_fit_that_dies_is_followed_by_another_and_a_job_that_hangs_runs_again(
    capacity, store, monkeypatch
):
    study = miniature_study(**SMALL)
    # Reading this checkpoint never ends, as on a file server that is gone.
    folder = store.folder / "checkpoints" / study.snapshots[0].train.key
    folder.mkdir(parents=True)
    os.mkfifo(folder / "0000000010.safetensors")
    causes, concurrent = [], []
    report_failure, fit = Scheduler.report_failure, runner._fit

    def noting(self, key, cause):
        causes.append(cause)
        (folder / "0000000010.safetensors").unlink(missing_ok=True)
        report_failure(self, key, cause)

    def dying_at_first(searcher, stop, at_a_time):
        concurrent.append(at_a_time)
        if len(concurrent) == 1:
            raise RuntimeError("Failed to read the memory of a worker")  # no lack of memory
        fit(searcher, stop, at_a_time)

    monkeypatch.setattr(Scheduler, "report_failure", noting)
    monkeypatch.setattr(runner, "_fit", dying_at_first)
    scheduler = Scheduler(study, store)
    # Longer than the first step of a worker, which imports for seconds on a busy machine.
    execution = Execution(store_url=store.url, timeouts={"train": 15.0})
    run_until_complete(scheduler, execution, capacity, StopRequest(), max_concurrent=1)
    assert concurrent == [1, 1]
    assert causes == ["no progress for 15 s, the time-out of its stage"]
    assert scheduler.is_complete() and not scheduler.given_up


def test_what_the_user_must_mend_ends_the_run_at_once(capacity, store, tmp_path):
    scheduler = Scheduler(miniature_study(), store)
    execution = Execution(store_url=str(tmp_path / "not-mounted-here"))
    with pytest.raises(InputError, match=r"^on .*must be a store, but it has no") as refusal:
        run_until_complete(scheduler, execution, capacity, StopRequest(), max_concurrent=1)
    assert refusal.value.fields == ("store",)
    assert not scheduler.progress and not scheduler.given_up


def everything_stored_is_whole(store):
    for key in store.stored_keys():
        stage = next(p.parent.name for p in store.folder.glob(f"objects/*/{key}"))
        manifest = store.manifest(stage, key)
        assert manifest is not None
        for name in manifest.files:
            store.read(stage, key, name)
    assert not (store.folder / "set-aside").exists()
    return len(store.stored_keys())


def test_a_disk_that_cannot_be_written_ends_the_run_and_later_it_goes_on(capacity, tmp_path):
    study = miniature_study(**SMALL)
    with mounted(tmp_path / "disk", "50m") as disk:
        store = Store(str(disk.folder / "store"), create=True)
        execution, stored = Execution(store_url=store.url), [2]
        for spoil, mend, why in (
            ("size=350k", "size=50m", "No space left on device"),
            ("ro", "rw", "Read-only file system"),
        ):
            scheduler = Scheduler(study, store)

            def spoil_once(job, manifest, scheduler=scheduler, spoil=spoil):
                if job.stage == "sample":
                    scheduler.on_stored = None
                    disk.remount(spoil)

            scheduler.on_stored = spoil_once
            with pytest.raises(InputError, match=rf"be writable and have .* \({why}\): free"):
                run_until_complete(scheduler, execution, capacity, StopRequest(), max_concurrent=1)
            assert not scheduler.is_complete() and not scheduler.given_up
            stored.append(everything_stored_is_whole(store))
            disk.remount(mend)
        drain(study, store)
        assert Scheduler(study, store).is_complete()
        stored.append(everything_stored_is_whole(store))
        assert stored == sorted(set(stored)), "a later run added nothing"


def test_fits_without_any_progress_end(capacity, store, monkeypatch):
    def dying(*arguments):
        raise RuntimeError("again")

    monkeypatch.setattr(runner, "_fit", dying)
    scheduler = Scheduler(miniature_study(), store)
    run_until_complete(scheduler, Execution(store_url=store.url), capacity, StopRequest())
    assert not scheduler.is_complete()
