"""Tests of the runner on real Ray in this process: logical GPUs, worker reuse, stops, refusals."""

import contextlib
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from scorelib.errors import InputError
from tests.tuning.miniature import miniature_study
from tuning.execution import resources, session
from tuning.execution.resources import Capacity, GpuShares, gpu_share, require_gpus
from tuning.execution.runner import run_until_complete
from tuning.execution.session import ClusterOptions
from tuning.execution.stop import StopRequest
from tuning.execution.trainable import Execution
from tuning.scheduling.scheduler import Scheduler
from tuning.stages.training import snapshots


def test_the_session_has_a_token_that_only_its_user_can_read(capacity):
    path = os.environ["RAY_AUTH_TOKEN_PATH"]
    assert os.environ["RAY_AUTH_MODE"] == "token"
    assert os.stat(path).st_mode & 0o077 == 0


def test_the_session_runs_no_process_that_only_a_cluster_needs(capacity):
    running = session.ray._private.worker._global_node.all_processes
    assert not {"dashboard", "log_monitor", "monitor"} & running.keys()
    assert session.ray._private.node.Node.start_monitor.__name__ == "start_monitor"


_REACH = """
import os, sys
os.setgroups([]); os.setgid(65534); os.setuid(65534)
for path in sys.stdin.read().splitlines():
    for use in (os.stat, os.listdir, lambda p: open(p, "rb"), lambda p: os.rename(p, p + "-mine")):
        try:
            use(path)
        except PermissionError:
            continue
        print(path)
"""


def test_no_other_user_reaches_anything_of_the_session(capacity):
    folder = Path(os.environ["RAY_AUTH_TOKEN_PATH"]).parent
    below = [str(path) for path in folder.rglob("*")]
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert any("/sockets/" in path for path in below), "Ray keeps its sockets elsewhere"
    used = {target for pid in _processes(folder) for target in _files_of(pid)}
    outside = {file for file in used if not file.startswith(f"{folder}/")}
    assert used - outside and outside == set(), "Ray keeps files outside the folder"
    if os.getuid():
        pytest.skip("only root can act as another user")
    found = subprocess.run(
        [sys.executable, "-S", "-c", _REACH], input="\n".join([f"{folder}/.", *below]), text=True,
        stdout=subprocess.PIPE, check=True,
    )  # fmt: skip
    assert found.stdout == ""


def _processes(folder):
    """Returns the processes whose command names the session's folder."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if str(folder).encode() in (process / "cmdline").read_bytes():
                yield process.name


def _files_of(pid):
    """Returns the named files in folders for temporary files that a process has open."""
    places = (f"{tempfile.gettempdir()}/", "/dev/shm/", "/tmp/", "/var/tmp/")
    for entry in Path(f"/proc/{pid}/fd").glob("*"):
        with contextlib.suppress(OSError):
            target = os.readlink(entry)
            if target.startswith(places) and not target.endswith("(deleted)"):
                yield target


def test_gpu_jobs_hold_gpus_and_workers_are_reused(capacity, store, monkeypatch):
    assert capacity == Capacity(cpus=2, gpus=1)
    monkeypatch.setattr(snapshots, "GPU_MULTIPLY_ADDS", 0)
    handed, processes = {}, set()
    config = Execution.config

    def noting(self, job, *, gpus, **more):
        handed[job.key] = (job, gpus)
        return config(self, job, gpus=gpus, **more)

    monkeypatch.setattr(Execution, "config", noting)
    scheduler = Scheduler(miniature_study(search__n_trials="1", n_sigma="[1]"), store)
    scheduler.on_stored = lambda job, manifest: processes.add(manifest.cost["process"])
    execution = Execution(store_url=store.url, gpu_device="cpu")
    run_until_complete(scheduler, execution, capacity, StopRequest(), max_concurrent=1)
    assert scheduler.is_complete() and not scheduler.given_up
    assert all(gpus == gpu_share(job, GpuShares()) for job, gpus in handed.values())
    shares = {job.stage: gpus for job, gpus in handed.values()}
    assert (shares["train"], shares["sample"], shares["score"]) == (1.0, 0.5, 0.5)
    # Of about twenty jobs, three need a new worker: on a CPU, on a whole GPU, on half a GPU.
    assert len(handed) > 20 and len(processes) == 3


def test_workers_do_not_look_for_code_in_the_drivers_folder(capacity, tmp_path):
    from tuning.execution.ray_import import tune

    class Where(tune.Trainable):
        def step(self):
            return {"cwd": os.getcwd(), "path": list(sys.path), "done": True}

    run_config = tune.RunConfig(verbose=0, storage_path=str(tmp_path))
    results = tune.Tuner(Where, run_config=run_config).fit()
    found = results[0].metrics
    assert Path(found["cwd"]).name.startswith("ray-") and "" not in found["path"]


def test_a_stop_request_ends_the_run_before_it_is_complete(capacity, store):
    scheduler = Scheduler(miniature_study(), store)
    stop = StopRequest()

    def request(job, manifest):
        stop.request("by the test")

    scheduler.on_stored = request
    run_until_complete(scheduler, Execution(store_url=store.url), capacity, stop, max_concurrent=1)
    assert not scheduler.is_complete()
    assert 0 < scheduler.finished_here.total() < 10


def test_what_a_cluster_may_grow_to_counts_as_capacity(capacity):
    assert session._capacity(ClusterOptions("auto", cpus=64, gpus=8)) == Capacity(64, 8)
    assert session._capacity(ClusterOptions("auto")) == capacity


def test_jobs_without_a_gpu_anywhere_are_refused(monkeypatch):
    monkeypatch.setattr(snapshots, "GPU_MULTIPLY_ADDS", 0)
    jobs = miniature_study().snapshots
    with pytest.raises(InputError, match=r"2 jobs need a GPU, .* about 5 hours.*allow CPUs"):
        require_gpus(jobs, Capacity(cpus=8, gpus=0), "5 hours", allow_cpu=False)
    require_gpus(jobs, Capacity(cpus=8, gpus=0), "5 hours", allow_cpu=True)
    require_gpus(jobs, Capacity(cpus=8, gpus=1), "5 hours", allow_cpu=False)
    assert resources.bundle(0.0) == {"CPU": 1.0}
