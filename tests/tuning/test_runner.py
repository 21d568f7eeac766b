"""The runner on real Ray in this process: logical GPUs, reuse of workers, failures, refusals."""

import os

import pytest

from scorelib.errors import InputError
from tests.disks import mounted
from tests.miniature import miniature_study
from tuning import resources, runner, session
from tuning.resources import Capacity, GpuShares, gpu_share, require_gpus
from tuning.runner import work_off
from tuning.scheduler import Scheduler
from tuning.session import ClusterOptions, ray_session
from tuning.stages import snapshots
from tuning.stop import StopRequest
from tuning.store import Store
from tuning.trainable import Execution


@pytest.fixture(scope="module")
def capacity():
    """One Ray for the module: two CPUs, one GPU that is only a number."""
    with ray_session(ClusterOptions(cpus=2, gpus=1)) as found:
        yield found


def test_the_session_has_a_token_that_only_its_user_can_read(capacity):
    path = os.environ["RAY_AUTH_TOKEN_PATH"]
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.stat(path).st_mode & 0o077 == 0


def test_gpu_jobs_hold_gpus_and_workers_are_reused(capacity, store, monkeypatch):
    assert capacity == Capacity(cpus=2, gpus=1)
    monkeypatch.setattr(snapshots, "GPU_MULTIPLY_ADDS", 0)
    handed, processes = {}, set()
    config = Execution.config

    def noting(self, job, *, gpus):
        handed[job.key] = (job, gpus)
        return config(self, job, gpus=gpus)

    monkeypatch.setattr(Execution, "config", noting)
    scheduler = Scheduler(miniature_study(search__n_trials="1"), store)
    scheduler.on_stored = lambda job, manifest: processes.add(manifest.cost["process"])
    execution = Execution(store_url=store.url, gpu_device="cpu")
    work_off(scheduler, execution, capacity, StopRequest())
    assert scheduler.is_complete() and not scheduler.given_up
    assert all(gpus == gpu_share(job, GpuShares()) for job, gpus in handed.values())
    shares = {job.stage: gpus for job, gpus in handed.values()}
    assert (shares["train"], shares["sample"], shares["score"]) == (1.0, 0.5, 0.5)
    # Of some forty jobs: two on CPUs, one training, two at half a GPU each, few of them anew.
    assert len(handed) > 40 and len(processes) <= 8


def test_a_job_that_raises_is_given_up_with_its_cause_and_the_run_ends(capacity, store):
    scheduler = Scheduler(miniature_study(), store)
    execution = Execution(store_url=store.url, data_root=None, gpu_device="cuda")
    for snapshot in miniature_study().snapshots:
        # A damaged result that claims to be a safetensors file.
        store.commit(
            "train", snapshot.key, spec=snapshot.to_json(), result={}, cost={},
            files={"ema-0.999.safetensors": b"junk"},
        )  # fmt: skip
    scheduler = Scheduler(miniature_study(), store)
    work_off(scheduler, execution, capacity, StopRequest())
    assert not scheduler.is_complete()
    causes = {cause for _, cause in scheduler.given_up.values()}
    assert any("SafetensorError" in cause for cause in causes), causes


def test_workers_stay_in_the_drivers_folder_so_relative_paths_mean_the_same(capacity, store):
    from tuning.ray_import import tune

    class Where(tune.Trainable):
        def step(self):
            return {"cwd": os.getcwd(), "done": True}

    results = tune.Tuner(Where, run_config=tune.RunConfig(verbose=0)).fit()
    assert results[0].metrics["cwd"] == os.getcwd()


def test_a_stop_request_ends_the_run_before_it_is_complete(capacity, store):
    scheduler = Scheduler(miniature_study(), store)
    stop = StopRequest()

    def request(job, manifest):
        stop.request("by the test")

    scheduler.on_stored = request
    work_off(scheduler, Execution(store_url=store.url), capacity, stop)
    assert not scheduler.is_complete()
    assert 0 < scheduler.finished_here.total() < 10


def test_a_fit_that_dies_is_followed_by_another(capacity, store, monkeypatch):
    fits = []
    fit = runner._fit

    def dying(*arguments):
        fits.append(1)
        if len(fits) == 1:
            raise RuntimeError("Caught unexpected exception")  # as Ray's memory monitor causes
        fit(*arguments)

    monkeypatch.setattr(runner, "_fit", dying)
    scheduler = Scheduler(miniature_study(search__n_trials="1"), store)
    work_off(scheduler, Execution(store_url=store.url), capacity, StopRequest())
    assert scheduler.is_complete() and len(fits) == 2


def test_a_fit_ended_for_lack_of_memory_is_followed_by_one_with_fewer_jobs(
    capacity, store, monkeypatch
):
    concurrent = []

    def dying(bridge, stop, at_a_time):
        concurrent.append(at_a_time)
        raise RuntimeError("Caught unexpected exception: Task was killed: node low on memory")

    monkeypatch.setattr(runner, "_fit", dying)
    scheduler = Scheduler(miniature_study(), store)
    work_off(scheduler, Execution(store_url=store.url), capacity, StopRequest(), max_concurrent=8)
    assert concurrent == [8, 4, 2, 1, 1, 1]


def test_a_job_that_hangs_is_ended_after_its_time_out_and_run_again(capacity, store, monkeypatch):
    study = miniature_study(search__n_trials="1")
    # A checkpoint that never finishes being read, as on a file server that is gone.
    folder = store.folder / "checkpoints" / study.snapshots[0].train.key
    folder.mkdir(parents=True)
    os.mkfifo(folder / "0000000010.safetensors")
    causes = []
    report_failure = Scheduler.report_failure

    def noting(self, key, cause):
        causes.append(cause)
        (folder / "0000000010.safetensors").unlink()
        report_failure(self, key, cause)

    monkeypatch.setattr(Scheduler, "report_failure", noting)
    scheduler = Scheduler(study, store)
    execution = Execution(store_url=store.url, timeouts={"train": 1.0})
    work_off(scheduler, execution, capacity, StopRequest())
    assert causes == ["no progress for 1 s, the time-out of its stage"]
    assert scheduler.is_complete() and not scheduler.given_up


def test_what_the_user_must_mend_ends_the_run_at_once(capacity, store, tmp_path):
    scheduler = Scheduler(miniature_study(), store)
    execution = Execution(store_url=str(tmp_path / "not-mounted-here"))
    with pytest.raises(InputError, match=r"^on .*--store must hold a store"):
        work_off(scheduler, execution, capacity, StopRequest())
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


@pytest.mark.parametrize(
    ("spoil", "mend", "why"),
    [("size=350k", "size=50m", "No space left on device"), ("ro", "rw", "Read-only file system")],
)
def test_a_disk_that_cannot_be_written_ends_the_run_and_later_it_goes_on(
    capacity, tmp_path, spoil, mend, why
):
    study = miniature_study(search__n_trials="1", n_sigma="[1]")
    with mounted(tmp_path / "disk", "50m") as disk:
        store = Store(str(disk.folder / "store"), create=True)
        scheduler = Scheduler(study, store)

        def spoil_once(job, manifest):
            if job.stage == "sample":
                scheduler.on_stored = None
                disk.remount(spoil)

        scheduler.on_stored = spoil_once
        execution = Execution(store_url=store.url)
        with pytest.raises(InputError, match=rf"must be writable and have room; {why}"):
            work_off(scheduler, execution, capacity, StopRequest())
        assert not scheduler.is_complete() and not scheduler.given_up
        before = everything_stored_is_whole(store)
        disk.remount(mend)
        scheduler = Scheduler(study, store)
        work_off(scheduler, execution, capacity, StopRequest())
        assert scheduler.is_complete()
        assert everything_stored_is_whole(store) > before > 2


def test_fits_without_any_progress_end(capacity, store, monkeypatch):
    def dying(*arguments):
        raise RuntimeError("again")

    monkeypatch.setattr(runner, "_fit", dying)
    scheduler = Scheduler(miniature_study(), store)
    work_off(scheduler, Execution(store_url=store.url), capacity, StopRequest())
    assert not scheduler.is_complete()


def test_what_a_cluster_may_grow_to_counts_as_capacity(capacity):
    assert session._capacity(ClusterOptions("auto", cpus=64, gpus=8)) == Capacity(64, 8)
    assert session._capacity(ClusterOptions("auto")) == capacity


def test_jobs_without_a_gpu_anywhere_are_refused(monkeypatch):
    monkeypatch.setattr(snapshots, "GPU_MULTIPLY_ADDS", 0)
    jobs = miniature_study().snapshots
    with pytest.raises(InputError, match=r"2 jobs need a GPU .* about 5 hours.*--allow-cpu"):
        require_gpus(jobs, Capacity(cpus=8, gpus=0), "5 hours", allow_cpu=False)
    require_gpus(jobs, Capacity(cpus=8, gpus=0), "5 hours", allow_cpu=True)
    require_gpus(jobs, Capacity(cpus=8, gpus=1), "5 hours", allow_cpu=False)
    assert resources.bundle(0.0) == {"CPU": 1.0}
