"""Rates: measured throughputs of finished jobs, used to predict the time of other jobs.

The store keeps one document of rates per class of device; `Job.rate_name` names a rate in the
document. While a rate has not been measured, time is estimated from the number of multiply-adds and
an assumed throughput, and marked as an estimate.
"""

from tuning.jobs import Job, Stage, Work
from tuning.store.documents import as_name
from tuning.store.store import Manifest, Store

ASSUMED_MULTIPLY_ADDS_PER_SECOND = {"cpu": 2e10, "gpu": 1.5e13}
"""Throughput assumed until one is measured, in multiply-adds per second.

"cpu": one core in float32; "gpu": a V100-class GPU in TF32 or FP32.
"""


class Rates:
    """Measured throughputs in the store, by class of device and name of rate.

    Args:
        store: store that holds the rates.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def note(self, job: Job, manifest: Manifest) -> None:
        """Adds the time and work of a finished job to the totals of its device.

        A job whose result is a failure is ignored.

        Args:
            job: the finished job.
            manifest: manifest of the job.
        """
        if "failed" in manifest.result:
            return  # the job ended early
        device = as_name(str(manifest.cost["device"]))
        totals = self._store.document("rates", device) or {}
        n_jobs, seconds, multiply_adds = totals.get(job.rate_name, (0, 0.0, 0.0))
        done = float(manifest.cost["multiply_adds"]) * share_done(job, manifest)
        if done and not multiply_adds:
            n_jobs, seconds = 0, 0.0  # version 0.1 did not count the multiply-adds of all stages
        seconds += float(manifest.cost["seconds"])
        totals[job.rate_name] = (n_jobs + 1, seconds, multiply_adds + done)
        self._store.put_document("rates", device, totals)

    def hours(
        self, name: str, stage: Stage, work: Work, n_jobs: int, device: str
    ) -> tuple[float, bool]:
        """Predicts the time that jobs take on one device, one after another.

        Args:
            name: name of the jobs' rate (`Job.rate_name`).
            stage: stage of the jobs.
            work: total work of the jobs.
            n_jobs: number of jobs.
            device: class of the device, such as "gpu" or "cpu x1".

        Returns:
            The time in hours, and whether it is an estimate because no rate has been measured.
        """
        measured = (self._store.document("rates", as_name(device)) or {}).get(name)
        if measured is not None:
            n_measured, seconds, multiply_adds = measured
            if multiply_adds:
                return work.multiply_adds / (multiply_adds / seconds) / 3600, False
            return n_jobs * seconds / n_measured / 3600, False
        if work.multiply_adds:
            sort = "cpu" if device.startswith("cpu") else "gpu"
            return work.multiply_adds / ASSUMED_MULTIPLY_ADDS_PER_SECOND[sort] / 3600, True
        return n_jobs * stage.assumed_seconds / 3600, True


def share_done(job: Job, manifest: Manifest) -> float:
    """Returns the share of its work, in [0, 1], that a finished job did itself.

    A job of a chain continues from a checkpoint of an earlier job, which did the rest.

    Args:
        job: the finished job.
        manifest: manifest of the job.
    """
    if job.chain is None:
        return 1.0
    return 1 - int(manifest.cost.get("started_at", 0)) / job.position
