"""A driver on a cluster, in a separate process (Ray's state is per process), and its reader.

The driver does what `studies.run` does, with the miniature study and with jobs that request GPUs
which exist only as numbers. It reports events as lines of JSON:

    capacity    what the session counts on: cpus, gpus
    running     a job reported: key, stage, progress, and the worker's pid and node
    stored      a job finished: key, stage, node
    death       the worker of a job is gone: Ray's message, and whether the job failed
    refused     the user must fix a problem: cause
    end         the study ended: whether complete, and the causes of jobs given up
"""

import dataclasses
import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

from scorelib.errors import InputError
from tests.clusters import ROOT, node_of
from tests.miniature import miniature_study
from tuning.stages import Snapshot

_SMALL = {"n_sigma": "[1]", "search__n_trials": "1"}
"""Settings that leave two searches of one trial each."""


def small_study(*, trainings, iterations, alone=False):
    """Returns the miniature study with additional trainings, which run first.

    Args:
        trainings: number of additional trainings, each with its own seed.
        iterations: length of each additional training.
        alone: whether the study contains only these trainings.
    """
    study = miniature_study(**_SMALL)
    (first, *_) = study.snapshots
    further = tuple(
        Snapshot(train=first.train.replace(seed=seed), iteration=iterations)
        for seed in range(1, trainings + 1)
    )
    if alone:
        return dataclasses.replace(
            study, snapshots=further, cells=(), searches=(), baselines=(), claims=()
        )
    return dataclasses.replace(study, snapshots=(*further, *study.snapshots))


class DriverProcess:
    """A driver that runs `small_study`, and the events it reported so far; a context manager.

    Args:
        cluster: the cluster to join.
        store: folder of its store.
        options: options of `small_study`, and "cpus" and "gpus", the maximum size of the cluster.
    """

    def __init__(self, cluster, store, **options):
        self.events = []
        self._news = threading.Condition()
        self._errors = open(f"{store}.log", "w+")  # noqa: SIM115
        self._process = subprocess.Popen(
            [sys.executable, "-m", __name__, cluster.address, str(store), json.dumps(options)],
            env=cluster.environment, cwd=ROOT, text=True, start_new_session=True,
            stdout=subprocess.PIPE, stderr=self._errors,
        )  # fmt: skip
        self._thread = threading.Thread(target=self._follow, daemon=True)
        self._thread.start()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._thread.join()
        self._process.stdout.close()
        self._errors.close()

    def _follow(self):
        for line in self._process.stdout:
            with self._news:
                self.events.append(json.loads(line) | {"at": time.monotonic()})
                self._news.notify_all()
        with self._news:
            self.events.append({"event": "closed"})
            self._news.notify_all()

    def all(self, event):
        """Returns all events of one kind."""
        return [told for told in self.events if told["event"] == event]

    def wait_for(self, condition, seconds, after=0):
        """Returns the first event, from number `after` on, for which a condition holds."""
        end = time.monotonic() + seconds
        with self._news:
            while True:
                for told in self.events[after:]:
                    if condition(told):
                        return told
                    assert told["event"] != "closed", f"the driver ended: {self._log()}"
                left = max(0.0, end - time.monotonic())
                assert self._news.wait(left), f"not within {seconds:g} s: {self._log()}"

    def finish(self, seconds):
        """Waits for the end and returns its event."""
        end = self.wait_for(lambda told: told["event"] == "end", seconds)
        assert self._process.wait(60) == 0, self._log()
        return end

    def _log(self):
        self._errors.seek(0)
        return f"{self.events[-5:]}; {self._errors.read()[-3000:]}"


def main(address, url, options):
    # Ray also prints on the output, for example the last actions of a lost node: such lines go to
    # the errors.
    events = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    from tuning.drivers.driver import Driver
    from tuning.drivers.lease import Leases
    from tuning.execution.resources import GpuShares
    from tuning.execution.runner import run_until_complete
    from tuning.execution.session import ClusterOptions, ray_session, require_visible
    from tuning.execution.stop import StopRequest
    from tuning.execution.trainable import Execution
    from tuning.scheduling.scheduler import Scheduler
    from tuning.stages.training import snapshots
    from tuning.store.store import Store

    def tell(event, **details):
        print(json.dumps({"event": event} | details), file=events, flush=True)

    snapshots.GPU_MULTIPLY_ADDS = 0
    cpus, gpus = options.pop("cpus", None), options.pop("gpus", None)
    store, nodes = Store(url, create=True), Nodes()
    _listen_in(tell, nodes)

    def on_stored(job, manifest):
        pid = int(manifest.cost["process"].split(":")[1])
        tell("stored", key=job.key, stage=job.stage, node=nodes.of(pid))

    with ray_session(ClusterOptions(address, cpus, gpus)) as capacity, Driver(store) as driver:
        tell("capacity", cpus=capacity.cpus, gpus=capacity.gpus)
        require_visible(url)
        scheduler = Scheduler(small_study(**options), store, on_stored, Leases(driver))
        execution = Execution(store_url=url, gpu_device="cpu")
        try:
            run_until_complete(
                scheduler, execution, capacity, StopRequest(), shares=GpuShares(1.0, 1.0)
            )
        except InputError as error:
            tell("refused", cause=str(error))
        causes = [cause for _, cause in scheduler.given_up.values()]
        tell("end", complete=scheduler.is_complete(), given_up=causes)


class Nodes:
    """The nodes of worker processes, each looked up while its process is alive."""

    def __init__(self):
        self._known = {}

    def of(self, pid):
        """Returns the id of the node that a worker process is, or was, on."""
        if self._known.get(pid) is None:
            self._known[pid] = node_of(pid) or self._as_ray_says(pid)
        return self._known[pid]

    @staticmethod
    def _as_ray_says(pid):
        from tuning.execution.ray_import import ray

        actors = ray._private.state.actors().values()
        return next((one["Address"]["NodeID"] for one in actors if one["Pid"] == pid), None)


def _listen_in(tell, nodes):
    """Makes the searcher report what Tune tells it."""
    from tuning.execution.searcher import JobSearcher

    on_trial_result, report_death = JobSearcher.on_trial_result, JobSearcher.report_death

    def telling_result(self, trial_id, result):
        job, pid = self._jobs[trial_id], result["pid"]
        tell(
            "running", key=job.key, stage=job.stage, progress=result.get("progress"), pid=pid,
            node=nodes.of(pid),
        )  # fmt: skip
        on_trial_result(self, trial_id, result)

    def telling_death(self, trial_id, account):
        job = self._jobs[trial_id]
        report_death(self, trial_id, account)
        counts = job.key in self._scheduler._attempts
        tell("death", key=job.key, stage=job.stage, account=account, counts=counts)

    JobSearcher.on_trial_result, JobSearcher.report_death = telling_result, telling_death


if __name__ == "__main__":
    main(sys.argv[1], str(Path(sys.argv[2])), json.loads(sys.argv[3]))
